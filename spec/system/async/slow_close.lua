-- Run with slow_resolver.so preloaded: transports are closed, and forgotten, while a look-up of theirs hangs for three
-- seconds. Neither waits, the network's threads end at once, and those of the look-ups when these end. Prints "good".

local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local process = require "pusher_test.process"
local time_scale = require "spec.helpers.time_scale"

local request = { method = "GET", scheme = "http", host = "name.slow.invalid", port = 80, target = "/", timeout = 10,
  headers = {} }
local TRANSPORTS = 10
local before, longest = calls.resources(), 0

for index = 1, TRANSPORTS do
  local transport = assert(async.new())
  transport:send(request, print)
  calls.eventually(5, "no look-up begins", function()
    return process.threads() == before.threads + (index - 1) + 2
  end)
  local start = core.now()
  if index % 2 == 0 then
    transport:close()
  else
    transport = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
  end
  longest = math.max(longest, core.now() - start)
  calls.eventually(1, "the network's thread waits for the look-up", function()
    return process.threads() == before.threads + index
  end)
end
assert(longest < 0.25 * time_scale, longest)
calls.await_resources(before, 10)
print("good")
