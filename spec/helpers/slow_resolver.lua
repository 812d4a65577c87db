-- Run with slow_resolver.so preloaded: a name server that does not respond for three seconds must not hold up a step,
-- a timeout, a cancel, a close, or the end of the program. Prints "good".

local async = require "pusher.transport.async"
local core = require "pusher.core"
local time_scale = require "spec.helpers.time_scale"

local SHORT = 0.25 * time_scale -- seconds; far below the three, far above what a busy machine needs

local function timed(f, ...)
  local start = core.now()
  local result, message, details = f(...)
  local seconds = core.now() - start
  assert(seconds < SHORT, ("it took %.3f s"):format(seconds))
  return result, message, details
end

local request = { method = "GET", scheme = "http", host = "name.slow.invalid", port = 80, target = "/", timeout = 0.1 }

local transport = async.new()
local call = assert(timed(transport.send, transport, request, print))
while timed(transport.step, transport, 0.01) > 0 do end
local _, _, details = call:result()
assert(details.code == "timeout" and details.sent == false)

request.timeout = 5
call = assert(transport:send(request, print))
timed(transport.step, transport, 0.01)
assert(timed(call.cancel, call))
assert(transport:send(request, print))
timed(transport.step, transport, 0.01)
timed(transport.close, transport)

request.timeout = 0.1
local easy = require("pusher.transport.curl").new()
_, _, details = timed(easy.send, easy, request, print)
assert(details.code == "timeout" and details.sent == false)
timed(easy.close, easy)

print("good")
os.exit(0, true) -- closes the Lua state where Lua can: a look-up is still going on in its thread
