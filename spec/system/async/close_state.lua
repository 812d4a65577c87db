-- For host.c, which closes the state at the end: calls are in flight then. Nothing of earlier states may be left.
-- Arguments: the thread's number, the number of threads, and those of start_calls.lua.

local calls = require "spec.helpers.calls"
local process = require "pusher_test.process"
local start_calls = require "spec.system.async.start_calls"

calls.await_resources({ threads = 2, descriptors = 12 }, 10) -- the host's two; its files, the script's, and some idle

local transport = start_calls(select(3, ...))
process.poll(transport:pollfd(), math.random(0, 20) / 1000)
if math.random(2) == 1 then
  transport:step()
end
