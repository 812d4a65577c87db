--- The cases of the async transport.

local async = require "pusher.transport.async"
local probe = require "bench.probe"

local IDLE = 1000

local function own_descriptors()
  local pipe = assert(io.popen("ls /proc/$PPID/fd | wc -l"))
  local count = tonumber(pipe:read("*a"))
  pipe:close()
  return count
end

-- Starts `n` triggers, at most `width` at a time, and steps until all are done.
local function trigger_many(bench, client, transport, n, width)
  local inputs, left, running, failure = bench.inputs, n, 0, nil
  local function done(result, message)
    running = running - 1
    failure = failure or (not result and message)
  end
  while left > 0 or running > 0 do
    while left > 0 and running < width do
      left, running = left - 1, running + 1
      assert(client:trigger(inputs.channel, inputs.event, inputs.data)):on_done(done)
    end
    assert(transport:step(1))
  end
  if failure then
    error(failure, 0)
  end
end

local function steps(transport)
  return function(n)
    for _ = 1, n do
      transport:step()
    end
  end
end

return function(bench, loops)
  local in_flight = bench.inputs.in_flight
  local transport = assert(async.new { keepalive = { idle = 3600, pool_size = 2 * in_flight } })
  local client = bench.client { transport = transport }

  function loops.in_flight(n)
    trigger_many(bench, client, transport, n, in_flight)
  end

  for _, width in ipairs(bench.growth.flight.points) do
    loops["flight_" .. width] = function(n)
      trigger_many(bench, client, transport, n, width)
    end
  end

  loops.idle_step_0 = steps(assert(async.new {}))

  -- One call hangs, so that the step has to ask whether there is something to do.
  local waiting
  function loops.waiting_step(n)
    if not waiting then
      waiting = assert(async.new { timeout = 3600 })
      local hung = bench.client { transport = waiting, port = probe.hung_port(), timeout = 3600 }
      assert(hung:trigger("channel", "event", "data"))
      for _ = 1, 100 do
        waiting:step(0.001)
      end
    end
    steps(waiting)(n)
  end

  local crowded
  function loops.idle_step_1000(n)
    if not crowded then
      crowded = assert(async.new { keepalive = { idle = 3600, pool_size = IDLE } })
      trigger_many(bench, bench.client { transport = crowded, app_id = "slow" }, crowded, IDLE, IDLE)
      assert(own_descriptors() > IDLE, "fewer connections than expected")
    end
    steps(crowded)(n)
  end
end
