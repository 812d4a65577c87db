--- A WebSocket subscriber for specs on any Lua: a process of its own on lua-http.
--
--     local subscriber = require("tools.local_server.subscriber").start { port = server.port }
--     local auth = cjson.decode(client:authorize_channel { socket_id = subscriber.socket_id, channel_name = "private-a" })
--     subscriber:subscribe { channel = "private-a", auth = auth.auth }
--     client:trigger("private-a", "hello", "you")
--     subscriber:next_event { event = "hello" }.data   --> "you"
--     subscriber:stop()
--
-- Commands: `subscribe { channel =, auth =, channel_data =, shared_secret = }`, `unsubscribe { channel = }`,
-- `sign_in { auth =, user_data = }`, `send { event =, channel =, data = }`, `send_text { text = }`,
-- `next_event { event =, channel =, timeout = 5 }` (false when none came; decrypted `data` when the channel has a
-- shared secret, the sealed form in `sealed`), `ended()`, `close()`.

local server = require "tools.local_server"

local subscriber = {}

local folder = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") or "tools/local_server/subscriber"

--- Connects a subscriber.
-- @tparam table options `port`; `key` ("app-key"), `host`, `protocol` (7), and `ca_file` for wss
-- @treturn table `socket_id`, `activity_timeout`, or `refused` = `{ code =, message = }`, with the commands as methods
function subscriber.start(options)
  local settings = { program = folder .. "/main.lua" }
  for name, value in pairs(options) do
    settings[name] = value
  end
  return server.start(settings)
end

return subscriber
