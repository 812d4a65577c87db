--- A subscriber's form and the application's decision in; status, JSON text, and a message for the log, if any, out.
--
-- The application decides about checked values only. What it raises, or returns besides a member, true or nil, refuses
-- the subscriber; the message is for the log.

local callback = require "pusher.base.callback"
local core = require "pusher.core"
local form = require "pusher.channels.form"
local kind = require "pusher.channels.kind"
local reply = require "pusher.openresty.reply"

local subscriber = {}

local read_common_form = core.subscriber
local NEEDS_AUTHORIZATION, PRESENCE = kind.NEEDS_AUTHORIZATION, kind.PRESENCE

local FRONT, FORBIDDEN = '{"status":200,"data":', '{"status":403}'

local FAULTS = {
  socket_id = "socket_id is missing, repeated or not valid",
  form = "the form is malformed or has too many fields",
  content_type = "the content type is not supported",
}
local CHANNEL_FAULT = "channel_name must be a private or presence channel, or a list of them"

-- The response to a form that is refused; its message shows parts of the form, so it is for the log.
local function refuse_form(message, details)
  return 400, reply.refusal(400, FAULTS[details.field] or CHANNEL_FAULT), message
end

-- What the application decides: a member, a user or true; or nil, a status and a message for the log.
local function decide(application, socket_id, channel, text)
  local ok, decision, message = pcall(application, socket_id, channel, text)
  if not ok then
    return nil, 500, "the application raised: " .. callback.text(decision)
  elseif not decision then
    return nil, 403, message ~= nil and "refused: " .. callback.text(message) or "refused"
  elseif decision ~= true and type(decision) ~= "table" and type(decision) ~= "string" then
    return nil, 500, "the application must return a table, a JSON text, true or nil, got " .. type(decision)
  end
  return decision
end

-- One channel: status, JSON text or nil, message for the log or nil. `params` names the two in the client's form.
local function authorize_one(client, authorize, socket_id, channel, is_presence, text, params)
  local member, status, message = decide(authorize, socket_id, channel, text)
  if not member then
    return status, nil, message
  elseif member == true or not is_presence then
    member = nil
  end
  local signed
  signed, message = client:authorize_channel(params, member)
  -- The form was checked, so the member or the options are at fault when this fails.
  return signed and 200 or 500, signed, message
end

local function authorize_list(client, authorize, socket_id, channels, text)
  local parts, messages = {}, {}
  for index, channel in ipairs(channels) do
    if channel ~= channels[index - 1] then -- sorted
      local status, signed, message = authorize_one(client, authorize, socket_id, channel,
        kind.prefix(channel) == PRESENCE, text, { socket_id = socket_id, channel_name = channel })
      if status == 500 then
        return 500, reply.refusal(500), message
      end
      messages[#messages + 1] = message and channel .. ": " .. message
      -- A checked name has no character that JSON would escape.
      parts[#parts + 1] = '"' .. channel .. '":' .. (signed and FRONT .. signed .. "}" or FORBIDDEN)
    end
  end
  return 200, "{" .. table.concat(parts, ",") .. "}", messages[1] and table.concat(messages, "; ")
end

-- What form.subscription takes: the url-encoded form, or the fields of a body of another content type.
local function read_params(client, text, content_type)
  if form.is_url_encoded(content_type) then
    return text
  end
  return client:read_form(text, content_type)
end

--- Decides about a subscription to one channel or to several.
-- @tparam client client
-- @tparam function authorize (socket_id, channel_name, form) -> member | true; or nil, message for the log
-- @tparam string text the body as received
-- @tparam[opt] string content_type as client:read_form takes it; a body that is neither JSON nor multipart by it is
--   url-encoded
-- @return status, JSON text, and a message for the log or nil
function subscriber.authorize_channel(client, authorize, text, content_type)
  local params = text
  local socket_id, channel, prefix
  if form.is_url_encoded(content_type) then
    socket_id, channel, prefix = read_common_form(text)
  end
  if not NEEDS_AUTHORIZATION[prefix] then
    local given, read, message, details
    given, message, details = read_params(client, text, content_type)
    if given then
      read, message, details = form.subscription(given)
    end
    if not read then
      return refuse_form(message, details)
    elseif read.listed then
      return authorize_list(client, authorize, read.socket_id, read.channels, text)
    end
    socket_id, channel = read.socket_id, read.channels[1]
    prefix = kind.prefix(channel)
    params = { socket_id = socket_id, channel_name = channel }
  end
  local status, signed, message = authorize_one(client, authorize, socket_id, channel, prefix == PRESENCE, text,
    params)
  return status, signed or reply.refusal(status), message
end

--- Decides about a connection that signs in.
-- @tparam client client
-- @tparam function identify (socket_id, form) -> user `{ id =, user_info =, watchlist = }`; or nil, message for the log
-- @tparam string text the body as received
-- @tparam[opt] string content_type as for authorize_channel
-- @return status, JSON text, and a message for the log or nil
function subscriber.authenticate_user(client, identify, text, content_type)
  local socket_id
  local given, refused, details = read_params(client, text, content_type)
  if given then
    socket_id, refused, details = form.socket_id(given)
  end
  if not socket_id then
    return refuse_form(refused, details)
  end
  local user, status, message = decide(identify, socket_id, text)
  local signed
  if user == true then
    status, message = 500, "the application must return a user, got true"
  elseif user then
    signed, message = client:authenticate_user({ socket_id = socket_id }, user)
    status = signed and 200 or 500
  end
  return status, signed or reply.refusal(status), message
end

return subscriber
