-- The option `observe` of the client, its publisher, Beams and FCM, over the transports outside nginx, against a server.

local beams = require "pusher.beams"
local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local fcm_world = require "spec.helpers.fcm_world"
local local_server = require "tools.local_server"
local push = require "pusher.push"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local SECRETS = { "auth_", "?", "secret", "Bearer", "ya29", "assertion" }

describe("observe", function()
  local server, opened, seen

  setup(function()
    server = local_server.start {}
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    opened, seen = {}, {}
  end)

  after_each(function()
    for _, object in ipairs(opened) do
      object:close()
    end
  end)

  local function observe(call)
    for _, value in pairs(call) do
      for _, secret in ipairs(SECRETS) do
        assert.is_nil(tostring(value):find(secret, 1, true))
      end
    end
    seen[#seen + 1] = call
  end

  local function open(transport, more)
    local given = { app_id = server.app_id, key = server.key, secret = server.secret, host = server.host, port = server.port,
      secure = false, transport = transport, observe = observe, timeout = 10 * time_scale,
      retry = { attempts = 3, base = 0.001 } }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    local client = assert(pusher.new(given))
    opened[#opened + 1] = client
    return client
  end

  local function wait(result, ...)
    if type(result) == "table" and result.wait then
      return result:wait()
    end
    return result, ...
  end

  -- One field of each call.
  local function each(field)
    local list = {}
    for index, call in ipairs(seen) do
      list[index] = call[field] == nil and "nil" or call[field]
    end
    return list
  end

  for _, transport in ipairs { "curl", "async" } do
    describe("over " .. transport, function()
      it("sees each call of a client", function()
        local client = open(transport)
        assert(wait(client:trigger("lobby", "e", "x")))
        assert(wait(client:channels()))
        local call = seen[1]
        assert.same({ "POST", "/apps/" .. server.app_id .. "/events", 200, "nil", 1, false }, { call.method, call.path,
          call.status, call.code or "nil", call.attempt, call.reused })
        assert.is_true(call.seconds > 0 and call.seconds < 10 * time_scale)
        assert.is_true(call.bytes_out > 20)
        assert.equal(2, call.bytes_in)
        assert.same({ "/events", "/channels" }, each "endpoint")
        assert.same({ "POST", "GET" }, each "method")
        assert.same({ false, true }, each "reused")
        assert.equal(0, seen[2].bytes_out)
      end)

      it("sees each attempt", function()
        server:misbehave { mode = "status", status = 429, retry_after = 0, times = 1 }
        local client = open(transport, { idempotency = true })
        server:misbehave { mode = "cut", times = 1 }
        assert(wait(client:trigger("lobby", "e", "x")))
        assert.same({ 1, 2, 3 }, each "attempt")
        assert.same({ 200 }, { seen[3].status })
        assert.is_nil(seen[3].code)
        local codes = { [seen[1].code] = seen[1].status or 0, [seen[2].code] = seen[2].status or 0 }
        assert.same({ rate_limited = 429, network = 0 }, codes)
      end)

      it("sees a call that fails without a response", function()
        server:misbehave { mode = "hang", times = 1 }
        local client = open(transport, { timeout = 0.2, retry = { attempts = 1 } })
        assert.equal("timeout", select(3, wait(client:trigger("lobby", "e", "x"))).code)
        assert.same({ "timeout" }, each "code")
        assert.same({ "nil" }, each "status")
        assert.same({ "nil" }, each "reused")
        assert.is_true(seen[1].seconds >= 0.19)
      end)

      it("does not see what was not sent", function()
        local client = open(transport)
        wait(client:trigger("lobby", ("x"):rep(300), "x"))
        client.transport:close()
        assert.equal("closed", select(3, wait(client:trigger("lobby", "e", "x"))).code)
        assert.equal(0, #seen)
      end)

      it("may use the client, and close it", function()
        local client, inner
        client = open(transport, { observe = function(call)
          seen[#seen + 1] = call
          if #seen == 1 then
            inner = client:trigger("lobby", "second", "x")
          else
            client:close()
          end
        end })
        assert(wait(client:trigger("lobby", "first", "x")))
        assert(wait(inner))
        assert.equal(2, #seen)
        assert.equal(2, #server:events())
      end)

      it("sees each batch of a publisher, and each time it is sent", function()
        server:misbehave { mode = "status", status = 500, times = 1 }
        local publisher = assert(open(transport):publisher { retry = { base = 0.001 } })
        for _ = 1, 5 do
          publisher:trigger("lobby", "e", "x")
        end
        assert(publisher:flush())
        assert.same({ "server", "nil" }, each "code")
        assert.same({ 1, 2 }, each "attempt")
        assert.equal("/batch_events", seen[2].endpoint)
        assert.equal(publisher:stats().calls, #seen)
      end)

      it("may trigger and step, and is refused to flush and to close", function()
        local publisher, reported
        local refused = {}
        local client = open(transport, { observe = function()
          if #refused == 0 then
            assert(publisher:trigger("lobby", "second", "x"))
            refused = { { publisher:flush(30) }, { publisher:close(30) }, { publisher:step(30) } }
          end
        end })
        publisher = assert(client:publisher { on_result = function(_, result) reported = reported and result end })
        reported = true
        assert(publisher:trigger("lobby", "first", "x"))
        assert(publisher:flush())
        fails("flush must not be called from observe", { code = "invalid", left = 2 }, unpack(refused[1], 1, 3))
        fails("close must not be called from observe", { code = "invalid", left = 2 }, unpack(refused[2], 1, 3))
        assert.same({ 2 }, refused[3])
        assert.is_truthy(reported)
        assert.equal(2, publisher:stats().sent)
        assert(publisher:close())
      end)

      it("sees the calls of Beams", function()
        local service = assert(beams.new { instance_id = "i-1", secret_key = "secret", transport = transport,
          base_url = ("http://%s:%d/base"):format(server.host, server.port), observe = observe })
        opened[#opened + 1] = service
        wait(service:publish_to_interests({ "a" }, { fcm = {} }))
        wait(service:publish_to_users({ "a" }, { fcm = {} }))
        wait(service:delete_user("a/b"))
        assert.same({ "/publishes/interests", "/publishes/users", "/users/:id" }, each "endpoint")
        assert.equal("/base/customer_api/v1/instances/i-1/users/a%2Fb", seen[3].path)
        assert.equal("DELETE", seen[3].method)
      end)
    end)
  end

  it("is there after a failure to load it", function()
    local own = { send = function(_, _, parse) return parse(200, "{}", "") end }
    for _, name in ipairs { "pusher.base.observer", "pusher.channels.label", "pusher.driver.choose" } do
      local real, loads = require(name), 0
      package.loaded[name] = nil
      package.preload[name] = function()
        loads = loads + 1
        return loads > 1 and real or error("not enough memory", 0)
      end
      finally(function()
        package.loaded[name], package.preload[name] = real, nil
      end)
      local ok, raised = pcall(open, own)
      assert.same({ false, "not enough memory" }, { ok, raised })
      assert(open(own):trigger("lobby", "e", "x"))
      assert.same({ 200 }, each "status")
      package.loaded[name], package.preload[name], seen = real, nil, {}
    end
  end)

  it("sees what becomes of a pending: cancelled, closed, refused", function()
    server:misbehave { mode = "hang" }
    local client = open("async", { max_pending = 2 })
    local cancelled = client:trigger("lobby", "e", "x")
    local closed = client:trigger("lobby", "e", "x")
    assert.equal("full", select(3, client:trigger("lobby", "e", "x"):result()).code)
    cancelled:cancel()
    client:close()
    server:behave()
    assert.is_true(closed.done)
    assert.same({ "closed", "closed" }, each "code")
  end)

  it("sees the calls over a transport of the caller's", function()
    local client = open({ send = function(_, _, parse) return parse(200, "{}", "") end })
    assert(client:trigger("lobby", "e", "x"))
    assert.same({ "nil" }, each "reused")
    assert.same({ 200 }, each "status")
    client = open({ send = function() return errors.fail("network", "no", { sent = false }) end })
    client:trigger("lobby", "e", "x")
    assert.same({ 200, "nil", "nil", "nil" }, each "status")
    assert.same({ 1, 1, 2, 3 }, each "attempt")
  end)

  for _, deferred in ipairs { false, true } do
    it("may push to FCM, and is refused to step, flush and stop it" .. (deferred and ", over pendings" or ""), function()
      local fake, refused, handler, registry = fcm_world.new { deferred = deferred }, {}, nil, assert(push.new())
      local receipt = fcm_world.receipt { CAcGBQQDAgE = {} }
      handler = fake:handler({ CAcGBQQDAgE = { { device_id = "t1" } } }, nil, { observe = function(call)
        if call.endpoint == "/messages:send" and #refused == 0 then
          assert(handler:push(receipt))
          for index, name in ipairs { "step", "flush", "stop" } do
            refused[index], refused[3 + index] = { handler[name](handler, 30) }, { registry[name](registry, 30) }
          end
        end
      end })
      handler.init = function() return true end -- it has been started
      registry:register("fcm", handler)
      assert(registry:init { { name = "fcm" } } and handler:push(receipt))
      assert(handler:flush(1000))
      for index, name in ipairs { "step", "flush", "stop", "step", "step", "step" } do
        fails(name .. " must not be called from observe", { code = "invalid", left = 2 }, unpack(refused[index], 1, 3))
      end
      assert.equal(2, handler:stats().sent)
      assert.is_true(handler:is_ready())
      assert.same({ true, 1 }, { registry:stats().fcm.ready, registry:push(receipt) })
      assert(registry:stop())
      assert.is_false(handler:is_ready())
    end)

    it("sees each token and each message of FCM" .. (deferred and ", over pendings" or ""), function()
      local fake = fcm_world.new { deferred = deferred, respond = function(call)
        return call.number == 1 and 503 or 200, { name = "m" }
      end }
      local handler = fake:handler({ CAcGBQQDAgE = { { device_id = "t1" } } }, nil, { observe = observe })
      assert(handler:push(fcm_world.receipt { CAcGBQQDAgE = {} }))
      handler:flush(1000)
      assert.same({ "/token", "/messages:send", "/messages:send" }, each "endpoint")
      assert.same({ 1, 1, 2 }, each "attempt")
      assert.same({ 200, 503, 200 }, each "status")
      assert.same({ "nil", "server", "nil" }, each "code")
    end)
  end
end)
