--- Transports of a world that exists in a table only: `{ time =, waiting = {}, cancelled = 0 }`, where time passes
-- when somebody waits. `outcome(request, parse)` returns how long a call takes, in seconds, and a function that passes
-- the response to `parse`.

local errors = require "pusher.base.errors"
local pending = require "pusher.pending"

local scripted_transport = {}

--- One whose `send` returns with the response.
-- @tparam table world
-- @tparam function outcome
-- @treturn table
function scripted_transport.blocking(world, outcome)
  return {
    send = function(transport, request, parse)
      assert(not transport.closed, "sent over a closed transport")
      local latency, finish = outcome(request, parse)
      world.time = world.time + math.min(latency, request.timeout)
      return finish()
    end,
    close = function(transport)
      transport.closed = true
    end,
  }
end

local function step(world, seconds)
  local first
  for _, call in ipairs(world.waiting) do
    first = math.min(first or math.huge, call.ends)
  end
  if first and first > world.time then
    world.time = math.min(first, world.time + seconds)
  end
  local still, ended = {}, {}
  for _, call in ipairs(world.waiting) do
    local list = call.ends <= world.time and ended or still
    list[#list + 1] = call
  end
  world.waiting = still
  for _, call in ipairs(ended) do
    pending.settle(call.pending, call.finish())
  end
  local raised = world.raised
  world.raised = nil
  assert(not raised, raised)
  return #world.waiting
end

local function driver_of(world)
  return {
    abandon = function(_, given_up)
      world.cancelled = world.cancelled + 1
      for index, call in ipairs(world.waiting) do
        if call.pending == given_up then
          table.remove(world.waiting, index)
          break
        end
      end
    end,
    log = function(_, message)
      world.raised = message
    end,
  }
end

--- One that has a `step`, and whose `send` returns a pending.
-- @tparam table world `most_in_flight` is kept in it
-- @tparam function outcome
-- @treturn table
function scripted_transport.deferred(world, outcome)
  local transport, driver = {}, driver_of(world)
  world.most_in_flight = 0
  function transport.send(_, request, parse)
    assert(not transport.closed, "sent over a closed transport")
    local latency, finish = outcome(request, parse)
    local call = { pending = pending.new(driver), finish = finish, ends = world.time + latency }
    table.insert(world.waiting, call)
    world.most_in_flight = math.max(world.most_in_flight, #world.waiting)
    return call.pending
  end
  function transport.step(_, seconds)
    if transport.closed then
      return errors.fail("closed", "the transport is closed")
    end
    return step(world, seconds or 0)
  end
  function transport.timeout()
    return world.waiting[1] and 0.25 or nil
  end
  function transport.pollfd()
    return 7
  end
  function transport.events()
    return "r"
  end
  function transport.close()
    transport.closed = true
  end
  return transport
end

return scripted_transport
