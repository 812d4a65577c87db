--- Plays one situation of tools/ticks.lua: the longest trigger and the longest step, in nanoseconds of CPU time.
-- arg: name of the situation, seconds.

local probe = require "bench.probe"
local ticks = require "tools.ticks"

local longest = ticks.measure(arg[1], tonumber(arg[2]), function()
  return probe.thread_cpu_ns() / 1e9
end)
print(("%.0f %.0f"):format(longest.trigger * 1e9, longest.step * 1e9))
os.exit(0, true) -- look-ups may still be going on in their threads
