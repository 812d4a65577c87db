--- Channel authorization and user authentication: a subscriber's form in, the JSON text of the response out. No I/O.
--
-- Rule: Channels docs "Authorizing users", "Authenticating users": the signed texts are
-- `socket_id:channel[:channel_data]` and `socket_id::user::user_data`.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local form = require "pusher.channels.form"
local kind = require "pusher.channels.kind"
local validate = require "pusher.channels.validate"

local auth = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.auth" }

local fail = errors.fail
local authorize, subscriber = core.authorize, core.subscriber
local NEEDS_AUTHORIZATION, PRESENCE = kind.NEEDS_AUTHORIZATION, kind.PRESENCE

-- What surrounds the shared secret in a response.
local SECRET, END = '","shared_secret":"', '"}'

--- Makes an authorizer of one app.
-- @tparam table parts `{ key = app key, mac = keyed HMAC-SHA256, json =, sealer = }`
function auth.new(parts)
  return setmetatable({
    front = '{"auth":' .. parts.json.quote(parts.key .. ":"):sub(1, -2), -- the same in every response
    mac = parts.mac,
    json = parts.json,
    sealer = parts.sealer,
    master_key = parts.sealer:key(), -- a copy: a call of the sealer would cost 5 % of an authorization
  }, metatable)
end

-- The object of a JSON text, which is itself signed unchanged.
local function decode_object(self, text, id_name)
  local object = self.json.decode(text)
  if type(object) ~= "table" or object[id_name] == nil then
    return fail("invalid", ("the JSON text must be an object with %s"):format(id_name), { field = id_name })
  end
  return object
end

-- Nothing but these fields of the application's objects is ever signed.
local MEMBER = { user_id = true, user_info = true }
local USER = { id = true, user_info = true, watchlist = true }

local function check_member_text(self, text)
  local ok
  local member, message, details = decode_object(self, text, "user_id")
  if member and type(member.user_id) ~= "string" and type(member.user_id) ~= "number" then
    return fail("invalid", "user_id must be a string or a number, got " .. type(member.user_id), { field = "user_id" })
  elseif member then
    ok, message, details = arguments.read(member, MEMBER, "field of a member")
  end
  return ok and text, message, details
end

local function id_text(id)
  if type(id) == "number" and id == math.floor(id) and math.abs(id) < 2 ^ 53 then
    return ("%.0f"):format(id)
  end
  return id
end

local function member_text(self, given)
  if type(given) == "string" then
    return check_member_text(self, given)
  end
  local ok
  local member, message, details = arguments.read(given, MEMBER, "field of a member")
  if member then
    member.user_id = id_text(member.user_id)
    ok, message, details = validate.user_id(member.user_id)
  end
  if not ok then
    return nil, message, details
  end
  return self.json.encode(member)
end

-- The text of `channel_data`.
local function channel_data(self, is_presence, member)
  if member == nil then
    return fail("invalid", "a presence channel needs a member { user_id = …, user_info = … }", { field = "member" })
  elseif is_presence or type(member) ~= "string" then
    return member_text(self, member)
  elseif self.json.decode(member) == nil then
    return fail("invalid", "the member is not valid JSON", { field = "member" })
  end
  return member
end

local function sign(self, socket_id, channel, is_presence, member)
  local rest = END -- begins with the quote that ends the string before it
  if not is_presence and kind.is_encrypted(channel) then
    local secret, message, details = self.sealer:shared_secret(channel)
    if not secret then
      return nil, message, details
    end
    rest = SECRET .. secret .. END
  end
  if member == nil and not is_presence then
    return self.mac:wrap(self.front, rest, socket_id, ":", channel)
  end
  local data, message, details = channel_data(self, is_presence, member)
  if not data then
    return nil, message, details
  elseif self.closed then
    return fail("closed", "the client is closed") -- by the codec
  end
  return self.mac:wrap(self.front, '","channel_data":' .. self.json.quote(data) .. rest:sub(2),
    socket_id, ":", channel, ":", data)
end

--- Authorizes a subscriber to a private, presence or encrypted channel.
-- @tparam string|table params the url-encoded form, or its fields
-- @tparam[opt] table|string member `{ user_id =, user_info = }` or a JSON text
-- @treturn string|nil JSON text
function methods:authorize_channel(params, member)
  if type(params) == "string" then
    if member == nil then -- the common case in one call
      local text = authorize(self.mac, params, self.front, END, SECRET, self.master_key)
      if text then
        return text
      end
    end
    local socket_id, channel, prefix = subscriber(params)
    if NEEDS_AUTHORIZATION[prefix] then
      return sign(self, socket_id, channel, prefix == PRESENCE, member)
    end
  end
  local read, message, details = form.read(params)
  if not read then
    return nil, message, details
  elseif read.listed then
    return fail("invalid", "channel_name must be one channel, not a list", { field = "channel_name" })
  end
  local channel = read.channels[1]
  return sign(self, read.socket_id, channel, kind.prefix(channel) == PRESENCE, member)
end

-- Servers find a user by the id, which must be a string.
-- A text is written on purpose, so it may have fields of the application's own, as in other libraries.
local function user_text(self, given)
  local is_text = type(given) == "string"
  local user, ok, message, details
  if is_text then
    user, message, details = decode_object(self, given, "id")
  else
    user, message, details = arguments.read(given, USER, "field of a user")
  end
  if user then
    ok, message, details = validate.user_id(user.id)
  end
  if not ok then
    return nil, message, details
  end
  return is_text and given or self.json.encode(user)
end

--- Authenticates a user's connection (sign-in).
-- @tparam string|table params the url-encoded form, or its fields
-- @tparam table|string user `{ id =, user_info =, watchlist = }` or a JSON text
-- @treturn string|nil JSON text
function methods:authenticate_user(params, user)
  local data
  local socket_id, message, details = form.socket_id(params)
  if socket_id then
    data, message, details = user_text(self, user)
  end
  if not data then
    return nil, message, details
  elseif self.closed then
    return fail("closed", "the client is closed") -- by the codec
  end
  return self.mac:wrap(self.front, '","user_data":' .. self.json.quote(data) .. "}", socket_id, "::user::", data)
end

--- Forgets the master key, and signs nothing more.
function methods:close()
  self.master_key, self.closed = nil, true
end

return auth
