--- Channel authorization and user authentication: a subscriber's form in, the JSON text of the response out. No I/O.
--
-- Rule: Channels docs "Authorizing users", "Authenticating users": the signed texts are
-- `socket_id:channel[:channel_data]` and `socket_id::user::user_data`.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local form = require "pusher.channels.form"
local json = require "pusher.base.json"
local kind = require "pusher.channels.kind"
local validate = require "pusher.channels.validate"

local auth = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.auth" }

local fail = errors.fail
local is_channel_name, subscriber = core.is_channel_name, core.subscriber
local NEEDS_AUTHORIZATION, PRESENCE = kind.NEEDS_AUTHORIZATION, kind.PRESENCE

-- What surrounds the shared secret in a response.
local SECRET, END = '","shared_secret":"', '"}'

--- Makes an authorizer of one app.
-- @tparam table parts `{ key = app key, mac = keyed HMAC-SHA256, json =, sealer = }`
function auth.new(parts)
  local front = '{"auth":' .. parts.json.quote(parts.key .. ":"):sub(1, -2) -- the same in every response
  return setmetatable({
    front = front, mac = parts.mac, json = parts.json, sealer = parts.sealer, closed = false,
    -- function(params, member), in C: as authorize_channel for a form and a member of the common shape; returns
    -- nothing for anything else.
    authorize_common = core.authorizer(parts.mac, front, parts.sealer:key(), parts.json.own_encode),
  }, metatable)
end

-- A JSON text of the application, which is itself signed unchanged.
local function decode(self, text)
  if core.utf8_valid(text) then
    return (self.json.decode(text))
  end
end

local function decode_object(self, text, id_name)
  local object = decode(self, text)
  if type(object) ~= "table" or object[id_name] == nil then
    return fail("invalid", ("the JSON text must be an object with %s"):format(id_name), { field = id_name })
  end
  return object
end

-- The only fields of a member, and of a user given as a table, that are signed. An object may show others to the codec,
-- so it is copied. A plain table is written as it is: to copy it, too, would cost a tenth of an authorization.
--
-- Both return what the codec is to write, and the id (read_user the watchlist, too); nil, message, details otherwise.
local function read_member(given)
  local id, user_info
  for name, value in next, given do
    if name == "user_id" then
      id = value
    elseif name == "user_info" then
      user_info = value
    else
      return arguments.unknown("field of a member", name)
    end
  end
  if type(id) == "number" and id % 1 == 0 and math.abs(id) < 2 ^ 53 then
    id = json.number_text(id)
  elseif getmetatable(given) == nil then
    return given, id
  end
  return { user_id = id, user_info = user_info }, id
end

local function read_user(given)
  local id, user_info, watchlist
  for name, value in next, given do
    if name == "id" then
      id = value
    elseif name == "user_info" then
      user_info = value
    elseif name == "watchlist" then
      watchlist = value
    else
      return arguments.unknown("field of a user", name)
    end
  end
  if watchlist == nil and getmetatable(given) == nil then
    return given, id
  end
  return { id = id, user_info = user_info }, id, watchlist
end

local function check_user_id(id)
  local type_name = type(id)
  if type_name ~= "string" then
    local is_finite = type_name == "number" and id - id == 0
    return fail("invalid", "user_id must be a string or a whole number, got "
      .. (is_finite and json.format_number("%.16g", id) or type_name), { field = "user_id" })
  end
  return validate.user_id(id)
end

local function check_member_text(self, text)
  local ok
  local member, message, details = decode_object(self, text, "user_id")
  if member then
    local id = member.user_id
    ok, message, details = check_user_id(type(id) == "number" and id % 1 == 0 and json.number_text(id) or id)
  end
  if ok then
    ok, message, details = read_member(member)
  end
  return ok and text, message, details
end

local function member_text(self, given)
  if type(given) == "string" then
    return check_member_text(self, given)
  end
  local ok, message, details
  local member, id, failure = read_member(given)
  if not member then
    return nil, id, failure
  end
  if not is_channel_name(id) then -- else it is valid, as nearly all are
    ok, message, details = check_user_id(id)
    if not ok then
      return nil, message, details
    end
  end
  return self.json.encode(member)
end

-- The text of `channel_data`.
local function channel_data(self, is_presence, member)
  if member == nil then
    return fail("invalid", "a presence channel needs a member { user_id = …, user_info = … }", { field = "member" })
  elseif is_presence or type(member) ~= "string" then
    return member_text(self, member)
  elseif decode(self, member) == nil then
    return fail("invalid", "the member is not JSON in UTF-8", { field = "member" })
  end
  return member
end

local function closed()
  return fail("closed", "the client is closed")
end

-- A finalizer may close the client while the text to sign is made.
local function unless_closed(text)
  if text then
    return text
  end
  return closed()
end

local function sign(self, socket_id, channel, is_presence, member)
  local data, message, details
  local rest = END -- begins with the quote that ends the string before it
  if not is_presence and kind.is_encrypted(channel) then
    rest, message, details = self.sealer:shared_secret(channel)
    rest = rest and SECRET .. rest .. END
  end
  local has_data = is_presence or member ~= nil
  if rest and has_data then
    data, message, details = channel_data(self, is_presence, member)
  end
  if self.closed then
    return closed() -- by the codec, or by a finalizer
  elseif not rest or has_data and not data then
    return nil, message, details
  elseif not has_data then
    return unless_closed(self.mac:wrap(self.front, rest, socket_id, ":", channel))
  end
  return unless_closed(self.mac:wrap(self.front, self.json.quote(data, '","channel_data":', rest:sub(2)),
    socket_id, ":", channel, ":", data))
end

--- Authorizes a subscriber to a private, presence or encrypted channel.
-- @tparam string|table params the url-encoded form, or its fields
-- @tparam[opt] table|string member `{ user_id =, user_info = }` or a JSON text
-- @treturn string|nil JSON text
function methods:authorize_channel(params, member)
  if type(params) == "string" then
    local socket_id, channel, prefix = subscriber(params)
    if NEEDS_AUTHORIZATION[prefix] then
      return sign(self, socket_id, channel, prefix == PRESENCE, member)
    end
  end
  local read, message, details = form.subscription(params)
  if not read then
    return nil, message, details
  elseif read.listed then
    return fail("invalid", "channel_name must be one channel, not a list", { field = "channel_name" })
  end
  local channel = read.channels[1]
  return sign(self, read.socket_id, channel, kind.prefix(channel) == PRESENCE, member)
end

local MAX_WATCHED = 100

-- The JSON text of a list of user ids, `[]` for an empty one. `is_object`: an empty table was an object in JSON.
local function watchlist_text(self, given, is_object)
  local is_table, ids = type(given) == "table", nil
  if is_table and not is_object then
    ids = arguments.list(given)
  end
  if not ids or #ids > MAX_WATCHED then
    return fail("invalid", ("watchlist must be a list of at most %d user ids, got %s"):format(MAX_WATCHED,
      ids and #ids or is_table and "an object" or type(given)), { field = "watchlist" })
  end
  for index, id in ipairs(ids) do
    local ok, message = validate.user_id(id)
    if not ok then
      return fail("invalid", "watchlist: " .. message, { field = "watchlist", index = index })
    end
    ids[index] = self.json.quote(id)
  end
  return "[" .. table.concat(ids, ",") .. "]"
end

-- Servers find a user by the id, which must be a string. A JSON text is signed as given, so it may have further fields,
-- as in other libraries.
local function user_text(self, given)
  local is_text, is_object = type(given) == "string", false
  local user, id, watchlist
  if is_text then
    user, id, watchlist = decode_object(self, given, "id")
    if user then
      id, watchlist = user.id, user.watchlist
      is_object = watchlist ~= nil and json.is_object_at(given, "watchlist", self.json.decode)
    end
  else
    user, id, watchlist = read_user(given)
  end
  if not user then
    return nil, id, watchlist -- a failure
  end
  local ok, message, details = validate.user_id(id)
  if ok and watchlist ~= nil then
    ok, message, details = watchlist_text(self, watchlist, is_object)
  end
  if not ok then
    return nil, message, details
  elseif is_text then
    return given
  end
  local text
  text, message, details = self.json.encode(user)
  if text and watchlist ~= nil then
    return text:sub(1, -2) .. ',"watchlist":' .. ok .. "}"
  end
  return text, message, details
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
    return closed() -- by the codec
  end
  return unless_closed(self.mac:wrap(self.front, self.json.quote(data, '","user_data":', "}"),
    socket_id, "::user::", data))
end

local function nothing()
end

--- Forgets the master key, and signs nothing more.
function methods:close()
  self.authorize_common() -- C holds the master key, too
  self.authorize_common, self.closed = nothing, true
end

return auth
