-- 100,000 calls, of which many are cancelled at random moments: each pending ends once, and nothing is left.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local memory = require "tools.memory"
local time_scale = require "spec.helpers.time_scale"

local CALLS = 100000
local IN_FLIGHT = 200
local STALLED = 30 * time_scale -- seconds after which a call should have ended

local function lua_kb()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count")
end

describe("cancels of calls over the async transport", function()
  local server, transport

  setup(function()
    server = local_server.start()
    transport = calls.transport(server)
  end)

  teardown(function()
    transport:close()
    server:stop()
  end)

  local function check_end(call, seen)
    local status, message, details = call:result()
    assert(call.done and seen.ends == 1, seen.ends)
    if seen.cancelled then
      assert(not status and details.code == "closed" and details.cancelled)
    else
      assert(status == 200, message)
    end
    return seen.cancelled and 1 or 0
  end

  -- Calls come in at the end of a window; its first is checked, or cancelled if it has not ended.
  local function run(count)
    local window, cancels, checked = {}, 0, 0
    local deadline = core.now() + STALLED
    for number = 1, count do
      local seen = { ends = 0 }
      local over = calls.over(server, number % 20 == 0 and "https" or "http")
      local call = calls.send(transport, server, "none", over)
      call:on_done(function() seen.ends = seen.ends + 1 end)
      window[#window + 1] = { call, seen }
      local other = window[math.random(#window)]
      if math.random(3) == 1 and other[1]:cancel() then
        assert(not other[2].cancelled)
        other[2].cancelled = true
      end
      if math.random(4) == 1 then
        transport:step(math.random(3) == 1 and 0.001 or 0)
      end
      while #window >= IN_FLIGHT do
        assert(core.now() < deadline, "no call ends")
        transport:step(0.01)
        local left = {}
        for _, entry in ipairs(window) do
          if entry[1].done then
            cancels, checked = cancels + check_end(entry[1], entry[2]), checked + 1
          else
            left[#left + 1] = entry
          end
        end
        deadline = #left < #window and core.now() + STALLED or deadline
        window = left
      end
    end
    calls.drain(transport, 30)
    for _, entry in ipairs(window) do
      cancels, checked = cancels + check_end(entry[1], entry[2]), checked + 1
    end
    assert(checked == count)
    return cancels
  end

  it("end each call once, and leave nothing", function()
    math.randomseed(1)
    run(CALLS / 10)
    local lua, resident, resources = lua_kb(), memory.resident_kb(), calls.resources()
    local cancels = run(CALLS)
    local more = memory.resident_kb() - resident
    print(("%d calls, %d cancelled; %.0f KB of Lua, %d KB resident more than after %d calls"):format(
      CALLS, cancels, lua_kb() - lua, more, CALLS / 10))
    assert.is_true(cancels > CALLS / 10 and cancels < CALLS * 9 / 10)
    assert.is_true(lua_kb() - lua < 100)
    assert.is_true(more < 4000)
    assert.same(resources.threads, calls.resources().threads)
    assert.equal(200, calls.send(transport, server):wait(calls.WAIT))
  end)
end)
