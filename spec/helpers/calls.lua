--- Calls of the async transport to the local server, for the specs of its thread.

local async = require "pusher.transport.async"
local core = require "pusher.core"
local process = require "pusher_test.process"
local time_scale = require "spec.helpers.time_scale"

local calls = {}

local POLL_INTERVAL = 0.001 -- seconds

--- Seconds after which a call that should have ended has not.
calls.WAIT = 5 * time_scale
--- Seconds after which a child hangs, whole.
calls.CHILD = math.ceil(20 * time_scale)

--- spec/helpers/request.lua
calls.request = require "spec.helpers.request"

--- What to give `request` for a listener of the server: "http", "https" or "h2".
function calls.over(server, listener)
  local ports = { http = server.port, https = server.tls_port, h2 = server.h2_port }
  return { scheme = listener == "http" and "http" or "https", port = ports[listener] }
end

local function status_of(status)
  return status
end

--- Sends one; its result is the status, unless `parse` makes another.
function calls.send(transport, server, path, over, parse)
  return assert(transport:send(calls.request(server, path, over), parse or status_of))
end

--- A fresh transport that trusts the server.
function calls.transport(server, options)
  options = options or {}
  options.ca_file = server.ca_file
  return assert(async.new(options))
end

--- The code that a pending ended with, nil for a result.
function calls.code(call)
  local _, _, details = call:result()
  return details and details.code
end

--- Steps until nothing is in flight; raises after `seconds`, times the time scale.
-- @tparam[opt=0.1] number wait how long a step may wait, in seconds
function calls.drain(transport, seconds, wait)
  local deadline = core.now() + seconds * time_scale
  while assert(transport:step(wait or 0.1)) > 0 do
    assert(core.now() < deadline, "calls are still in flight")
  end
end

--- Polls until condition() holds; raises after `seconds`, times the time scale.
-- @treturn number how long it took
function calls.eventually(seconds, text, condition)
  local start = core.now()
  while not condition() do
    assert(core.now() - start < seconds * time_scale, text)
    process.poll(-1, POLL_INTERVAL)
  end
  return core.now() - start
end

--- Waits for the end of the threads of closed transports: AddressSanitizer does not survive a fork while a thread
-- starts or ends.
function calls.await_threads()
  collectgarbage()
  calls.eventually(calls.WAIT, "threads stay", function() return process.threads() == 1 end)
end

--- Polls until the process has the threads and descriptors that it had before.
-- @tparam table before what calls.resources() returned
function calls.await_resources(before, seconds)
  local now
  local ok, message = pcall(calls.eventually, seconds, "they stay", function()
    now = calls.resources()
    return now.threads <= before.threads and now.descriptors <= before.descriptors
  end)
  if not ok then
    error(("%s: %d threads, %d before; %d descriptors, %d before"):format(
      message, now.threads, before.threads, now.descriptors, before.descriptors), 2)
  end
end

function calls.resources()
  return { threads = process.threads(), descriptors = process.descriptors() }
end

local function run(variables, ...)
  local program = assert(io.popen(("%s timeout -s KILL %g %s %s 2>&1"):format(
    variables, 60 * time_scale, os.getenv("PUSHER_LUA"), table.concat({ ... }, " "))))
  local text = program:read("*a")
  program:close()
  return text
end

--- Runs a program in another interpreter of the same kind; it is killed when it hangs.
-- @treturn string what it printed
function calls.run(...)
  return run("", ...)
end

local function preloading(preload)
  return ("LD_PRELOAD=%s/pusher_test/%s.so ASAN_OPTIONS=verify_asan_link_order=0"):format(
    os.getenv("PUSHER_BUILD"), preload)
end

--- The same.
-- @tparam string preload the C helper to preload
function calls.run_preloaded(preload, ...)
  return run(preloading(preload), ...)
end

--- The same with an empty file whose path is the value of an environment variable.
function calls.run_preloaded_with_file(preload, variable, ...)
  local path = os.tmpname()
  local text = run(("%s=%s %s"):format(variable, path, preloading(preload)), ...)
  os.remove(path)
  return text
end

return calls
