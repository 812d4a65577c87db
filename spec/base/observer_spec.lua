local errors = require "pusher.base.errors"
local fake_transport = require "spec.helpers.fake_transport"
local observer = require "pusher.base.observer"
local pending = require "pusher.pending"
local process = require "pusher_test.process"

-- Returns the status as the result, and fails above 299.
local function parse(status)
  if status >= 300 then
    return errors.fail("server", "no", { status = status })
  end
  return { status = status }
end

local function label(path)
  return "label of " .. path
end

describe("pusher.base.observer", function()
  local seen, logged

  before_each(function()
    seen, logged = {}, {}
  end)

  local function log(level, message)
    logged[#logged + 1] = level .. ": " .. message
  end

  local function observe(call)
    seen[#seen + 1] = call
  end

  local function wrap(transport, f)
    return observer.wrap(transport, f or observe, log, label)
  end

  local function request(over)
    local out = { method = "POST", target = "/apps/1/events?auth_signature=abc&x=/", body = "12345" }
    for name, value in pairs(over or {}) do
      out[name] = value
    end
    return out
  end

  -- A transport whose `send` is this function.
  local function sending(send)
    return wrap { send = function(_, ...) return send(...) end }
  end

  -- The one call that was seen, without its time.
  local function only()
    assert.equal(1, #seen)
    local call = seen[1]
    assert.is_true(call.seconds >= 0 and call.seconds < 30)
    call.seconds = nil
    return call
  end

  it("returns the given transport when nobody observes", function()
    local transport = {}
    assert.equal(transport, observer.wrap(transport, nil, log, label))
  end)

  it("reports a response", function()
    local result = sending(function(_, f) return f(200, "{}", "", true) end):send(request(), parse)
    assert.same({ status = 200 }, result)
    assert.same({ method = "POST", path = "/apps/1/events", endpoint = "label of /apps/1/events", status = 200,
      bytes_out = 5, bytes_in = 2, attempt = 1, reused = true }, only())
  end)

  it("reports a failed response with its code, and passes the failure on", function()
    local transport = sending(function(_, f) return f(500, "oops", "") end)
    local result, message, details = transport:send(request { method = "GET", attempt = 3 }, parse)
    assert.same({ nil, "no", "server" }, { result, message, details.code })
    local call = only()
    assert.same({ "GET", 500, "server", 4, 3 }, { call.method, call.status, call.code, call.bytes_in, call.attempt })
    assert.is_nil(call.reused)
  end)

  it("knows which coroutine is inside observe", function()
    local yields = coroutine.wrap(function() return pcall(coroutine.yield) end)() == nil -- Lua 5.1 cannot yield in pcall
    local transport, inside
    transport = wrap({ send = function(_, _, f) return f(200, "{}", "") end }, function()
      inside = observer.is_inside(transport)
      if yields then
        coroutine.yield()
      end
      error("oops")
    end)
    assert.is_false(observer.is_inside {})
    local call = coroutine.wrap(function()
      transport:send(request(), parse)
      return observer.is_inside(transport)
    end)
    local first = call()
    assert.is_true(inside)
    assert.is_false(observer.is_inside(transport))
    if yields then
      assert.is_nil(first)
      first = call()
    end
    assert.is_false(first)
  end)

  it("counts no bytes of a body that is not there", function()
    local given = request()
    given.body = nil
    sending(function() return errors.fail("timeout", "late") end):send(given, parse)
    local call = only()
    assert.same({ 0, 0 }, { call.bytes_out, call.bytes_in })
  end)

  it("reports a failure without a response", function()
    local results = { sending(function() return errors.fail("timeout", "late", { sent = false }) end):send(request(), parse) }
    assert.same({ "late", "timeout" }, { results[2], results[3].code })
    local call = only()
    assert.is_nil(call.status)
    assert.equal("timeout", call.code)
  end)

  it("does not report a call that was refused", function()
    for _, code in ipairs { "closed", "full", "invalid" } do
      sending(function() return errors.fail(code, "no", { sent = false }) end):send(request(), parse)
    end
    assert.equal(0, #seen)
    sending(function() return errors.fail("closed", "closed in flight") end):send(request(), parse)
    assert.equal("closed", only().code)
  end)

  it("reports a call that cannot be sent where it is made", function()
    sending(function() return errors.fail("config", "no network access", { sent = false }) end):send(request(), parse)
    assert.equal("config", only().code)
  end)

  it("calls what is no failure of the library's a network error", function()
    for _, details in ipairs { "no table", {}, { code = 5 }, setmetatable({}, { __index = error }) } do
      sending(function() return nil, "no", details end):send(request(), parse)
    end
    sending(function() end):send(request(), parse)
    sending(function() return false end):send(request(), parse)
    assert.equal(6, #seen)
    for _, call in ipairs(seen) do
      assert.equal("network", call.code)
    end
  end)

  it("is not confused by what a transport of the caller's passes", function()
    sending(function(_, f)
      f(200, "{}", "")
      return f(204, "{}", "")
    end):send(request(), parse)
    assert.equal(200, only().status)
    seen = {}
    sending(function(_, f) return f("200", {}, "") end):send(request(), function() return {} end)
    local call = only()
    assert.is_nil(call.status)
    assert.equal(0, call.bytes_in)
    seen = {}
    assert.same({ 5 }, { sending(function() return 5 end):send(request(), parse) })
    assert.is_nil(only().code)
  end)

  it("gives each call a table of its own, which nobody else looks at", function()
    local transport = wrap(fake_transport.new(), function(call)
      observe(call)
      for name in pairs(call) do
        call[name] = nil
      end
    end)
    assert.same({ status = 200 }, (transport:send(request(), parse)))
    assert.same({ status = 200 }, (transport:send(request(), parse)))
    assert.are_not.equal(seen[1], seen[2])
  end)

  it("logs what observe raises, and the call has its outcome", function()
    local transport = wrap(fake_transport.new(), function() error("mine", 0) end)
    assert.same({ status = 200 }, (transport:send(request(), parse)))
    assert.same({ "error: observe raised: mine" }, logged)
  end)

  it("forgets a coroutine that is given up inside observe", function()
    local transport = wrap(fake_transport.new(), coroutine.yield)
    local waiting = coroutine.create(function() transport:send(request(), parse) end)
    coroutine.resume(waiting)
    waiting = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_nil((next(transport.inside)))
  end)

  it("lets what parse and the transport raise through", function()
    assert.error_matches(function()
      wrap(fake_transport.new()):send(request(), function() error("of parse", 0) end)
    end, "of parse")
    assert.error_matches(function()
      sending(function() error("of send", 0) end):send(request(), parse)
    end, "of send")
    assert.equal(0, #seen)
  end)

  it("passes the other methods on, where there are any", function()
    local transport = {}
    for _, name in ipairs { "fail", "step", "pollfd", "events", "timeout", "close" } do
      transport[name] = function(self, ...)
        return name, self, ...
      end
    end
    transport.send = function() end
    local wrapped = wrap(transport)
    for _, name in ipairs { "fail", "step", "pollfd", "events", "timeout", "close" } do
      assert.same({ name, transport, 1, 2 }, { wrapped[name](wrapped, 1, 2) })
    end
    assert.is_nil(wrapped.repeats)
    transport.repeats = true
    assert.is_true(wrap(transport).repeats)
    assert.is_nil(wrap(fake_transport.new()).step)
  end)

  describe("over a transport that returns pendings", function()
    local call, sent, driver

    before_each(function()
      driver = { abandon = function() end, log = log }
    end)

    it("is not called in a forked child for calls of its parent", function()
      local parents = {}
      local transport = sending(function(_, f)
        parents[#parents + 1] = pending.new(driver, false, f)
        return parents[#parents]
      end)
      for _ = 1, 2 do
        transport:send(request(), parse)
      end
      assert.equal(0, process.run(function()
        parents[1]:cancel()
        pending.settle(parents[2], parents[2].parse(200, "{}", ""))
        assert(#seen == 0)
        transport:send(request(), parse)
        parents[3]:cancel()
        assert(#seen == 1)
      end))
      pending.settle(parents[1], parents[1].parse(200, "{}", ""))
      assert.equal(200, only().status)
    end)

    -- `repeats` as in the transport.
    local function deferred(repeats)
      return wrap { repeats = repeats, send = function(_, given, f, attempts)
        call, sent = pending.new(driver, 1, f), { request = given, parse = f, attempts = attempts }
        return call
      end }
    end

    it("reports a response when it is parsed", function()
      for _, repeats in ipairs { true, false } do
        seen = {}
        local returned = deferred(repeats):send(request(), parse)
        assert.equal(call, returned)
        assert.equal(0, #seen)
        pending.settle(call, sent.parse(200, "{}", "", false))
        local one = only()
        assert.same({ 200, false }, { one.status, one.reused })
        assert.is_nil(one.code)
      end
    end)

    it("reports a call that failed, was cancelled or could not be parsed", function()
      deferred(true):send(request(), parse)
      pending.settle(call, errors.fail("timeout", "late"))
      deferred(false):send(request(), parse)
      call:cancel()
      deferred(true):send(request(), function() error("mine") end)
      pcall(sent.parse, 200, "{}", "")
      pending.settle(call, errors.fail("response", "not parsed"))
      assert.same({ "timeout", "closed", "response" }, { seen[1].code, seen[2].code, seen[3].code })
      assert.same({ nil, nil, 200 }, { seen[1].status, seen[2].status, seen[3].status })
      assert.equal(3, #seen)
    end)

    it("does not report a call that was refused", function()
      local refused = pending.new(driver)
      pending.settle(refused, errors.fail("full", "no", { sent = false }))
      assert.equal(refused, wrap({ send = function() return refused end }):send(request(), parse))
      assert.equal(0, #seen)
    end)

    local function attempts_of(...)
      local given = { ... }
      return {
        request = function()
          return table.remove(given, 1), "no more", { code = "closed" }
        end,
        delay = function(_, details)
          return details.code == "server" and 7 or nil
        end,
      }
    end

    it("reports each attempt", function()
      deferred(true):send(request(), parse, attempts_of(request { attempt = 2 }, request { attempt = 3 }))
      local _, _, details = sent.parse(500, "", "")
      assert.equal(7, sent.attempts:delay(details))
      assert.equal(2, sent.attempts:request().attempt)
      assert.is_nil(sent.attempts:delay { code = "network" })
      assert.equal(3, sent.attempts:request().attempt)
      pending.settle(call, sent.parse(200, "", ""))
      assert.same({ { 1, "server" }, { 2, "network" }, { 3 } }, { { seen[1].attempt, seen[1].code },
        { seen[2].attempt, seen[2].code }, { seen[3].attempt, seen[3].code } })
      assert.equal(3, #seen)
    end)

    it("reports nothing of a call that ends between two attempts", function()
      deferred(true):send(request(), parse, attempts_of())
      sent.attempts:delay { code = "server" }
      assert.same({ nil, "no more", { code = "closed" } }, { sent.attempts:request() })
      call:cancel()
      assert.equal("server", only().code)
    end)
  end)
end)
