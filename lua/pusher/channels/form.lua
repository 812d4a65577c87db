--- Reads a subscriber's form, which may be hostile, in time linear in its length. Pure.
-- core.subscriber and core.authorize read the one shape that clients commonly send; all others are read here.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"
local kind = require "pusher.channels.kind"
local url = require "pusher.base.url"
local validate = require "pusher.channels.validate"

local form = {}

form.MAX_FIELDS = 1000

local LIST = "channel_name["

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

--- Splits a url-encoded form into its fields.
-- @tparam string text
-- @treturn table|nil names to values, a list where a field is repeated
function form.fields(text)
  text = text:gsub("+", " ")
  local fields, count, start, equals = {}, 0, 1, 0
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
      count = count + 1
    end
    if count > form.MAX_FIELDS then
      return fail("invalid", ("the form must have at most %d fields"):format(form.MAX_FIELDS),
        { field = "form", limit = form.MAX_FIELDS })
    end
    start = stop + 1
  end
  return fields
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
  table.sort(channels) -- `pairs` has no order
  return channels
end

--- Reads who wants to subscribe, and to what.
-- @tparam string|table given the url-encoded form, or its fields
-- @treturn table|nil `{ socket_id =, channels = list of checked names, listed = whether the form has them as a list }`
function form.read(given)
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
