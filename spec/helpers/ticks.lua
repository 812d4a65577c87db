-- Plays one situation of tools/ticks.lua, for SECONDS: prints the longest trigger, the longest step and the
-- machine's noise in microseconds.

local process = require "pusher_test.process"
local ticks = require "tools.ticks"

local jit = rawget(_G, "jit")
if jit then
  jit.off() -- its compiler takes about 0.1 ms for a trace, whatever the network does
end
local longest = ticks.measure(arg[1], tonumber(arg[2]), process.thread_cpu)
print(("trigger %.0f step %.0f noise %.0f"):format(longest.trigger * 1e6, longest.step * 1e6, longest.noise * 1e6))
os.exit(0, true) -- look-ups may still be going on in their threads
