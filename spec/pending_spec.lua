local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local pending = require "pusher.pending"

describe("pusher.pending", function()
  local transport, call

  before_each(function()
    transport = { logged = {}, abandoned = {} }
    function transport.log(level, message)
      transport.logged[#transport.logged + 1] = level .. ": " .. message
    end
    function transport:abandon(which)
      self.abandoned[#self.abandoned + 1] = which
    end
    call = pending.new(transport)
  end)

  it("is not an outcome while the call is in flight", function()
    assert.is_false(call.done)
    local result, message, details = call:result()
    assert.is_nil(result)
    assert.is_string(message)
    assert.same({ code = "pending", retryable = false }, details)
    assert.equal("pusher.pending: in flight", tostring(call))
  end)

  it("keeps the result, also when asked twice", function()
    local value = {}
    pending.settle(call, value)
    assert.is_true(call.done)
    for _ = 1, 2 do
      local result, message, details = call:result()
      assert.equal(value, result)
      assert.is_nil(message)
      assert.is_nil(details)
    end
    assert.equal("pusher.pending: done", tostring(call))
  end)

  it("keeps the failure triple", function()
    pending.settle(call, errors.fail("timeout", "too late", { sent = false }))
    local result, message, details = call:result()
    assert.is_nil(result)
    assert.equal("too late", message)
    assert.same({ code = "timeout", retryable = true, sent = false }, details)
  end)

  it("keeps results that are false or nil", function()
    pending.settle(call, false)
    assert.is_false((call:result()))
    local nothing = pending.new(transport)
    pending.settle(nothing, nil)
    assert.is_true(nothing.done)
    assert.equal(3, select("#", nothing:result()))
    assert.is_nil((nothing:result()))
  end)

  it("ends once", function()
    local calls = 0
    call:on_done(function() calls = calls + 1 end)
    pending.settle(call, "first")
    pending.settle(call, "second")
    assert.equal("first", (call:result()))
    assert.equal(1, calls)
  end)

  it("calls back all who asked, in their order, with the outcome", function()
    local seen = {}
    for index = 1, 3 do
      assert.equal(call, call:on_done(function(...)
        seen[#seen + 1] = { index, ... }
      end))
    end
    assert.same({}, seen)
    pending.settle(call, nil, "gone", { code = "network" })
    assert.same({ { 1, nil, "gone", { code = "network" } }, { 2, nil, "gone", { code = "network" } },
      { 3, nil, "gone", { code = "network" } } }, seen)
  end)

  it("calls back at once when it is done", function()
    pending.settle(call, 5)
    local seen
    assert.equal(call, call:on_done(function(result) seen = result end))
    assert.equal(5, seen)
  end)

  it("is done when its callbacks run, and takes further ones then", function()
    local order = {}
    call:on_done(function()
      order[#order + 1] = tostring(call.done) .. call:result()
      call:on_done(function() order[#order + 1] = "inner" end)
      order[#order + 1] = "outer"
    end)
    pending.settle(call, "x")
    assert.same({ "truex", "inner", "outer" }, order)
  end)

  it("reports what a callback raises and goes on with the next", function()
    local called = false
    local object = setmetatable({}, { __tostring = function() error("no") end })
    call:on_done(function() error("boom", 0) end):on_done(function() error(object) end)
    call:on_done(function() called = true end)
    pending.settle(call, 1)
    assert.is_true(called)
    call:on_done(function() error("late", 0) end)
    assert.same({ "error: on_done raised: boom", "error: on_done raised: an error that cannot be shown",
      "error: on_done raised: late" }, transport.logged)
  end)

  it("raises at the caller's line when it is given no function", function()
    for _, case in ipairs { { 5, "number" }, { "x", "string" }, { {}, "table" } } do
      local ok, message = pcall(function() call:on_done(case[1]) end)
      assert.is_false(ok)
      assert.matches("pending_spec.lua:%d+: bad argument #1 to 'on_done' %(function expected, got " .. case[2], message)
    end
    assert.error_matches(function() call:on_done() end, "got no value")
  end)

  describe("wait", function()
    it("drives the transport until it is done", function()
      function transport:drive(which, seconds)
        self.seconds = seconds
        pending.settle(which, "there")
      end
      assert.equal("there", (call:wait(2.5)))
      assert.equal(2.5, transport.seconds)
    end)

    it("drives nothing when it is done", function()
      pending.settle(call, "there")
      assert.equal("there", (call:wait()))
      assert.equal("there", (call:wait(0)))
    end)

    it("says so when the time ran out", function()
      function transport.drive() end
      local result, _, details = call:wait(0.5)
      assert.is_nil(result)
      assert.equal("pending", details.code)
      assert.is_false(call.done)
    end)

    it("refuses a time that makes no sense", function()
      for _, seconds in ipairs { -1, -0.001, 0 / 0, -math.huge } do
        local result, message, details = call:wait(seconds)
        assert.is_nil(result)
        assert.is_string(message)
        assert.equal("invalid", details.code)
      end
      local ok, message = pcall(function() call:wait("5") end)
      assert.is_false(ok)
      assert.matches("pending_spec.lua:%d+: bad argument #1 to 'wait' %(number or nil expected, got string%)", message)
    end)
  end)

  describe("cancel", function()
    it("ends it, and the transport and the callbacks learn of it", function()
      local seen
      call:on_done(function(_, message, details) seen = { message, details } end)
      assert.is_true(call:cancel())
      assert.same({ call }, transport.abandoned)
      local result, message, details = call:result()
      assert.is_nil(result)
      assert.same({ code = "closed", retryable = false, cancelled = true }, details)
      assert.same({ message, details }, seen)
    end)

    it("does nothing the second time, or when it is done", function()
      assert.is_true(call:cancel())
      assert.is_false(call:cancel())
      local other = pending.new(transport)
      pending.settle(other, 1)
      assert.is_false(other:cancel())
      assert.equal(1, #transport.abandoned)
      assert.equal(1, (other:result()))
    end)
  end)

  it("forgets its callbacks when it has called them", function()
    local kept = setmetatable({}, { __mode = "k" })
    for index = 1, 3 do
      local function f() return index end
      kept[f] = true
      call:on_done(f)
    end
    collectgarbage()
    assert.is_truthy(next(kept))
    pending.settle(call, {})
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(kept))
  end)

  it("says that the call is in flight, or was cancelled", function()
    fails("the call is still in flight", { code = "pending" }, call:result())
    fails("wait: seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, call:wait(-1))
    assert.is_true(call:cancel())
    fails("the call was cancelled", { code = "closed", cancelled = true }, call:result())
    assert.equal("pusher.pending: done", tostring(call))
  end)
end)
