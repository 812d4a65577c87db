-- What servers send, byte for byte, over the transports of libcurl, plain and over TLS. Inside nginx the same cases are run
-- by spec/system/nginx/wire_check.lua.

local calls = require "spec.helpers.calls"
local contract = require "spec.helpers.wire_contract"
local form = require "spec.helpers.wire_cases.form"
local local_server = require "tools.local_server"
local own_responses = require "spec.helpers.own_responses"

-- libcurl skips a fold in the first line; where it would change freed memory, we refuse it.
local MAJOR, MINOR, PATCH = require("pusher.curl").LIBCURL:match("^libcurl/(%d+)%.(%d+)%.(%d+)")
local NUMBER = (MAJOR * 1000 + MINOR) * 1000 + PATCH
local SKIPS_FOLD = NUMBER < 7083000 or NUMBER > 8001000

local function parse(status, body)
  return { status = status, body = body }
end

local function open_curl(options)
  local transport = assert(require("pusher.transport.curl").new(options))
  return function(request)
    return transport:send(request, parse)
  end, function()
    transport:close()
  end
end

local function open_async(options)
  local transport = assert(require("pusher.transport.async").new(options))
  return function(request)
    return transport:send(request, parse):wait()
  end, function()
    transport:close()
  end
end

describe("on the wire", function()
  local server

  setup(function()
    server = local_server.start { program = contract.SERVER }
  end)

  teardown(function()
    server:stop()
  end)

  -- The kernel gives one local port to connections to different hosts.
  it("over curl and async: the idle connection that has input is ended, not another one with the same ports", function()
    assert.equal("good\n", calls.run_preloaded("same_port", "spec/helpers/same_port.lua"))
  end)

  it("over async, https: ten idle connections at once, ended twelve times", function()
    server:play(contract.idle_end("close", 10))
    local transport = assert(require("pusher.transport.async").new(contract.options(server)))
    finally(function() transport:close() end)
    for _ = 1, 12 do
      local pendings = {}
      for index = 1, 10 do
        pendings[index] = transport:send(contract.request(server, "https", "/case"), parse)
      end
      for index = 1, 10 do
        assert.same({ status = 200, body = '{"ok":1}' }, assert(pendings[index]:wait()))
      end
      assert.equal(10, server:settle().late)
    end
  end)

  for name, open in pairs { curl = open_curl, async = open_async } do
    local once_name = "over %s: a request marked once, when its kept connection ends, fails with our own message"
    it(once_name:format(name), function()
      server:play { bytes = form.sized(), after = "reuse", late = "", ending = "close" }
      local send, close = open(contract.options(server))
      finally(close)
      assert(send(contract.request(server, "http", "/case")))
      local result, message = send(contract.request(server, "http", "/case", { once = true }))
      assert.is_nil(result)
      assert.equal("the kept connection broke before the response", message)
      assert.equal(2, server:settle().arrivals)
    end)

    -- libcurl 7.83 to 8.1.0 changes freed memory: the last header of the response before.
    it(("over %s: a response that begins with a fold, after another response"):format(name), function()
      local send, close = open { keepalive = { pool_size = 0 }, ca_file = server.ca_file }
      finally(close)
      for round = 1, 20 do
        local version = round % 2 == 0 and "HTTP" or "http" -- libcurl reads both
        for _, scheme in ipairs { "http", "https" } do
          server:play { bytes = form.sized "X-First: 1\nX-Last: 2\n" }
          assert(send(contract.request(server, scheme, "/case")))
          server:play { bytes = form.sized(" x: y\n"):gsub("HTTP", version), after = "close" }
          local result, message, details = send(contract.request(server, scheme, "/case"))
          assert.is_true(result == nil or SKIPS_FOLD, message)
          assert.equal("network", details and details.code or "network")
        end
      end
    end)

    for _, scheme in ipairs { "http", "https" } do
      describe(("over %s, %s:"):format(name, scheme), function()
        for _, case in ipairs(contract.cases) do
          it(case.name, function()
            contract.run(case, "curl", scheme, server, open)
          end)
        end

        for _, ending in ipairs(contract.IDLE_ENDS[scheme]) do
          it("twelve idle connections in a row, each ended by " .. ending, function()
            contract.run_idle_ends(ending, scheme, server, open)
          end)
        end
      end)
    end
  end
end)

describe("on the wire over async, HTTP/2:", function()
  it("300 calls at once to a server that ends a connection after three", function()
    local server = local_server.start { h2_requests = 3 }
    finally(function() server:stop() end)
    assert.equal("", own_responses.run(server, server.h2_port, { calls = 300 }))
    assert.is_true(server:inspect().goaways.h2 > 3)
  end)

  -- libcurl 7.87 and 7.88 fail there; with them these are calls over HTTP/1.1.
  it("calls through a proxy's tunnels to a server that ends a connection after twenty", function()
    local server = local_server.start { h2_requests = 20 }
    local proxy = ("http://127.0.0.1:%d"):format(server.proxy_port)
    finally(function() server:stop() end)
    assert.equal("", own_responses.run(server, server.h2_port, { calls = 150, waves = 2, proxy = proxy }))
    assert.is_true(server:inspect().proxy.tunnels > 0)
  end)
end)

-- libcurl (7.88) gives two transfers one HTTP/1.1 connection where the host has spoken HTTP/2 on another one.
describe("on the wire over async, a host that speaks HTTP/1.1 and HTTP/2:", function()
  local function run(server_options, options)
    local server = local_server.start(server_options)
    finally(function() server:stop() end)
    assert.equal("", own_responses.run(server, server.mixed_port, options))
    local accepted = server:inspect().accepted
    assert.is_true(accepted.h2 > 0 and accepted.tls > 0)
  end

  local function cancel()
    return math.random(8) == 1
  end

  -- With more calls in flight than an HTTP/2 connection carries, others are opened.
  for _, case in ipairs {
    { name = "HTTP/2 without a limit", pool_size = 150 },
    { name = "HTTP/2 connections that end after three requests", h2_requests = 3 },
    { name = "HTTP/2 connections that end after twenty requests", h2_requests = 20 },
    { name = "one server with HTTP/2, two without", mixed = { "h2", "tls", "tls" }, h2_requests = 20 },
    { name = "some calls are cancelled", h2_requests = 20, cancel = cancel },
  } do
    it(case.name, function()
      run({ h2_requests = case.h2_requests, mixed = case.mixed },
        { calls = 150, waves = 2, transports = 3, methods = { "GET", "POST" },
          pool_size = case.pool_size, cancel = case.cancel })
    end)
  end
end)
