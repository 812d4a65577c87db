-- What pusher.curl checks before it touches the network. What it does there: spec/transport/.

local curl = require "pusher.curl"
local options = require "pusher.base.options"

local function request(over)
  local out = { method = "GET", scheme = "http", host = "127.0.0.1", port = 1, target = "/", headers = {}, timeout = 1 }
  for name, value in pairs(over or {}) do
    out[name] = value
  end
  return out
end

-- The table that transports hand to C.
-- The options as a transport hands them on, but for the proxy: which ones options.transport lets pass is its own matter.
local function complete(given)
  local settings = {}
  for name, value in pairs(given or {}) do
    settings[name] = value
  end
  settings.proxy = nil
  settings = assert(options.transport(settings))
  settings.proxy = given and given.proxy
  return settings
end

describe("pusher.curl", function()
  it("knows its libcurl", function()
    assert.matches("^libcurl/%d", curl.LIBCURL)
  end)

  for _, kind in ipairs { "easy", "async" } do
    describe(kind, function()
      local handles

      local function open(given)
        local handle = assert(curl[kind](complete(given)))
        handles[#handles + 1] = handle
        return handle
      end

      -- Outcome of a request that must end before anything is sent.
      local function try(handle, over)
        return handle[kind == "easy" and "perform" or "add"](handle, request(over))
      end

      before_each(function()
        handles = {}
      end)

      after_each(function()
        for _, handle in ipairs(handles) do
          handle:close()
        end
      end)

      it("raises unless the options are complete, of the right types and within the limits of C", function()
        local count = { "1", {}, true, -1, 0 / 0, math.huge, 1e300 }
        for field, values in pairs {
          timeout = count, connect_timeout = count, max_response_bytes = count,
          keepalive = { 60, true, "60" }, tls_verify = { "no", 0 }, proxy = { 8080, {} }, ca_file = { true },
        } do
          for _, value in ipairs(values) do
            local settings = complete()
            settings[field] = value
            assert.error_matches(function() curl[kind](settings) end, "bad option field '" .. field .. "'")
          end
        end
        for _, field in ipairs { "timeout", "connect_timeout", "keepalive", "tls_verify", "max_response_bytes" } do
          local settings = complete()
          settings[field] = nil
          assert.error_matches(function() curl[kind](settings) end, "bad option field '" .. field .. "'")
        end
        for _, field in ipairs { "idle", "pool_size" } do
          for _, value in ipairs { false, "60", -1, 0 / 0, 1e300 } do
            local settings = complete()
            settings.keepalive[field] = value or nil
            assert.error_matches(function() curl[kind](settings) end, "bad keepalive field '" .. field .. "'")
          end
          local settings = complete()
          settings.keepalive[field] = -1
          assert.error_matches(function() curl[kind](settings) end,
            "bad keepalive field '" .. field .. "' %(0 to 2147483647 expected%)")
        end
      end)

      it("is handed no wrong option by its transport", function()
        local transport = require("pusher.transport." .. (kind == "easy" and "curl" or kind))
        for _, wrong in ipairs {
          { timeout = 0 }, { timeout = -1 }, { timeout = 0 / 0 }, { timeout = "5" }, { connect_timeout = 0 },
          { keepalive = 60 }, { keepalive = { idle = -1 } }, { keepalive = { idle = "60" } },
          { keepalive = { pool_size = -1 } }, { keepalive = { pool_size = 1.5 } }, { keepalive = { pool_size = 1e9 } },
          { max_response_bytes = 0 }, { max_response_bytes = 1e10 }, { max_response_bytes = 0 / 0 },
          { max_pending = 0 }, { max_pending = 1.5 }, { tls_verify = "no" }, { tls_verify = 0 },
          { proxy = 8080 }, { no_proxy = {} }, { ca_file = true },
        } do
          local made, message, details = transport.new(wrong)
          local name = next(wrong)
          assert.is_nil(made, name)
          assert.matches(name, message)
          assert.equal("config", details.code)
        end
      end)

      it("refuses texts with control characters", function()
        for _, wrong in ipairs { { proxy = "http://a\r\nb" }, { proxy = "http://a\0b" }, { ca_file = "a\0b" },
          { ca_file = "\127" } } do
          local name = next(wrong)
          local handle, message, code = curl[kind](complete(wrong))
          assert.is_nil(handle, name)
          assert.equal('option "' .. name .. '" must not contain control characters', message)
          assert.equal("config", code)
        end
      end)

      it("refuses proxies that make no sense, and does not quote them", function()
        for _, proxy in ipairs { "http://us er:secret@x:1", "foo://user:secret@x:1", "http://user:secret@x:0x",
          "://user:secret@", "http://user:secret@[zz]:1", "http://user:secret@", "http://user:secret@x:99999",
          "file:///secret" } do
          local handle, message, code = curl[kind](complete { proxy = proxy })
          assert.is_nil(handle, proxy)
          assert.equal('option "proxy" must look like "http://user:password@host:port"', message)
          assert.is_nil(message:find("secret", 1, true))
          assert.equal("config", code)
        end
        for _, proxy in ipairs { "http://a:1", "http://a", "a:1", "user:pass@a:1", "https://a:1", "socks5h://a:1",
          "http://[::1]:3128", "http://user:p%40ss@a.example:8080/" } do
          open { proxy = proxy }
        end
      end)

      it("accepts options at their limits", function()
        open { timeout = 2147483647, connect_timeout = 2147483647, keepalive = { idle = 0, pool_size = 0 },
          max_response_bytes = 1, max_pending = 1 }
        open { timeout = 0.001, keepalive = { idle = 2147483647, pool_size = 1000000 }, max_response_bytes = 2147483647,
          max_pending = 1000000, proxy = "", no_proxy = "", tls_verify = false }
      end)

      it("runs no metamethods of the tables it is given", function()
        local trap = { __index = function() error("called") end, __len = function() error("called") end }
        handles[1] = assert(curl[kind](setmetatable(complete(), trap)))
        local ok, message = pcall(try, open(), { headers = setmetatable({}, trap) })
        assert.is_true(ok, message)
        assert.is_false(pcall(open()[kind == "easy" and "perform" or "add"], open(), setmetatable({}, trap)))
      end)

      it("raises on wrong types", function()
        assert.error_matches(function() curl[kind](5) end, "table expected")
        assert.error_matches(function() curl[kind]() end, "table expected")
        local handle = open()
        local send = handle[kind == "easy" and "perform" or "add"]
        assert.error_matches(function() send(handle, "x") end, "table expected")
        assert.error_matches(function() send({}, request()) end, "pusher." .. kind)
        for field, values in pairs {
          method = { 5, {}, true }, scheme = { false, 1 }, host = { {} }, target = { 7 }, body = { {}, 12, true },
          port = { "80", {} }, timeout = { "1" }, headers = { "X: y", 5 },
        } do
          for _, value in ipairs(values) do
            assert.error_matches(function() try(handle, { [field] = value }) end, "'" .. field .. "'")
          end
        end
        for _, headers in ipairs { { "X: y" }, { { "X" } }, { { "X", 5 } }, { { 5, "x" } }, { {} }, { true } } do
          assert.error_matches(function() try(handle, { headers = headers }) end,
            "bad request field 'headers' %(list of {name, value} expected%)")
        end
        for _, field in ipairs { "method", "scheme", "host", "target" } do
          local broken = request()
          broken[field] = nil
          assert.error_matches(function() send(handle, broken) end, "'" .. field .. "' %(string expected, got nil%)")
        end
      end)

      it("refuses requests that make no sense", function()
        local many = {}
        for index = 1, 65 do
          many[index] = { "X-Many", tostring(index) }
        end
        local handle = open()
        local method = "the method must be 1 to 16 upper-case letters"
        local scheme = "the scheme must be http or https"
        local host = "the host must be a name or an IP address"
        local port = "the port must be a whole number from 1 to 65535"
        local target = "the target must start with / and be printable ASCII without spaces and #"
        local timeout = "the timeout must be above zero"
        local count = "a request may have up to 64 headers with values of up to 64 KiB"
        local bytes = "a header's name or value contains bytes that HTTP does not allow"
        local framing = "Content-Length and Transfer-Encoding are set by the transport"
        for index, case in ipairs {
          { method, method = "" }, { method, method = "get" }, { method, method = "GET " }, { method, method = ("A"):rep(17) },
          { method, method = "G\0T" }, { method, method = "@" }, { method, method = "[" },
          { scheme, scheme = "ftp" }, { scheme, scheme = "" }, { scheme, scheme = "HTTP" }, { scheme, scheme = "http\0" },
          { host, host = "" }, { host, host = "a b" }, { host, host = "a/b" }, { host, host = "a\0" },
          { host, host = "[::1]" }, { host, host = "ä.de" }, { host, host = ("a"):rep(256) },
          { port, port = 0 }, { port, port = 65536 }, { port, port = 1.5 }, { port, port = -1 }, { port, port = 0 / 0 },
          { target, target = "" }, { target, target = "x" }, { target, target = "/ä" }, { target, target = "/#a" },
          { target, target = "/\127" }, { target, target = "/\0" }, { target, target = "/a\tb" }, { target, target = "/ " },
          { timeout, timeout = 0 }, { timeout, timeout = -1 }, { timeout, timeout = 0 / 0 },
          { count, headers = many }, { count, headers = { { "X", ("y"):rep(65537) } } },
          { bytes, headers = { { "", "x" } } }, { bytes, headers = { { "X:", "x" } } }, { bytes, headers = { { "X", "\127" } } },
          { bytes, headers = { { "X", "\31" } } }, { bytes, headers = { { "X", "a\r\nY: b" } } },
          { bytes, headers = { { "X\0", "x" } } }, { bytes, headers = { { "@", "x" } } }, { bytes, headers = { { "[", "x" } } },
          { bytes, headers = { { "{", "x" } } }, { bytes, headers = { { "/", "x" } } },
          { framing, headers = { { "Content-Length", "5" } } },
          { framing, headers = { { "X", "y" }, { "transfer-ENCODING", "chunked" } } },
          { "the request is larger than 64 MiB", body = ("x"):rep(64 * 1024 * 1024 - #"GET/" + 1) },
        } do
          local expected = table.remove(case, 1)
          local result, message, code, sent = try(handle, case)
          assert.is_nil(result, "case " .. index)
          assert.equal(expected, message)
          assert.equal("invalid", code)
          assert.is_false(sent)
        end
      end)

      it("accepts requests at their limits", function()
        local many = {}
        for index = 1, 64 do
          many[index] = { "X-Many", tostring(index) }
        end
        local handle = open()
        for index, over in ipairs {
          { method = "A" }, { method = ("A"):rep(16) }, { host = "a." .. ("a"):rep(252) .. "." }, { port = 65535 },
          { target = "/!~" }, { timeout = 1e-9 }, { headers = many }, { headers = { { "X", ("y"):rep(65536) } } },
          { headers = { { "X", "\t \128\255" } } }, { headers = { { "!#$%&'*+-.^_`|~019AZaz", "" } } },
          { body = ("x"):rep(64 * 1024 * 1024 - #"GET/") },
        } do
          local result, message, code = try(handle, over)
          assert.is_true(result ~= nil or code ~= "invalid", ("case %d: %s"):format(index, tostring(message)))
        end
      end)

      it("names itself", function()
        local handle = open()
        assert.matches("^pusher%." .. kind .. ": 0x%x+$", tostring(handle))
        handle:close()
        assert.matches("^pusher%." .. kind .. ": 0x%x+ %(closed%)$", tostring(handle))
        assert.is_false(getmetatable(handle))
      end)

      it("may be closed twice, and refuses requests after that", function()
        local handle = open { proxy = "http://127.0.0.1:1", ca_file = "x" }
        handle:close()
        handle:close()
        local id, message, code, sent = try(handle)
        assert.is_nil(id)
        assert.same({ "the transport is closed", "closed", false }, { message, code, sent })
      end)

      it("may be left to the garbage collector at any stage", function()
        for round = 1, 20 do
          local handle = curl[kind](complete { proxy = "http://127.0.0.1:1", timeout = 1 })
          if round % 2 == 0 then
            try(handle)
          end
          curl[kind](complete { proxy = "http://127.0.0.1:1", ca_file = "\n" })
          local broken = complete { proxy = "http://127.0.0.1:1" }
          broken.ca_file = {}
          pcall(curl[kind], broken)
          pcall(try, handle, { headers = { { "X", "y" }, { "X" } } })
        end
        collectgarbage()
        collectgarbage()
      end)
    end)
  end

  describe("async", function()
    it("hands out nothing while there is nothing", function()
      local async = curl.async(complete())
      assert.equal(0, select("#", async:done()))
      async:wait(1) -- returns at once: nothing was added
      assert.is_false(async:leave_parent())
      assert.error_matches(function() async:wait(-1) end, "#1 to 'wait' %(must not be negative%)")
      assert.error_matches(function() async:wait(0 / 0) end, "negative")
      assert.error_matches(function() async:wait("x") end, "number expected")
      assert.error_matches(function() async:cancel() end, "number expected")
      for _, id in ipairs { 0, 1, -1, -2 ^ 53 } do
        assert.error_matches(function() async:cancel(id) end, "no id of a request")
      end
      async:close()
      for _, name in ipairs { "start", "wait", "done", "pollfd" } do
        assert.equal(0, select("#", async[name](async, 0)), name)
      end
      assert.is_false(async:leave_parent())
    end)

    it("numbers the transfers, with integers where Lua has them", function()
      local async = curl.async(complete())
      local first, second = async:add(request()), async:add(request())
      assert.equal("1 2", first .. " " .. second)
      for _ = 1, 3 do -- an order to cancel does not cancel another
        async:cancel(first)
        async:cancel(second)
      end
      async:close()
    end)
  end)
end)
