local url = require "pusher.base.url"

describe("pusher.base.url", function()
  it("escapes all but the unreserved characters", function()
    assert.equal("AZaz09-._~", url.escape("AZaz09-._~"))
    assert.equal("a%20b%2Fc%2B%26%3D%25", url.escape("a b/c+&=%"))
    assert.equal("%C3%A4%00%0A", url.escape("ä\0\n"))
    assert.equal("", url.escape(""))
  end)

  it("escapes in a segment only what a segment may not have", function()
    local allowed = "AZaz09-._~!$&'()*+,;=:@" -- RFC 3986, pchar
    assert.equal(allowed, url.escape_segment(allowed))
    assert.equal("a%20b%2Fc%3F%23%25%5B%5D%22%3C%3E%5C%5E%60%7B%7C%7D%7F", url.escape_segment('a b/c?#%[]"<>\\^`{|}\127'))
    assert.equal("%C3%A4%00%0A", url.escape_segment("ä\0\n"))
  end)

  it("unescapes, and leaves what is not an escape unchanged", function()
    assert.equal("a b/c", url.unescape("a%20b%2fc"))
    assert.equal("%", url.unescape("%"))
    assert.equal("%2", url.unescape("%2"))
    assert.equal("%zz+", url.unescape("%zz+"))
    assert.equal("%41", url.unescape("%2541"))
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local all = table.concat(bytes)
    assert.equal(all, url.unescape(url.escape(all)))
    assert.equal(all, url.unescape(url.escape_segment(all)))
  end)

  it("finds steps in paths, however they are encoded", function()
    for _, text in ipairs { ".", "..", "/.", "/..", "a/..", "../a", "/a/../b", "/a/./b", "a\\..\\b", "..;x", "/a/..;/b",
      "%2e", "%2E%2e", ".%2e", "/a/%2e%2e/b", "a%2f..", "a%5c..", "%252e%252e", "%25%32%65" } do
      assert.is_true(url.has_step(text), text)
    end
    for _, text in ipairs { "", "/", "...", "a.b", ".a", "a.", "/.well-known/x", "/a..b/...", "%", "%2", "100%", "a%2fb" } do
      assert.is_false(url.has_step(text), text)
    end
  end)

  it("splits host and port", function()
    for text, expected in pairs {
      ["example.org"] = { "example.org" }, ["example.org:6001"] = { "example.org", 6001 }, ["127.0.0.1:1"] = { "127.0.0.1", 1 },
      ["[::1]"] = { "::1" }, ["[::1]:65535"] = { "::1", 65535 }, ["[::ffff:1.2.3.4]:80"] = { "::ffff:1.2.3.4", 80 },
      ["my_host-1"] = { "my_host-1" },
    } do
      assert.same(expected, { url.split_host(text) })
    end
    for _, text in ipairs { "", ":", "h:", "[::1]:", "::1", "h:x", "h:0", "h:65536", "[::1]:0", "h:99999999999999999999", "a b", "a/b",
      "https://h", "u@h", "h\r\nX: y", "[::1", "[h]", "h:80:81", "[:::]", "[1.2.3.4]", "[.]", "[1:2:3:4:5:6:7:8:9]" } do
      assert.is_nil((url.split_host(text)), text)
    end
  end)

  it("takes the URL of a proxy apart, or refuses it", function()
    for text, expected in pairs {
      ["http://p:1"] = { scheme = "http", host = "p", port = 1 }, ["p:1/"] = { scheme = "http", host = "p", port = 1 },
      ["SOCKS5://u%3A:a%40b@[::1]:1080"] = { scheme = "socks5", host = "::1", port = 1080, userinfo = "u%3A:a%40b" },
      ["https://p"] = { scheme = "https", host = "p" }, ["http://@p"] = { scheme = "http", host = "p", userinfo = "" },
    } do
      assert.same(expected, url.split_proxy(text), text)
    end
    for _, text in ipairs { "", "http://", "http://p:0", "http://p:1/x", "http://p?x", "http://p#x", "http:/p", "//p", "http://u@v@p",
      "http://u:%00@p", "http://u:%0d%0aX:1@p", "http://p:1\n", "http://\195\188:1", " " } do
      assert.is_nil(url.split_proxy(text), text)
    end
  end)

  it("distinguishes addresses from names", function()
    for _, host in ipairs { "127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "fe80::1", "::ffff:1.2.3.4" } do
      assert.is_true(url.is_address(host))
    end
    for _, host in ipairs { "localhost", "1.2.3", "a.b.c.d", "1.example.org", "1.2.3.400", "1.2.3.256", "1.2.3.1000", "1.2.3.04",
      "127.000.000.001", "1.2.3.4.", "1.2.3.4.5", "1.2.3." } do
      assert.is_false(url.is_address(host), host)
    end
  end)

  it("puts IPv6 addresses in brackets", function()
    assert.equal("[::1]", url.bracket("::1"))
    assert.equal("127.0.0.1", url.bracket("127.0.0.1"))
    assert.equal("example.org", url.bracket("example.org"))
  end)

  it("names the port of an authority unless it is the scheme's own", function()
    assert.equal("api.test", url.authority("https", "api.test", 443))
    assert.equal("api.test:80", url.authority("https", "api.test", 80))
    assert.equal("api.test", url.authority("http", "api.test", 80))
    assert.equal("api.test:443", url.authority("http", "api.test", 443))
    assert.equal("[::1]:6001", url.authority("http", "::1", 6001))
  end)
end)
