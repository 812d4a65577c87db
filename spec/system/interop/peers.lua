--- Server libraries of other languages, each a program that carries out a list of calls: see peers/node.js.

local cjson = require "cjson"
local calls = require "spec.system.interop.calls"

local peers = {}

local BUILT = "build/interop/"

local PYTHON = BUILT .. "python/bin/python -W ignore::DeprecationWarning spec/system/interop/peers/python/"

local COMMANDS = {
  ["pusher (npm)"] = "node spec/system/interop/peers/node.js",
  ["pusher (PyPI)"] = PYTHON .. "channels.py",
  ["pusher-http-go"] = BUILT .. "go-peer",
  ["pusher-http-java"] = "LC_ALL=C.UTF-8 java -XX:TieredStopAtLevel=1 -cp '" .. BUILT .. "java:" .. BUILT .. "java/lib/*' Peer",
}

--- The peers' names, sorted.
peers.NAMES = {}
for name in pairs(COMMANDS) do
  peers.NAMES[#peers.NAMES + 1] = name
end
table.sort(peers.NAMES)

local function run(command, argument)
  local pipe = assert(io.popen(command .. " '" .. cjson.encode(argument):gsub("'", "'\\''") .. "'"))
  local text = pipe:read("*a")
  assert(pipe:close(), command .. " failed")
  return cjson.decode(text)
end

--- Lets a peer carry out calls.
-- @tparam string name one of `peers.NAMES`
-- @tparam table recorder the server that the calls are sent to
-- @tparam table list calls: `op` and its arguments
-- @treturn table a result for each: `text`, or `skipped`, or neither
function peers.run(name, recorder, list)
  local app = { app_id = recorder.app_id, key = recorder.key, secret = recorder.secret, host = recorder.host,
    port = recorder.port, master_key = calls.MASTER_KEY }
  return run(COMMANDS[name], { app = app, calls = list })
end

--- Lets Google's libraries and PyJWT read what this library made.
-- @tparam table given see peers/python/tokens.py
-- @treturn table
function peers.read_tokens(given)
  return run(PYTHON .. "tokens.py", given)
end

--- Lets this library carry out one call.
-- @treturn table|string its result
function peers.call(client, call)
  local op = call.op
  if op == "trigger" then
    return assert(client:trigger(call.channels, call.event, call.data, { socket_id = call.socket_id, info = call.info }))
  elseif op == "batch" then
    return assert(client:trigger_batch(call.events))
  elseif op == "send_to_user" then
    return assert(client:send_to_user(call.user, call.event, call.data))
  elseif op == "terminate" then
    return assert(client:terminate_user_connections(call.user))
  elseif op == "channels" then
    return assert(client:channels(call.params))
  elseif op == "channel" then
    return assert(client:channel(call.channel, call.params))
  elseif op == "users" then
    return assert(client:channel_users(call.channel))
  elseif op == "authorize" then
    return assert(client:authorize_channel({ socket_id = call.socket_id, channel_name = call.channel }, call.member))
  end
  return assert(client:authenticate_user({ socket_id = call.socket_id }, call.user))
end

return peers
