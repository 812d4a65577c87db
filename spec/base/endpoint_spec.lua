local endpoint = require "pusher.base.endpoint"
local fails = require "spec.helpers.fails"

describe("pusher.base.endpoint", function()
  local good = {
    ["https://fcm.googleapis.com"] = { scheme = "https", host = "fcm.googleapis.com", port = 443, path = "" },
    ["https://oauth2.googleapis.com/token"] =
      { scheme = "https", host = "oauth2.googleapis.com", port = 443, path = "/token" },
    ["http://localhost:8080/"] = { scheme = "http", host = "localhost", port = 8080, path = "" },
    ["http://127.0.0.1"] = { scheme = "http", host = "127.0.0.1", port = 80, path = "" },
    ["https://[::1]:8443/base//"] = { scheme = "https", host = "::1", port = 8443, path = "/base" },
  }
  for url, expected in pairs(good) do
    it("reads " .. url, function()
      assert.are.same(expected, endpoint.parse(url, "url"))
    end)
  end

  local bad = {
    "", "fcm.googleapis.com", "ftp://x", "https://", "https://user:hunter2@host", "https://host/?q=1", "https://host/#f",
    "https://host:0", "https://host:65536", "https://host:", "https://ho st", "https://host/a b", "HTTPS://host",
    "https://host/..", "https://host/a/./b", "https://host/%2e%2e/a", "https://host/a\n",
    "https://host\r\nX: y", "https://[::1", 5, {}, false,
  }
  for _, url in ipairs(bad) do
    it("refuses " .. tostring(url):gsub("%c", "?"):gsub("^table.*", "a table"), function()
      local parsed, message, details = endpoint.parse(url, "fcm_url")
      assert.is_nil(parsed)
      assert.matches('option "fcm_url" must be a URL', message)
      assert.is_nil(message:find("hunter2", 1, true))
      assert.are.equal("config", details.code)
      assert.are.equal("fcm_url", details.field)
    end)
  end

  it("makes requests below its path", function()
    local at = assert(endpoint.parse("http://h:1/base", "url"))
    local headers = { { "A", "b" } }
    assert.are.same({ method = "POST", scheme = "http", host = "h", port = 1, target = "/base/v1/x", headers = headers,
      body = "{}", timeout = 3 }, endpoint.request(at, "POST", "/v1/x", headers, "{}", 3))
    assert.are.same({ { "A", "b" }, { "Accept", "application/json" } }, { headers[1], headers[2] })
    assert.are.equal("Accept-Encoding", headers[3][1])
    assert.are.equal("User-Agent", headers[4][1])
    assert.are.equal("/", endpoint.request(assert(endpoint.parse("http://h", "url")), "GET", "", {}, nil, 1).target)
  end)

  it("says which URL it wants", function()
    fails('option "base_url" must be a URL of the form http[s]://HOST[:PORT][/PATH]',
      { code = "config", field = "base_url" }, endpoint.parse("x", "base_url"))
  end)
end)
