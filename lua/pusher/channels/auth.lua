--- Channel authorization and user authentication: a subscriber's form in, the
-- JSON text to answer with out. No I/O.
--
-- Rule: Channels docs "Authorizing users", "Authenticating users": the signed
-- texts are `socket_id:channel[:channel_data]` and `socket_id::user::user_data`.

local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"
local arguments = require "pusher.base.arguments"
local validate = require "pusher.channels.validate"

local auth = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.auth" }

local fail = errors.fail
local is_encrypted = encryption.is_encrypted
local authorize, subscriber = core.authorize, core.subscriber

--- @tparam table parts `{ key = app key, mac = keyed HMAC-SHA256, json =, sealer = }`
function auth.new(parts)
  return setmetatable({
    -- The front of every answer is known.
    front = '{"auth":' .. parts.json.quote(parts.key .. ":"):sub(1, -2),
    mac = parts.mac,
    json = parts.json,
    sealer = parts.sealer,
  }, metatable)
end

-- One field, given once. Two values for one field are an attempt to have one
-- checked and the other signed.
local function field(fields, name)
  local value = fields[name]
  if type(value) == "string" then
    return value
  end
  return fail("invalid", name .. (value == nil and " is missing" or " must be given once"), { field = name })
end

-- Channels whose subscribers must be authorized.
local FIRST_WORDS = { ["private-"] = true, ["presence-"] = true }

-- The careful way to read a form, with words for what is wrong.
local function read(params)
  local fields = type(params) == "string" and url.decode_form(params) or params
  local socket_id, message, details = field(fields, "socket_id")
  local channel
  if socket_id then
    channel, message, details = field(fields, "channel_name")
  end
  if not channel then
    return nil, message, details
  end
  local ok
  ok, message, details = validate.socket_id(socket_id)
  if ok then
    ok, message, details = validate.channel(channel)
  end
  if not ok then
    return nil, message, details
  end
  local first = channel:match("^%a+%-")
  if not FIRST_WORDS[first] then
    return fail("invalid", "channel " .. arguments.show(channel) .. " needs no authorization",
      { field = "channel_name" })
  end
  return socket_id, channel, first
end

local function id_text(id)
  if type(id) == "number" and id == math.floor(id) and math.abs(id) < 2 ^ 53 then
    return ("%.0f"):format(id)
  end
  return id
end

-- A JSON text is signed as it is, once it is known to be what subscribers can
-- read. With `id_name` it must be an object with that member.
local function check_text(self, text, id_name)
  local decoded = self.json.decode(text)
  if decoded == nil then
    return fail("invalid", "the text given is not JSON", { field = id_name })
  end
  local id = type(decoded) == "table" and decoded[id_name]
  if id_name and type(id) ~= "string" and type(id) ~= "number" then
    return fail("invalid", ("the JSON text given has no %s"):format(id_name), { field = id_name })
  end
  return text
end

-- The codec writes the member in one go; only an id that is a number needs a copy.
local function member_text(self, member)
  if type(member) == "string" then
    return check_text(self, member, "user_id")
  end
  local id = member.user_id
  if type(id) == "number" then
    member = { user_id = id_text(id), user_info = member.user_info }
  end
  local ok, message, details = validate.user_id(member.user_id)
  if not ok then
    return nil, message, details
  end
  return self.json.encode(member)
end

local function channel_data(self, first, member)
  if member == nil then
    return fail("invalid", "a presence channel needs a member { user_id = …, user_info = … }", { field = "member" })
  elseif first == "private-" and type(member) == "string" then
    return check_text(self, member)
  end
  return member_text(self, member)
end

--- Authorizes a subscriber to a private, presence or encrypted channel.
-- @tparam string|table params the url-encoded form, or its fields
-- @tparam[opt] table|string member `{ user_id =, user_info = }` or a JSON text
-- @treturn string|nil JSON text
function methods:channel(params, member)
  local socket_id, channel, first
  if type(params) == "string" then
    if member == nil then -- the usual case in one call
      local answer = authorize(self.mac, params, self.front, '"}', '","shared_secret":"', self.sealer.master_key)
      if answer then
        return answer
      end
    end
    socket_id, channel, first = subscriber(params) -- the form as clients send it
  end
  if not FIRST_WORDS[first] then
    socket_id, channel, first = read(params)
    if not socket_id then
      return nil, channel, first
    end
  end
  local tail = "}"
  if is_encrypted(channel) then
    local secret, message, details = self.sealer:shared_secret(channel)
    if not secret then
      return nil, message, details
    end
    tail = ',"shared_secret":"' .. secret .. '"}'
  end
  if member == nil and first == "private-" then
    return self.mac:wrap(self.front, '"' .. tail, socket_id, ":", channel)
  end
  local data, message, details = channel_data(self, first, member)
  if not data then
    return nil, message, details
  end
  return self.mac:wrap(self.front, '","channel_data":' .. self.json.quote(data) .. tail,
    socket_id, ":", channel, ":", data)
end

-- The user object must carry a string id, the key by which servers find the user.
local function user_text(self, user)
  if type(user) == "string" then
    local text, message, details = check_text(self, user, "id")
    if text and type(self.json.decode(text).id) ~= "string" then
      return fail("invalid", "the id of a user must be a string", { field = "id" })
    end
    return text, message, details
  end
  local ok, message, details = validate.user_id(user.id)
  if not ok then
    return nil, message, details
  end
  return self.json.encode(user)
end

--- Authenticates a user's connection (sign-in).
-- @tparam string|table params the url-encoded form, or its fields
-- @tparam table|string user `{ id =, user_info =, watchlist = }` or a JSON text
-- @treturn string|nil JSON text
function methods:user(params, user)
  local fields = type(params) == "string" and url.decode_form(params) or params
  local socket_id, message, details = field(fields, "socket_id")
  local ok = socket_id
  if ok then
    ok, message, details = validate.socket_id(socket_id)
  end
  if not ok then
    return nil, message, details
  end
  local data
  data, message, details = user_text(self, user)
  if not data then
    return nil, message, details
  end
  return self.mac:wrap(self.front, '","user_data":' .. self.json.quote(data) .. "}", socket_id, "::user::", data)
end

return auth
