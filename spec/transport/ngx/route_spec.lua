local core = require "pusher.core"
local route = require "pusher.transport.ngx.route"

describe("pusher.transport.ngx.route", function()
  describe("proxy", function()
    it("reads a proxy's URL", function()
      assert.same({ host = "proxy", port = 3128 }, route.proxy("http://proxy:3128"))
      assert.same({ host = "proxy", port = 3128 }, route.proxy("http://proxy:3128/"))
      assert.same({ host = "proxy", port = 1080 }, route.proxy("http://proxy"))
      assert.same({ host = "10.0.0.1", port = 80 }, route.proxy("10.0.0.1:80"))
      assert.same({ host = "::1", port = 80 }, route.proxy("HTTP://[::1]:80"))
    end)

    it("reads its user and password as curl does", function()
      for text, expected in pairs {
        ["me:pass%20word%40x"] = "me:pass word@x", ["me"] = "me:", ["me:"] = "me:", [""] = ":", [":x"] = ":x", ["a:b:c"] = "a:b:c",
        ["%3a"] = "::",
      } do
        local proxy = route.proxy(("http://%s@p:8"):format(text))
        assert.same({ "p", 8, expected }, { proxy.host, proxy.port, core.base64_decode(proxy.credentials) })
      end
    end)

    it("refuses any other URL, and shows nothing of it", function()
      for _, url in ipairs { "https://me:hidden@p:1", "socks5://p:1", "http://", "http://p:0", "http://p:70000", "http://p:x",
        "http://me:hidden@p/path", "http://me:hid@den@p", "http://p q:1", "" } do
        local proxy, message, details = route.proxy(url)
        assert.is_nil(proxy)
        assert.equal("config", details.code)
        assert.equal("proxy", details.field)
        assert.is_nil(message:find("hid", 1, true))
      end
    end)
  end)

  describe("plan", function()
    local direct_host

    before_each(function()
      direct_host = nil
    end)

    local function is_direct(host, port)
      return host == direct_host and port == 80
    end

    local function plan(request, settings)
      settings = settings or { tls_verify = true }
      settings.is_direct, settings.pool_size = is_direct, 3
      local full = { scheme = "http", host = "api.test", port = 80 }
      for name, value in pairs(request or {}) do
        full[name] = value
      end
      return route.plan(full, settings)
    end

    it("connects straight to the server", function()
      local got = plan()
      assert.same({ "api.test", 80, "api.test", false }, { got.host, got.port, got.authority, got.tls })
      assert.is_nil(got.origin)
      assert.is_nil(got.tunnel)
      assert.same({ pool = got.pool, pool_size = 3 }, got.pool_options)
    end)

    it("names the port unless it is the scheme's own", function()
      assert.equal("api.test:443", plan({ port = 443 }).authority)
      assert.equal("api.test", plan({ scheme = "https", port = 443 }).authority)
      assert.equal("api.test:80", plan({ scheme = "https", port = 80 }).authority)
    end)

    it("puts IPv6 addresses in brackets", function()
      local got = plan({ host = "::1", port = 81 })
      assert.same({ "[::1]", "[::1]:81", "::1" }, { got.address, got.authority, got.server_name })
    end)

    it("sends http through a proxy with an absolute target, https through a tunnel", function()
      local settings = { tls_verify = true, proxy = route.proxy("http://me@proxy:3128") }
      local http = plan({}, settings)
      assert.same({ "proxy", 3128, "http://api.test", "bWU6" }, { http.host, http.port, http.origin, http.credentials })
      assert.is_nil(http.tunnel)
      local https = plan({ scheme = "https", port = 443 }, settings)
      assert.same({ "proxy", "api.test:443", "api.test" }, { https.host, https.tunnel, https.server_name })
      assert.is_nil(https.origin)
      direct_host = "api.test"
      assert.equal("api.test", plan({}, settings).host)
    end)

    it("names a pool by everything that makes two connections differ", function()
      local proxy = route.proxy("http://proxy:3128")
      -- Two passwords that a CRC-32 could not distinguish.
      local known, other = route.proxy("http://a:plumless@proxy:3128"), route.proxy("http://a:buckeroo@proxy:3128")
      local names, count = {}, 0
      for _, case in ipairs {
        { {}, { tls_verify = true } },
        { { port = 81 }, { tls_verify = true } },
        { { host = "other.test" }, { tls_verify = true } },
        { { scheme = "https" }, { tls_verify = true } },
        { { scheme = "https" }, { tls_verify = false } },
        { {}, { proxy = proxy } },
        { {}, { proxy = { host = "proxy", port = 3129 } } },
        { { scheme = "https" }, { tls_verify = true, proxy = proxy } },
        { { scheme = "https" }, { tls_verify = true, proxy = known } },
        { { scheme = "https" }, { tls_verify = true, proxy = other } },
      } do
        local name = plan(case[1], case[2]).pool
        assert.is_nil(names[name])
        assert.is_nil(name:find("plumless", 1, true))
        assert.is_nil(name:find(known.credentials, 1, true))
        names[name], count = true, count + 1
      end
      assert.equal(10, count)
      assert.equal(plan().pool, plan({ target = "/other" }).pool)
      local again = route.proxy("http://a:plumless@proxy:3128")
      assert.is_true(names[plan({ scheme = "https" }, { tls_verify = true, proxy = again }).pool])
    end)

    -- A pool's name is logged, and nobody may be able to try passwords on it.
    it("keys the names of tunnels' pools anew each time it is loaded", function()
      package.loaded["pusher.transport.ngx.route"] = nil
      local fresh = require "pusher.transport.ngx.route"
      package.loaded["pusher.transport.ngx.route"] = route
      local url = "http://a:plumless@proxy:3128"
      local function pool(from)
        return from.plan({ scheme = "https", host = "api.test", port = 443 }, { tls_verify = true, pool_size = 3,
          is_direct = function() return false end, proxy = from.proxy(url) }).pool
      end
      assert.equal(pool(route), pool(route))
      assert.not_equal(pool(route), pool(fresh))
    end)

    it("leaves the dot at the end of a name to the Host header and the proxy", function()
      local settings = { tls_verify = true, proxy = { host = "proxy", port = 3128 } }
      local got = plan({ scheme = "https", host = "api.test.", port = 443 }, settings)
      assert.same({ "api.test", "api.test.", "api.test.:443" }, { got.server_name, got.authority, got.tunnel })
      assert.equal("api.test.", plan({ host = "api.test." }).address)
    end)
  end)
end)
