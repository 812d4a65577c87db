--- `make server PORT=6001`: the local Channels server for a program, a page or a test of your own, until Ctrl-C.
--
-- luajit tools/server.lua PORT [WEBHOOK_URL], from the root of the checkout. PORT 0 lets the system choose. Prints how to
-- reach the server, and then each event that is published there.

local local_server = require "tools.local_server"
local signals = require "tools.signals"

-- How often it looks for events, in seconds.
local POLL = 0.2

local TEXT = [[
Channels server on this machine only, until Ctrl-C.

  PUSHER_URL    http://$key:$secret@$host:$port/apps/$app_id
  an example    PUSHER_URL=http://$key:$secret@$host:$port/apps/$app_id lua5.4 examples/quickstart.lua
  pusher-js     new Pusher("$key", { wsHost: "$host", wsPort: $port, forceTLS: false, enabledTransports: ["ws"], cluster: "local" })
  master key    $master_key_base64 (encryption_master_key_base64, for encrypted channels)
  webhooks      $webhook

Where pusher is not installed, an example needs `make build` and
  export LUA_PATH="$$PWD/lua/?.lua;;" LUA_CPATH="$$PWD/build/5.4/?.so;;"

]]

local function fail(message)
  io.stderr:write("server: ", message, "\n")
  os.exit(1)
end

local function read_port(text)
  local port = tonumber(text)
  if not port or port ~= math.floor(port) or port < 0 or port > 65535 then
    fail("PORT must be a whole number from 0 to 65535, got " .. (text == "" and "none" or text))
  end
  return port
end

local function read_webhook(text)
  if text and not text:find("^https?://[^%s%c/?#]+[^%s%c]*$") then
    fail("WEBHOOK must be a URL such as http://127.0.0.1:8080/pusher/webhook, got " .. text)
  end
  return text
end

local function introduce(server, webhook)
  local values = setmetatable({ webhook = webhook or "none; make server WEBHOOK=http://127.0.0.1:8080/pusher/webhook" },
    { __index = server })
  io.write((TEXT:gsub("%$([%$%l][%l%d_]*)", function(name)
    return name == "$" and "$" or tostring(values[name])
  end)))
end

-- Prints the events after the first `seen` ones; returns how many there are.
local function show(server, seen)
  for _, event in ipairs(server:events { from = seen + 1 }) do
    io.write((("%s  %s  %s"):format(event.channel, event.name, event.data):gsub("%c", "?")), "\n")
    seen = seen + 1
  end
  return seen
end

io.stdout:setvbuf("line")
local port, webhook = read_port(arg[1] or "6001"), read_webhook(arg[2] ~= "" and arg[2] or nil)
local started, server = pcall(local_server.start, { port = port, webhook_url = webhook })
if not started then
  local message = tostring(server)
  local of_port = message:match("Address already in use$") or message:match("Permission denied$")
  fail(of_port and ("port %d: %s"):format(port, of_port) or message)
end
local caught = signals.catch()
introduce(server, webhook)
local seen = 0
while not caught(POLL) do
  local shown, count = pcall(show, server, seen)
  if not shown then
    break -- Ctrl-C ends all processes of the terminal
  end
  seen = count
end
server:stop()
