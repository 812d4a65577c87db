-- Runs an example with its arguments and prints the longest of its ticks. The first begins when the example asks
-- LuaSocket for the time, the others when LuaSocket's sleep returns; each ends when it sleeps.

local monotime = require("system").monotime
local new_meter = require "spec.system.game.step_timing.meter"
local socket = require "socket"

local gettime, sleep = socket.gettime, socket.sleep
local count, longest = 0, 0
local meter = new_meter(io.open, function() return monotime() * 1e6 end)

function socket.gettime()
  socket.gettime = gettime
  meter.start()
  return gettime()
end

function socket.sleep(seconds)
  count, longest = count + 1, math.max(longest, meter.stop())
  sleep(seconds)
  meter.start()
end

local example = table.remove(arg, 1)
dofile(example)
print(("%d ticks, the longest %.2f ms"):format(count, longest / 1000))
