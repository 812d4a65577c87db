-- exit_handler.lua HOST PORT: waits for calls in an exit handler that was installed before the library was loaded, so it
-- runs after the library's own. Prints how they end.

local process = require "pusher_test.process"

local host, port = ...
local call, send

process.at_exit(function()
  for _, pending in ipairs { call, send "none" } do
    local result, _, details = pending:wait()
    print(result or details.code)
  end
  io.stdout:flush()
end)

local calls = require "spec.helpers.calls"
local transport = assert(require("pusher.transport.async").new())

function send(path)
  return calls.send(transport, { host = host, port = tonumber(port) }, path)
end

assert(send("none"):wait(calls.WAIT) == 200)
call = send "hang"
os.exit(0)
