-- Run with faults.so preloaded: faults_pipe.lua TRANSPORT. A write to a connection that has ended does not
-- end the process, also where the TLS library does not ask for that; and the action of SIGPIPE, which is the host's, is
-- left alone. Prints "good".

local calls = require "spec.helpers.calls"
local faults = require "pusher_test.faults"
local local_server = require "tools.local_server"
local new_request = require "spec.helpers.request"
local process = require "pusher_test.process"

local name = ...
local server = local_server.start()
local transport = assert(require("pusher.transport." .. name).new { tls_verify = false })

local function status_of(status)
  return status
end

local function send(path, body)
  local request = new_request(server, path, { scheme = "https", port = server.tls_port, body = body })
  local result, message, details = transport:send(request, status_of)
  if name == "async" then
    return result:wait()
  end
  return result, message, details
end

faults.signal_pipes()
local before
for _ = 1, 2 do
  for _, path in ipairs { "reset", "cut?reset=1", "drop" } do
    assert(not send(path, ("x"):rep(4000000)))
  end
  assert(send("none", "{}") == 200)
  assert(send("stale", "{}") == 200) -- its connection is closed while the next request is sent
  assert(send("none", "{}") == 200)
  before = before or faults.pipe_actions() -- what the TLS library itself does at its start
end
assert(faults.pipe_actions() == before, "somebody changed the action of SIGPIPE")
assert(send("stale?reset=1", "{}") == 200)
calls.eventually(calls.WAIT, "the server keeps connections", function()
  return (server:inspect().open.tls or 0) == 0
end)
transport:close()
server:stop()
assert(not process.pending("PIPE"))
print("good")
