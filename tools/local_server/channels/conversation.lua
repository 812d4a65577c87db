--- What a subscriber sends and what the server replies: protocol 7.

local cqueues = require "cqueues"
local channels = require "tools.local_server.channels.channels"
local json = require "tools.local_server.channels.json"
local rules = require "tools.local_server.channels.app"
local signature = require "tools.local_server.channels.signature"

local conversation = {}

local PROTOCOL = 7
local MAX_EVENT_NAME = 200

local function refusal(code, message, ...)
  return { code = code, message = message:format(...) }
end

--- Greets a new connection.
-- @return nil, or `{ code =, message = }` when the connection is refused
function conversation.open(session)
  local app = session.state.app
  local key = session.path:match("^/app/([^/]+)$")
  local version = signature.parse_query(session.query).protocol
  if not key then
    return refusal(4005, "Path not found")
  elseif key ~= app.key then
    return refusal(4001, "App key %s not in this cluster. Did you forget to specify the cluster?", key)
  elseif not version or version == "" then
    return refusal(4008, "No protocol version supplied")
  elseif not version:find("^%d+$") then
    return refusal(4006, "Invalid version string format")
  elseif tonumber(version) ~= PROTOCOL then
    return refusal(4007, "Unsupported protocol version: %s", version)
  elseif not app.enabled then
    return refusal(4003, "Application disabled")
  elseif app.max_connections > 0 and session.state.session_count > app.max_connections then
    return refusal(4004, "Application is over connection quota")
  end
  local data = ('{"socket_id":"%s","activity_timeout":%d}'):format(session.socket_id, app.activity_timeout)
  session:send(channels.message("pusher:connection_established", nil, json.encode(data)))
end

-- The member that presence channel_data describes; user ids may be numbers.
local function read_member(channel_data)
  local data = type(channel_data) == "string" and json.decode_object(channel_data)
  local id = data and data.user_id
  if type(id) == "number" then
    id = json.member(channel_data, "user_id")
  end
  if type(id) ~= "string" or id == "" then
    return nil
  end
  return { id = id, info = json.member(channel_data, "user_info") }
end

-- Checks what a subscription presents.
-- @return a member on presence channels
-- @return a message when it is refused
local function authorize(session, name, kind, data)
  if kind.user then
    local own = session.user and session.user.id == kind.user
    return nil, not own and "only the user may subscribe to " .. name or nil
  elseif not kind.private then
    return nil
  end
  local text = session.socket_id .. ":" .. name
  if kind.presence then
    if type(data.channel_data) ~= "string" then
      return nil, "presence channels need channel_data"
    end
    text = text .. ":" .. data.channel_data
  end
  local message = signature.check_auth(session.state.app, data.auth, text)
  if message or not kind.presence then
    return nil, message
  end
  local member = read_member(data.channel_data)
  return member, not member and "channel_data must hold a user_id" or nil
end

local handlers = {}

handlers["pusher:ping"] = function(session)
  session:send(channels.message("pusher:pong", nil, '"{}"'))
end

handlers["pusher:pong"] = function() end

handlers["pusher:subscribe"] = function(session, _, data)
  local state, name = session.state, data.channel
  local kind = rules.channel_kind(name)
  if not kind then
    return session:send_error(4009, "Invalid channel name: " .. tostring(name))
  elseif session.channels[name] then
    return session:send_error(nil, "Existing subscription to channel " .. name)
  end
  local member, message = authorize(session, name, kind, data)
  if message then
    return session:send_error(4009, ("Auth value for subscription to %s is invalid: %s"):format(name, message))
  end
  local channel = state.channels.occupied[name]
  if member and channel and channel.member_count >= state.app.max_members
    and not channel.members[member.id] then
    return session:send_error(4100, "Presence channel is full: " .. name)
  end
  session.channels[name] = true
  state.channels:subscribe(session, name, kind, member)
  state.record.changed:signal()
end

handlers["pusher:unsubscribe"] = function(session, _, data)
  local name = data.channel
  if session.channels[name] then
    session.channels[name] = nil
    session.state.channels:unsubscribe(session, name)
    session.state.record.changed:signal()
  end
end

handlers["pusher:signin"] = function(session, _, data)
  local state = session.state
  local text = tostring(data.user_data)
  local message = signature.check_auth(state.app, data.auth, session.socket_id .. "::user::" .. text)
  local user = not message and json.decode_object(text)
  if not user or type(user.id) ~= "string" or user.id == "" then
    return session:fail(4009, "Sign-in refused: " .. (message or "user_data must hold a string id"))
  end
  local watchlist = type(user.watchlist) == "table" and user.watchlist or {}
  if #watchlist > state.app.max_watchlist then
    return session:fail(4302, "The watchlist is too long")
  end
  local reply = ('{"user_data":%s}'):format(json.encode(text))
  session:send(channels.message("pusher:signin_success", nil, json.encode(reply)))
  state.users:sign_in(session, { id = user.id, watchlist = watchlist })
  state.record.changed:signal()
end

-- Counts client events in windows of a second.
local function too_fast(session)
  local limit = session.state.app.client_events_per_second
  local second = math.floor(cqueues.monotime())
  if session.window ~= second then
    session.window, session.window_count = second, 0
  end
  session.window_count = session.window_count + 1
  return limit > 0 and session.window_count > limit
end

local function client_event(session, text, event, name)
  local state = session.state
  local kind = rules.channel_kind(name)
  local membership = kind and state.channels:membership(session, name)
  local data = json.member(text, "data") or "null"
  if not kind or not kind.private then
    return session:send_error(nil, "Client event rejected - only supported on private and presence channels")
  elseif not membership then
    return session:send_error(nil, "Client event rejected - not subscribed to " .. name)
  elseif #event > MAX_EVENT_NAME or #data > state.app.max_payload_bytes then
    return session:send_error(4301, "Client event rejected - too large")
  elseif too_fast(session) then
    return session:send_error(4301, "Client event rejected - the rate limit is exceeded")
  end
  local user_id = membership ~= true and membership.id or nil
  state.channels:broadcast(name, channels.message(event, name, data, user_id), session.socket_id)
  state.webhooks:add {
    name = "client_event",
    channel = name,
    event = event,
    data = data:sub(1, 1) == '"' and json.decode_object('{"data":' .. data .. "}").data or data,
    socket_id = session.socket_id,
    user_id = user_id,
  }
end

--- Handles one message of a subscriber.
-- @tparam table session
-- @tparam string text
function conversation.handle(session, text)
  local message = json.decode_object(text)
  if not message or type(message.event) ~= "string" then
    return session:send_error(nil, "Messages must be JSON objects with an event")
  end
  local event, data = message.event, message.data
  if event:find("^client%-") then
    return client_event(session, text, event, message.channel)
  end
  local handler = handlers[event]
  if not handler then
    return session:send_error(nil, "Unknown event " .. event)
  end
  if type(data) == "string" then
    data = json.decode_object(data)
  end
  handler(session, message, type(data) == "table" and data or {})
end

return conversation
