--- The cases of the publisher.

local async = require "pusher.transport.async"
local probe = require "bench.probe"

local CHANNELS = 50
local QUEUE = 10000

return function(bench, loops)
  local inputs = bench.inputs
  local transport = assert(async.new { keepalive = { idle = 3600, pool_size = 8 } })
  -- Publishers are collected with events in them; their reports are not wanted here.
  local client = bench.client { transport = transport, log = function() end }
  local publisher = assert(client:publisher { max_queue = QUEUE })
  local channels = {}
  for i = 1, CHANNELS do
    channels[i] = inputs.channel .. "-" .. i
  end

  -- Events are accepted as fast as they go out, as from a busy game loop.
  function loops.publisher(n)
    local sent = publisher:stats().sent
    for i = 1, n do
      local channel = channels[i % CHANNELS + 1]
      while not publisher:trigger(channel, inputs.event, inputs.event_data) do
        publisher:step(1)
      end
      if i % 16 == 0 then
        publisher:step()
      end
    end
    assert(publisher:flush(60))
    assert(publisher:stats().sent - sent == n, "events were lost")
  end

  function loops.publisher_idle_step(n)
    for _ = 1, n do
      publisher:step()
    end
  end

  -- The call alone; the accepted events are given up afterwards, untimed.
  function loops.publisher_trigger(n)
    local own = assert(client:publisher { max_queue = n })
    local wall, cpu = probe.wall_ns(), probe.cpu_ns()
    for i = 1, n do
      assert(own:trigger(channels[i % CHANNELS + 1], inputs.event, inputs.event_data))
    end
    wall, cpu = probe.wall_ns() - wall, probe.cpu_ns() - cpu
    own:close(0)
    return wall, cpu, cpu
  end
end
