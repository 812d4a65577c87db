local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local curl_transport = require "pusher.transport.curl"
local environment = require "spec.helpers.environment"
local fails = require "spec.helpers.fails"
local local_server = require "tools.local_server"
local monotime = require("system").monotime
local process = require "pusher_test.process"

describe("pusher.transport.curl", function()
  local server, opened

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    opened = {}
  end)

  after_each(function()
    for _, transport in ipairs(opened) do
      transport:close()
    end
  end)

  local function new(options)
    local transport = assert(curl_transport.new(options))
    opened[#opened + 1] = transport
    return transport
  end

  local function open(options)
    local transport = new(options)
    return function(request)
      return transport:send(request, contract.parse)
    end, function()
      transport:close()
    end
  end

  describe("keeps the contract:", function()
    for _, case in ipairs(contract.cases) do
      it(case.name, function()
        contract.run(case, server, open, monotime)
      end)
    end
  end)

  describe("in a third-party environment", function()
    for _, entry in ipairs(environment.list) do
      it(entry.name, function()
        environment.run_in_child(entry, server, open, monotime)
      end)
    end
  end)

  local function request(path, over)
    local out = { method = "POST", scheme = "http", host = server.host, port = server.port, headers = {}, body = "{}",
      target = "/_misbehave/" .. (path or "none"), timeout = 5 }
    for name, value in pairs(over or {}) do
      out[name] = value
    end
    return out
  end

  local function echo(transport, over)
    return cjson.decode(assert(transport:send(request("none", over), contract.parse)).body)
  end

  it("returns just what parse returns", function()
    local results = { new():send(request(), function() return "a", nil, { 1 }, "d" end) }
    assert.same({ "a", nil, { 1 }, "d" }, results)
  end)

  it("lets an error of parse through, and works afterwards", function()
    local transport = new()
    local ok, message = pcall(transport.send, transport, request(), function() error("mine", 0) end)
    assert.is_false(ok)
    assert.equal("mine", message)
    assert.equal("POST", echo(transport).method)
  end)

  it("can be used from within parse", function()
    local transport = new()
    local inner
    local outer = transport:send(request(), function(status)
      inner = echo(transport).request
      return status
    end)
    assert.equal(200, outer)
    assert.is_number(inner)
  end)

  it("sends every method", function()
    local transport = new()
    for _, method in ipairs { "GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "POST", "OPTIONS", "GET" } do
      local bodiless = method == "GET" or method == "DELETE" or method == "HEAD"
      local sent = request("none", { method = method })
      sent.body = not bodiless and "{}" or nil
      local response = assert(transport:send(sent, contract.parse))
      if method == "HEAD" then
        assert.equal("", response.body)
      else
        local seen = cjson.decode(response.body)
        assert.equal(method, seen.method)
        assert.equal(bodiless and "" or "{}", seen.body)
      end
    end
  end)

  it("keeps no connection with keepalive.idle = 0 or pool_size = 0", function()
    for _, keepalive in ipairs { { idle = 0 }, { pool_size = 0 } } do
      local transport = new { keepalive = keepalive }
      assert.not_equal(echo(transport).connection, echo(transport).connection)
    end
  end)

  it("reports a ca_file that cannot be read", function()
    local result, _, details = new({ ca_file = "/nonexistent/ca.pem" }):send(
      request("none", { scheme = "https", port = server.tls_port }), contract.parse)
    assert.is_nil(result)
    assert.equal("tls", details.code)
    assert.is_false(details.sent)
  end)

  it("survives a connection that breaks while it is written to", function()
    local transport = new { tls_verify = false }
    for _, path in ipairs { "reset", "cut?reset=1", "drop", "stale?reset=1" } do
      transport:send(request(path, { scheme = "https", port = server.tls_port, body = ("x"):rep(4000000) }),
        contract.parse)
      transport:send(request(path, { body = ("x"):rep(4000000) }), contract.parse)
    end
    assert.equal("POST", echo(transport).method)
  end)

  describe("after a fork", function()
    for _, scheme in ipairs { "http", "https" } do
      local function over()
        return { scheme = scheme, port = scheme == "https" and server.tls_port or server.port }
      end

      it("a child opens its own connections, and the parent keeps its own: " .. scheme, function()
        local transport = new { ca_file = server.ca_file }
        local first = echo(transport, over()).connection
        assert.equal(0, process.run(function()
          local child = echo(transport, over()).connection
          assert(child ~= first and echo(transport, over()).connection == child)
          transport:close()
          local _, _, details = transport:send(request(), contract.parse)
          assert(details.code == "closed")
        end))
        assert.equal(first, echo(transport, over()).connection)
      end)

      it("a child that closes at once leaves the parent's connection alone: " .. scheme, function()
        local transport = new { ca_file = server.ca_file }
        local first = echo(transport, over()).connection
        assert.equal(0, process.run(function()
          transport:close()
        end))
        assert.equal(first, echo(transport, over()).connection)
      end)

      it("so does a child that leaves it to the garbage collector: " .. scheme, function()
        local transport = assert(curl_transport.new { ca_file = server.ca_file })
        local first = echo(transport, over()).connection
        assert.equal(0, process.run(function()
          transport = nil
          collectgarbage()
          collectgarbage()
        end))
        assert.equal(first, echo(transport, over()).connection)
        transport:close()
      end)
    end

    it("a child closes its copies of the parent's sockets, and no other descriptor", function()
      local transport = new()
      echo(transport)
      assert.equal(0, process.run(function()
        local before = process.descriptors()
        transport:close()
        assert(process.descriptors() == before - 1)
      end))
    end)

    it("a grandchild opens its own connections, too", function()
      local transport = new()
      local first = echo(transport).connection
      assert.equal(0, process.run(function()
        local second = echo(transport).connection
        assert(process.run(function()
          local third = echo(transport).connection
          assert(third ~= first and third ~= second)
        end) == 0)
        assert(echo(transport).connection == second)
      end))
      assert.equal(first, echo(transport).connection)
    end)
  end)

  it("says that it is closed", function()
    local closed = curl_transport.new()
    closed:close()
    fails("the transport is closed", { code = "closed", sent = false }, closed:send({}, print))
  end)
end)
