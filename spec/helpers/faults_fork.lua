-- Run with faults.so preloaded: faults_fork.lua HOST PORT (short | long). The thread is inside libcurl, holding a
-- lock, when the process forks. Short: the fork waits, so that the child can take that lock. Long: the fork waits
-- no longer than it must, nor does the end of the program. Prints "good".

local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local faults = require "pusher_test.faults"
local process = require "pusher_test.process"
local time_scale = require "spec.helpers.time_scale"

local host, port, kind = ...
local HOLD = 0.1 -- seconds
local server = { host = host, port = tonumber(port) }

local function send(transport)
  return calls.send(transport, server)
end

local transport = assert(async.new())

if kind == "short" then
  faults.hold(HOLD, "fork")
  local call = send(transport)
  faults.await()
  local status, seconds = process.run(function()
    faults.hold(0)
    assert(send(assert(async.new())):wait(calls.WAIT) == 200)
  end, calls.CHILD)
  assert(status == 0, "the child ended with " .. status)
  assert(seconds >= HOLD, "the fork did not wait")
  assert(call:wait(calls.WAIT) == 200)
  transport:close()
else
  faults.hold(4 * time_scale)
  send(transport)
  faults.await()
  local status, seconds = process.run(function() transport:close() end, calls.CHILD)
  assert(status == 0, "the child ended with " .. status)
  assert(seconds > 0.4 and seconds < 1.5 * time_scale, ("the fork took %.3f s"):format(seconds))
end
print("good")
os.exit(0, true)
