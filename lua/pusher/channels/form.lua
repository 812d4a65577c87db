--- Reads a subscriber's form, which may be hostile, in time linear in its length. Pure.
-- It is url-encoded; form.decode reads JSON and multipart, too.
-- core.subscriber and core.authorizer read the one shape that clients commonly send; all others are read here.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"
local json_fields = require "pusher.channels.json_fields"
local kind = require "pusher.channels.kind"
local multipart = require "pusher.channels.multipart"
local url = require "pusher.base.url"
local validate = require "pusher.channels.validate"

local form = {}

form.MAX_FIELDS = 1000

local LIST = "channel_name["
local URL_ENCODED = "application/x-www-form-urlencoded"

local fail = errors.fail
local find, sub = string.find, string.sub

-- A repeated field becomes a list of its values.
local function add(fields, name, value)
  local before = fields[name]
  if before == nil then
    fields[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    fields[name] = { before, value }
  end
end

-- Makes a function that counts a field: true, or a failure when they are too many.
local function new_counter()
  local count = 0
  return function()
    count = count + 1
    if count > form.MAX_FIELDS then
      return fail("invalid", ("the form must have at most %d fields"):format(form.MAX_FIELDS),
        { field = "form", limit = form.MAX_FIELDS })
    end
    return true
  end
end

--- Splits a url-encoded form into its fields.
-- @tparam string text
-- @treturn table|nil names to values, a list where a field is repeated
function form.fields(text)
  text = text:gsub("+", " ")
  local fields, count, start, equals = {}, new_counter(), 1, 0
  local escaped, beyond = find(text, "%", 1, true), #text + 1
  while start < beyond do
    local stop = find(text, "&", start, true) or beyond
    if equals < start then -- else it is known already: no byte is looked at twice
      equals = find(text, "=", start, true) or beyond
    end
    if stop > start then
      local name, value = sub(text, start, (equals < stop and equals or stop) - 1), sub(text, equals + 1, stop - 1)
      if escaped then
        name, value = url.unescape(name), url.unescape(value)
      end
      add(fields, name, value)
      local ok, message, details = count()
      if not ok then
        return nil, message, details
      end
    end
    start = stop + 1
  end
  return fields
end

local function read_json(text, _, codec)
  return json_fields.read(text, codec, new_counter())
end

local function read_multipart(text, content_type)
  local fields, count = {}, new_counter()
  local ok, message, details = multipart.read(text, content_type, function(name, value)
    add(fields, name, value)
    return count()
  end)
  return ok and fields, message, details
end

local READERS = {
  [URL_ENCODED] = form.fields,
  ["application/json"] = read_json,
  ["multipart/form-data"] = read_multipart,
}

local function find_reader(content_type)
  return READERS[ascii.lower(content_type:match("^[ \t]*([^; \t]*)"))]
end

--- Whether a subscriber's body is read as url-encoded: many clients send no content type, or text/plain. When the type
-- says JSON or multipart anywhere it is not, or a gateway that reads it so could see another channel.
-- @tparam string|nil content_type
-- @treturn boolean false: only form.decode may read it
function form.is_url_encoded(content_type)
  if content_type == nil or content_type == URL_ENCODED then
    return true
  end
  local lower = ascii.lower(content_type)
  return not (find(lower, "json", 1, true) or find(lower, "multipart", 1, true))
end

--- Whether form.decode reads bodies of a content type.
-- @tparam string|nil content_type
-- @treturn boolean
function form.can_decode(content_type)
  return content_type ~= nil and find_reader(content_type) ~= nil
end

--- Reads the fields of a body.
-- @tparam string text
-- @tparam[opt] string content_type url-encoded (the default), JSON (an object) or multipart (without files)
-- @tparam table codec as json.new returns
-- @treturn table|nil names to values: strings, or lists where a field is repeated; in JSON any values
function form.decode(text, content_type, codec)
  if content_type == nil then
    return form.fields(text)
  end
  local read = find_reader(content_type)
  if not read then
    return fail("invalid", ("content type %s is not application/x-www-form-urlencoded, application/json or "
      .. "multipart/form-data"):format(arguments.show(content_type)), { field = "content_type" })
  end
  return read(text, content_type, codec)
end

-- One field. Two values are refused: one could be checked and the other one signed.
local function single(fields, name, check)
  local value = fields[name]
  if type(value) ~= "string" then
    return fail("invalid", name .. (value == nil and " is missing" or " must be one string, given once"),
      { field = name })
  end
  local ok, message, details = check(value)
  return ok and value, message, details
end

-- Returns the socket id with the fields, or nil, message, details.
local function read_fields(given)
  local fields, message, details
  if type(given) == "string" then
    fields, message, details = form.fields(given)
  else
    fields = {}
    for name, value in next, given do
      fields[name] = value
    end
  end
  local socket_id
  if fields then
    socket_id, message, details = single(fields, "socket_id", validate.socket_id)
  end
  return socket_id and fields, message, details
end

local function check_channel(name)
  local ok, message, details = validate.channel(name)
  if ok and not kind.NEEDS_AUTHORIZATION[kind.prefix(name)] then
    return fail("invalid", "channel " .. arguments.show(name) .. " needs no authorization", { field = "channel_name" })
  end
  return ok, message, details
end

-- Adds the value of `channel_name[]`, `channel_name[0]`, …; anything else between the brackets is ignored.
local function add_listed(channels, name, value)
  local index = name:match("^channel_name%[(%d*)%]$")
  local values = type(value) == "table" and arguments.list(value) or { value }
  if index and index ~= "" and #values > 1 then
    return fail("invalid", "channel_name has an index that is given more than once", { field = "channel_name" })
  end
  for _, channel in ipairs(index and values or {}) do
    local ok, message, details = check_channel(channel)
    if not ok then
      return nil, message, details
    end
    channels[#channels + 1] = channel
  end
  return true
end

-- The channels of a list, sorted; an empty table when the form has none.
local function listed_channels(fields)
  local channels = {}
  for name, value in pairs(fields) do
    if type(name) == "string" and #name > #LIST and sub(name, 1, #LIST) == LIST then
      local ok, message, details = add_listed(channels, name, value)
      if not ok then
        return nil, message, details
      end
    end
  end
  if channels[1] and (#channels > validate.MAX_CHANNELS or fields.channel_name ~= nil) then
    return fail("invalid", ("channel_name must be one channel or a list of at most %d"):format(validate.MAX_CHANNELS),
      { field = "channel_name", limit = validate.MAX_CHANNELS })
  end
  table.sort(channels, ascii.less) -- `pairs` has no order
  return channels
end

--- Reads who wants to subscribe, and to what.
-- @tparam string|table given the url-encoded form, or its fields
-- @treturn table|nil `{ socket_id =, channels = list of checked names, listed = whether the form has them as a list }`
function form.subscription(given)
  local channels
  local fields, message, details = read_fields(given)
  if fields then
    channels, message, details = listed_channels(fields)
  end
  local listed = channels and channels[1] ~= nil
  if channels and not listed then
    channels[1], message, details = single(fields, "channel_name", check_channel)
  end
  if message then
    return nil, message, details
  end
  return { socket_id = fields.socket_id, channels = channels, listed = listed }
end

--- Reads whose connection signs in.
-- @tparam string|table given the url-encoded form, or its fields
-- @treturn string|nil socket id
function form.socket_id(given)
  local fields, message, details = read_fields(given)
  return fields and fields.socket_id, message, details
end

return form
