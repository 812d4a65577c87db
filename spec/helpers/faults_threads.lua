-- Run with faults.so preloaded: faults_threads.lua HOST PORT. Threads cannot be started: neither the network's nor the
-- one in which libcurl looks a name up. Prints "good".

local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local faults = require "pusher_test.faults"

local host, port = ...
local server = { host = host, port = tonumber(port) }

local function send(transport, name)
  return calls.send(transport, server, "none", { host = name or host })
end

local transport = assert(async.new())
faults.refuse_threads(0)
for _ = 1, 2 do
  local call = send(transport)
  local _, message, details = call:result()
  assert(call.done and details.code == "network" and details.sent == false and details.retryable)
  assert(message == "the network's thread cannot be started", message)
  assert(transport:step() == 0)
end

faults.refuse_threads(1)
assert(send(transport):wait(calls.WAIT) == 200)
local _, _, details = send(transport, "a-name.invalid"):wait(2 * calls.WAIT)
-- libcurl 8.21 waits for a thread until the call expires.
assert((details.code == "network" or details.code == "timeout") and details.sent == false)

faults.refuse_threads()
assert(send(transport):wait(calls.WAIT) == 200)
print("good")
os.exit(0, true)
