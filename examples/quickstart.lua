--- The shortest program: publishes one event and prints the outcome. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.4 examples/quickstart.lua

local pusher = require "pusher"

local client = assert(pusher.from_env())
local result, message, details = client:trigger("my-channel", "my-event", { message = "hello from " .. _VERSION })
client:close()
if not result then
  io.stderr:write("not sent: ", message, details.hint and " (" .. details.hint .. ")" or "", "\n")
  os.exit(1)
end
print('sent "my-event" to "my-channel"')
