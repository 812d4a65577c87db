--- `make demo`: from nothing to an event received, on this machine alone.
--
-- Starts the local Channels server and a subscriber that is connected to it by WebSocket, publishes with the library,
-- and succeeds only when the subscriber has received what was sent.

local json = require "cjson"
local pusher = require "pusher"
local local_server = require "tools.local_server"
local websocket_subscriber = require "tools.local_server.subscriber"

local PUBLIC, SECRET = "my-channel", "private-encrypted-diary"

io.stdout:setvbuf("line") -- so that the lines of other programs come in between

local function check(ok, what, ...)
  if not ok then
    io.stderr:write("demo: ", what, "\n")
    os.exit(1)
  end
  return ok, what, ...
end

local function step(text, ...)
  print(("%-12s %s"):format(text, (table.concat({ ... }, " "))))
end

-- With the same interpreter, as a user would start the program.
local function run_quickstart(url)
  local status = os.execute(("PUSHER_URL='%s' %s examples/quickstart.lua"):format(url, arg[-1]))
  return status == true or status == 0
end

local function subscribe(subscriber, channel, authorization)
  local request = authorization or {}
  request.channel = channel
  local reply = subscriber:subscribe(request)
  check(reply.event == "pusher_internal:subscription_succeeded", "the subscription was refused")
  step("subscribed", channel)
end

local server = local_server.start()
step("server", ("http://%s:%d, app %s"):format(server.host, server.port, server.app_id))
local subscriber = websocket_subscriber.start { port = server.port, key = server.key }
step("subscriber", "connected by WebSocket, socket id", subscriber.socket_id)

-- A public channel, published to by the fifteen lines of examples/quickstart.lua.
subscribe(subscriber, PUBLIC)
check(run_quickstart(server:url()), "examples/quickstart.lua failed")
local event = check(subscriber:next_event { channel = PUBLIC, event = "my-event" }, "the event did not arrive")
step("received", event.event, event.data)

-- An end-to-end encrypted channel: the server forwards what it cannot read.
local client = check(pusher.from_url(server:url(), { encryption_master_key_base64 = server.master_key_base64 }))
local params = { socket_id = subscriber.socket_id, channel_name = SECRET }
subscribe(subscriber, SECRET, json.decode((check(client:authorize_channel(params)))))
check(client:trigger(SECRET, "entry", { text = "nobody else reads this" }))
step("sent", '"entry" to "' .. SECRET .. '"')
local sealed = check(subscriber:next_event { channel = SECRET, event = "entry" }, "the encrypted event did not arrive")
step("on the wire", sealed.sealed)
check(sealed.data, "the encrypted event could not be opened")
step("decrypted", sealed.data)
check(json.decode(sealed.data).text == "nobody else reads this", "the event was changed on the way")

client:close()
subscriber:stop()
server:stop()
print "\nIt works. Next: README.md, examples/."
