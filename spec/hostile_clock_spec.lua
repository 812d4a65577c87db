-- A clock of the caller's may raise, at any of its calls: what was accepted ends in exactly one outcome all the same.

local errors = require "pusher.base.errors"
local fcm_world = require "spec.helpers.fcm_world"
local push = require "pusher.push"
local scripted = require "spec.helpers.scripted"

local RAISED = "the clock raised"
local MAX_CALLS = 300 -- of a clock; more than any run here makes
local DEVICES = 3

-- A clock that raises at its n-th call, and whether it did.
local function failing(clock, n)
  local calls = 0
  return function()
    calls = calls + 1
    if calls == n then
      error(RAISED, 0)
    end
    return clock()
  end, function()
    return calls >= n
  end
end

-- Calls a method until it returns; nothing but the clock may raise.
local function insist(object, name, ...)
  for _ = 1, 3 do
    local ok, result, message, details = pcall(object[name], object, ...)
    if ok then
      return result, message, details
    end
    assert.truthy(result:find(RAISED, 1, true), result)
  end
  error(name .. " raises again and again")
end

-- The first response is a failure that is sent again.
local function fail_first(failure)
  return function(call)
    if call.number == 1 then
      return failure()
    end
    return 200, call.message and { name = "n" } or "{}"
  end
end

local function unavailable()
  return errors.fail("server", "unavailable")
end

for _, deferred in ipairs { false, true } do
  local over = deferred and " over a transport with a step" or " over a blocking transport"

  describe("a clock that raises" .. over, function()
    -- Runs with the n-th call failing, for every n that is reached.
    local function each_call(run)
      for n = 1, MAX_CALLS do
        if not run(n) then
          assert.is_true(n > 5)
          return
        end
      end
      error("the clock is read without an end")
    end

    it("loses no event of a publisher", function()
      each_call(function(n)
        local world = scripted.new { deferred = deferred, latency = 0.05, respond = fail_first(unavailable) }
        local now, raised = failing(function() return world.time end, n)
        local publisher = world:publisher { now = now }
        local accepted = 0
        for number = 1, 5 do
          accepted = accepted + (insist(publisher, "trigger", "c" .. number % 2, "e", "d") and 1 or 0)
        end
        insist(publisher, "step", 0.02)
        insist(publisher, "close", 5)
        assert.equal(accepted, #world.results)
        local stats = publisher:stats()
        assert.equal(stats.accepted, stats.sent + stats.failed)
        assert.equal(accepted, stats.accepted)
        return raised()
      end)
    end)

    it("does not end a publisher that is being closed", function()
      local world = scripted.new { deferred = deferred, latency = 0.05 }
      local at = 1 / 0
      local publisher = world:publisher { now = function()
        return world.time < at and world.time or error(RAISED, 0)
      end }
      assert(publisher:trigger("a", "e", "d"))
      at = 0
      assert.has_error(function() publisher:close(5) end, RAISED)
      at = 1 / 0
      assert.is_true(publisher:trigger("a", "e", "d"))
      assert.is_true(publisher:close(5))
      assert.equal(2, #world.results)
    end)

    for _, clock in ipairs { "now", "clock" } do
      it(("loses no device of FCM: %s"):format(clock), function()
        each_call(function(n)
          local world = fcm_world.new { deferred = deferred, latency = 0.05, respond = fail_first(unavailable) }
          local f, raised = failing(world:options({})[clock], n)
          local devices = {}
          for index = 1, DEVICES do
            devices[index] = { device_id = "d" .. index }
          end
          local handler = world:handler({ CAcGBQQDAgE = devices }, nil, { [clock] = f })
          assert(insist(handler, "push", fcm_world.receipt { CAcGBQQDAgE = {} }))
          pcall(handler.step, handler, 0.1)
          pcall(handler.flush, handler, 30)
          pcall(handler.stop, handler, 0)
          handler:stop(0)
          -- One for each device, or one for the receipt when they were not looked up.
          local outcomes = world.results[1].device and DEVICES or 1
          assert.equal(outcomes, #world.results, "call " .. n)
          assert.is_true(handler:init { enabled = false })
          return raised()
        end)
      end)
    end

    it("stops a registry's handlers all the same", function()
      each_call(function(n)
        local world = fcm_world.new { deferred = deferred, latency = 0.05 }
        local now, raised = failing(function() return world.time end, n)
        local handler = world:handler { CAcGBQQDAgE = { { device_id = "d" } } }
        local registry = assert(push.new { now = now })
        registry:register("other", { push = function() end, is_ready = function() return true end,
          step = function() world.time = world.time + 0.01 return world.time < 1000.1 and 1 or 0 end })
        registry:register("fcm", handler)
        assert(registry:push(fcm_world.receipt { CAcGBQQDAgE = {} }))
        pcall(registry.stop, registry, 5)
        insist(registry, "stop", 5)
        assert.equal(1, #world.results)
        assert.is_false(handler:is_ready())
        assert.is_true(registry:init {})
        return raised()
      end)
    end)
  end)
end
