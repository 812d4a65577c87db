--- Plain Lua values in, checked arguments or a failure out. Pure.
--
-- Limits: Channels docs and the official libraries; see README "Limits".

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"

local validate = {}

validate.MAX_CHANNELS = 100
validate.MAX_CHANNEL_BYTES = 200
validate.MAX_EVENT_BYTES = 200
validate.MAX_USER_ID_BYTES = 200

local fail = errors.fail

local show = arguments.show

--- Channel name: 1..200 bytes of `A-Za-z0-9_-=@,.;`.
-- Rule: Channels docs "Channel naming conventions"; length as the official
-- libraries and self-hosted servers have it (the docs say 164).
-- @treturn true|nil
function validate.channel(name)
  if type(name) ~= "string" then
    return fail("invalid", "channel name must be a string, got " .. type(name), { field = "channel" })
  elseif core.is_channel_name(name) then
    return true
  elseif #name > validate.MAX_CHANNEL_BYTES then
    return fail("invalid", ("channel name %s has %d bytes, at most %d are allowed"):format(
      show(name), #name, validate.MAX_CHANNEL_BYTES), { field = "channel" })
  end
  return fail("invalid", ("channel name %s is empty or has a character outside A-Za-z0-9_-=@,.;"):format(
    show(name)), { field = "channel" })
end

--- Event name: 1..200 bytes.
-- @treturn true|nil
function validate.event(name)
  if type(name) ~= "string" then
    return fail("invalid", "event name must be a string, got " .. type(name), { field = "event" })
  elseif #name == 0 or #name > validate.MAX_EVENT_BYTES then
    return fail("invalid", ("event name %s has %d bytes, 1 to %d are allowed"):format(
      show(name), #name, validate.MAX_EVENT_BYTES), { field = "event" })
  elseif name:find("%c") then
    return fail("invalid", "event name " .. show(name) .. " has a control character", { field = "event" })
  end
  return true
end

--- Socket id: two runs of digits with a dot, to the very end of the string.
-- @treturn true|nil
function validate.socket_id(id)
  if type(id) ~= "string" or not core.is_socket_id(id) then
    return fail("invalid", "socket_id " .. show(id) .. " is not two numbers with a dot between",
      { field = "socket_id" })
  end
  return true
end

--- User id: 1..200 bytes, no control characters.
-- Only the Python library narrows it to channel characters; ids such as
-- `auth0|5f7c` are common, so we do not.
-- @treturn true|nil
function validate.user_id(id)
  if type(id) ~= "string" then
    return fail("invalid", "user id must be a string, got " .. type(id), { field = "user_id" })
  elseif #id == 0 or #id > validate.MAX_USER_ID_BYTES then
    return fail("invalid", ("user id %s has %d bytes, 1 to %d are allowed"):format(
      show(id), #id, validate.MAX_USER_ID_BYTES), { field = "user_id" })
  elseif id:find("%c") then
    return fail("invalid", "user id " .. show(id) .. " has a control character", { field = "user_id" })
  end
  return true
end

--- `info`: a string such as "user_count,subscription_count", or a list of such words.
-- @treturn string|nil the words joined by commas
function validate.info(info)
  local text = info
  if type(info) == "table" then
    for index = 1, #info do
      if type(info[index]) ~= "string" then
        return fail("invalid", "info must be a string or a list of strings", { field = "info" })
      end
    end
    text = table.concat(info, ",")
  end
  if type(text) ~= "string" or not text:find("^[a-z_]+[a-z_,]*$") then
    return fail("invalid", "info must be words such as user_count, as a string or a list of strings",
      { field = "info" })
  end
  return text
end

--- The channels of one trigger: a name or a list of 1..100 names.
-- @tparam string|table channels
-- @treturn table|nil a fresh list
function validate.channels(channels)
  if type(channels) == "string" then
    local ok, message, details = validate.channel(channels)
    return ok and { channels }, message, details
  end
  local count = arguments.list_length(channels)
  if not count or count == 0 or count > validate.MAX_CHANNELS then
    return fail("invalid", ("%s given, 1 to %d are allowed in one call"):format(
      count and count .. " channels" or "channels that are no list", validate.MAX_CHANNELS),
      { field = "channels", limit = validate.MAX_CHANNELS })
  end
  local checked = {}
  for index = 1, count do
    local ok, message, details = validate.channel(channels[index])
    if not ok then
      return nil, message, details
    end
    checked[index] = channels[index]
  end
  return checked
end

--- A path below /apps/ID, as it goes on the wire and into the signature.
-- @treturn true|nil
function validate.path(path)
  if not path:find("^/[A-Za-z0-9%-._~!$&'()*+,;=:@%%/]*$") then
    return fail("invalid", "path " .. show(path) .. ' must begin with "/" and be percent-encoded, without a query',
      { field = "path" })
  end
  return true
end

--- @treturn true|nil
function validate.method(method)
  if not method:find("^[A-Z]+$") then
    return fail("invalid", "method " .. show(method) .. " must be in capitals", { field = "method" })
  end
  return true
end

return validate
