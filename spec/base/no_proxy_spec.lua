local fails = require "spec.helpers.fails"
local no_proxy = require "pusher.base.no_proxy"

local PROXY = "http://proxy:3128"

describe("pusher.base.no_proxy", function()
  local function is_direct(list, host, port)
    return assert(no_proxy.new { proxy = PROXY, no_proxy = list })(host, port or 80)
  end

  -- Each list with hosts that it covers, and hosts that it does not.
  local function check(cases)
    for list, hosts in pairs(cases) do
      for index, expected in ipairs { true, false } do
        for host in hosts[index]:gmatch("%S+") do
          assert.equal(expected, is_direct(list, host), ("%s of %q"):format(host, list))
        end
      end
    end
  end

  it("covers nothing without a list, or without a proxy", function()
    check { [""] = { "", "a 127.0.0.1" }, [" ,, ,"] = { "", "a" } }
    assert.is_false(is_direct(nil, "a"))
    assert.is_false(assert(no_proxy.new { no_proxy = "*" })("a", 80))
  end)

  it("is read with the options of a transport", function()
    local settings = no_proxy.settings { proxy = PROXY, no_proxy = "a" }
    assert.same({ 5, true, false }, { settings.timeout, settings.is_direct("a", 80), settings.is_direct("b", 80) })
    assert.is_false(no_proxy.settings().is_direct("a", 80))
    for option, given in pairs { timeout = { timeout = -1 }, no_proxy = { no_proxy = "a/b" } } do
      local refused, _, details = no_proxy.settings(given)
      assert.same({ "config", option }, { details.code, details.field })
      assert.is_nil(refused)
    end
  end)

  it("reads names, which cover the names below them", function()
    check {
      ["example.com"] = { "example.com www.example.com a.b.example.com", "badexample.com example.com.org com" },
      [".example.com"] = { "example.com www.example.com", "badexample.com" },
      ["*.example.com"] = { "www.example.com a.b.example.com", "example.com badexample.com" },
      ["localhost"] = { "localhost a.localhost", "127.0.0.1 ::1" },
      ["my_host-1"] = { "my_host-1", "my_host-2" },
      ["1.example"] = { "1.example", "2.example" },
    }
  end)

  it("ignores case and a dot at the end, on both sides", function()
    check { ["Example.COM"] = { "eXample.com EXAMPLE.com. x.Example.Com.", "" },
      ["example.com."] = { "example.com example.com. x.example.com.", "" } }
  end)

  it("reads lists, separated by commas, spaces or both", function()
    check { ["a,b"] = { "a b", "c" }, ["a b"] = { "a b", "c" }, [" a , b\t,\n"] = { "a b", "c" }, ["10.0.0.1,a,"] = { "10.0.0.1 a", "b" } }
  end)

  it("reads * for all hosts, also beside others", function()
    check { ["*"] = { "a 10.0.0.1 ::1", "" }, ["a, *"] = { "b ::1", "" } }
  end)

  it("reads IP addresses in any spelling", function()
    check {
      ["127.0.0.1"] = { "127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1", "127.0.0.2 1.127.0.0.1 a.127.0.0.1" },
      [".127.0.0.1"] = { "127.0.0.1", "127.0.0.2" },
      ["::1"] = { "::1 0:0:0:0:0:0:0:1 0000::0001", "::2 1::1" },
      ["[::1]"] = { "::1", "::2" },
      ["FD00:0:0::A"] = { "fd00::a fd00:0:0:0:0:0:0:000A", "fd00::b" },
      ["1:2:3:4:5:6:7::"] = { "1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:1" },
      ["::10.0.0.1"] = { "::a00:1", "10.0.0.1" },
      ["::ffff:10.0.0.1"] = { "10.0.0.1", "10.0.0.2" },
      ["::"] = { "::", "::1 0.0.0.0" },
    }
  end)

  it("reads networks", function()
    check {
      ["10.0.0.0/8"] = { "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 a00:: a.10.0.0.1" },
      ["10.1.2.3/8"] = { "10.9.9.9", "11.1.2.3" },
      ["192.168.128.0/17"] = { "192.168.128.0 192.168.255.1", "192.168.127.255" },
      ["10.0.0.1/32"] = { "10.0.0.1", "10.0.0.0 10.0.0.2" },
      ["0.0.0.0/0"] = { "0.0.0.0 255.255.255.255", "::1 a" },
      ["fd00::/8"] = { "fd00::1 fdff:ffff::", "fc00::1 fe00:: 253.0.0.1" },
      ["2001:db8:8000::/33"] = { "2001:db8:8000:: 2001:db8:ffff::1", "2001:db8:7fff::" },
      ["::1/128"] = { "::1", "::2" },
      ["::/0"] = { "::1 ffff::", "10.0.0.1 a" },
    }
  end)

  it("reads ports, which limit an entry to that port", function()
    for list, host in pairs { ["example.com:8080"] = "www.example.com", [".example.com:8080"] = "example.com",
      ["*.example.com:8080"] = "a.example.com", ["10.0.0.1:8080"] = "10.0.0.1", ["[::1]:8080"] = "0::1" } do
      assert.is_true(is_direct(list, host, 8080), list)
      assert.is_false(is_direct(list, host, 80), list)
    end
    assert.is_true(is_direct("a:1,a:2", "a", 2))
  end)

  it("reads entries of up to 300 bytes", function()
    local name = ("x"):rep(300)
    assert.is_true(is_direct("a, " .. name, name))
    assert.is_nil((no_proxy.new { no_proxy = "a, x" .. name }))
  end)

  it("refuses what no host can fit", function()
    for _, entry in ipairs { "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/x", "/8", "a/8", "10.0.0.0/8/8", "10.0.0.0/8:80",
      "256.0.0.1", "10.0.0.01", "10.0.0", "10", "10.0.0.", "1.2.3.4.5", "127.*", "*.", "*.*", "*a", "a*", "*.10.0.0.1", "**",
      "1::2::3", "1:2:3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "g::1", "12345::", ":::", ":1:2:3:4:5:6:7", "::1%eth0",
      "[::1", "::1]", "[a.b]", "[]", "a:", "a:0", "a:65536", "a:b", ":80", "a..b", "..", ".", "..a", "http://a", "ex\228mple", "a\0b",
      ("1:"):rep(100), ("x"):rep(1000) .. "*" } do
      local made, message, details = no_proxy.new { no_proxy = "a, " .. entry }
      assert.is_nil(made, entry)
      assert.same({ code = "config", field = "no_proxy" }, { code = details.code, field = details.field })
      assert.is_truthy(message:find('option "no_proxy" must list', 1, true), message)
      assert.is_true(#message < 250 and not message:find("%c"), message)
    end
  end)

  it("covers nothing for a host that is no name and no address", function()
    check { ["example.com, 10.0.0.0/8, ::/0"] = { "", "10.0.0.256 10.0.0 1::2::3 [::" } }
    assert.is_false(is_direct("a", ""))
  end)

  it("keeps the result of the last host, not of another host or port", function()
    local covers = assert(no_proxy.new { proxy = PROXY, no_proxy = "a, b:1" })
    for _, case in ipairs { { "a", 1, true }, { "a", 2, true }, { "b", 2, false }, { "b", 1, true }, { "c", 1, false }, { "c", 1, false },
      { "a", 1, true } } do
      assert.equal(case[3], covers(case[1], case[2]))
    end
  end)

  it("does not depend on the locale", function()
    local before = os.setlocale()
    for _, name in ipairs { "tr_TR.UTF-8", "tr_TR.ISO-8859-9", "C" } do
      if os.setlocale(name) then
        assert.is_true(is_direct("INTERNAL", "internal"))
      end
    end
    os.setlocale(before)
  end)

  it("compares all bits of an address", function()
    check {
      ["10.0.0.1"] = { "10.0.0.1", "10.0.0.0 10.0.0.3 11.0.0.1" }, ["10.0.0.1:80"] = { "10.0.0.1", "10.0.0.0" },
      ["::1"] = { "::1", ":: ::2" }, ["[::1]:80"] = { "::1", "::" }, ["10.0.0.0/31"] = { "10.0.0.1", "10.0.0.2" },
    }
  end)

  it("says what a list may hold", function()
    fails('option "no_proxy" must list names, IP addresses, networks such as 10.0.0.0/8, or *, got "a/b"',
      { code = "config", field = "no_proxy" }, no_proxy.new { no_proxy = "x, A/B" })
  end)
end)
