--- Plain Lua values in; true, checked arguments or a failure out. Pure.
--
-- Limits: Channels docs and the official libraries; see docs/errors.md.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local kind = require "pusher.channels.kind"
local params = require "pusher.channels.params"
local url = require "pusher.base.url"

local validate = {}

validate.MAX_CHANNELS = 100

local MAX_BYTES = 200 -- of a channel's name, an event's name, a user's id
local MAX_KEY_BYTES = 128 -- of an idempotency key, as sockudo has it

local show = arguments.show
local find = string.find
local is_channel_name = core.is_channel_name

local function refuse(field, message)
  return errors.fail("invalid", message, { field = field })
end

local function refuse_info(info)
  return refuse("info", 'info must be names such as "user_count", as a string or a list of strings, got ' .. show(info))
end

--- Channel name: 1..200 bytes of `A-Za-z0-9_-=@,.;`.
-- Rule: Channels docs "Channel naming conventions"; length as the official libraries and self-hosted servers have it
-- (the docs say 164).
-- @treturn true|nil
function validate.channel(name)
  if is_channel_name(name) then
    return true
  elseif type(name) ~= "string" then
    return refuse("channel", "channel name must be a string, got " .. type(name))
  elseif #name > MAX_BYTES then
    return refuse("channel", ("channel name %s must have at most %d bytes, got %d"):format(
      show(name), MAX_BYTES, #name))
  end
  return refuse("channel", ("channel name %s is empty or has a character outside A-Za-z0-9_-=@,.;"):format(show(name)))
end

-- A text of any characters but control characters.
local function check_text(text, what, field, max)
  max = max or MAX_BYTES
  if max == MAX_BYTES and is_channel_name(text) then
    return true -- fast path: nearly all are made of a channel's characters, which are looked at in C
  elseif type(text) ~= "string" then
    return refuse(field, what .. " must be a string, got " .. type(text))
  elseif #text == 0 or #text > max then
    return refuse(field, ("%s %s must have 1 to %d bytes, got %d"):format(what, show(text), max, #text))
  elseif text:find(ascii.CONTROL) then
    return refuse(field, what .. " " .. show(text) .. " has a control character")
  elseif not core.utf8_valid(text) then
    return refuse(field, what .. " must be UTF-8")
  end
  return true
end

--- Event name: 1..200 bytes, no control characters.
-- @treturn true|nil
function validate.event(name)
  return check_text(name, "event name", "event")
end

--- User id: 1..200 bytes, no control characters. Only the Python library narrows it to channel characters; ids such
-- as `auth0|5f7c` are common.
-- @treturn true|nil
function validate.user_id(id)
  return check_text(id, "user id", "user_id")
end

--- What becomes a part of a path, checked already.
-- @treturn true|nil
function validate.path_part(text, what, field)
  if url.has_step(text) then
    return refuse(field, ('%s %s cannot be part of a path: "." and ".." are steps there'):format(what, show(text)))
  end
  return true
end

--- Socket id: two runs of digits with a dot, to the very end of the string.
-- @treturn true|nil
function validate.socket_id(id)
  if type(id) ~= "string" or not core.is_socket_id(id) then
    return refuse("socket_id", "socket_id " .. show(id) .. " must look like 123.456")
  end
  return true
end

--- `info`: a string such as "user_count,subscription_count", or a list of such names.
-- @treturn string|nil the names joined by commas
function validate.info(info)
  local text = info
  if type(info) == "table" then
    local names = arguments.list(info)
    for _, name in ipairs(names or {}) do
      if type(name) ~= "string" then
        return refuse_info(name)
      end
    end
    text = names and table.concat(names, ",")
  end
  if type(text) ~= "string" or not text:find("^[a-z_][a-z_,]*$") then
    return refuse_info(text)
  end
  return text
end

--- Idempotency key: 1..128 bytes, no control characters.
-- @treturn true|nil
function validate.idempotency_key(key)
  if type(key) ~= "string" then
    return refuse("idempotency_key",
      "idempotency_key must be a string or true, got " .. (key == false and "false" or type(key)))
  end
  return check_text(key, "idempotency_key", "idempotency_key", MAX_KEY_BYTES)
end

local function by_name(a, b)
  return ascii.less(a.name, b.name)
end

--- Further members of an event, whatever the server knows. Their metatables do not count.
-- @treturn table|nil a fresh list of `{ name =, value = }`, sorted by name
function validate.extra(extra)
  local members = {}
  if type(extra) ~= "table" then
    return refuse("extra", "extra must be a table of members, got " .. type(extra))
  end
  for name, value in next, extra do
    if params.OWN_MEMBERS[name] then
      return refuse("extra", ("extra must not have the member %s, which the library sets"):format(name))
    end
    local ok, message, details = check_text(name, "the name of a member of extra", "extra")
    if not ok then
      return nil, message, details
    end
    members[#members + 1] = { name = name, value = value }
  end
  table.sort(members, by_name)
  return members
end

--- The channels of one trigger: a name or a list of 1..100 names.
-- @tparam string|table channels
-- @treturn table|nil a fresh list
function validate.channels(channels)
  if type(channels) == "string" then
    local ok, message, details = validate.channel(channels)
    return ok and { channels }, message, details
  end
  local list, message, details = arguments.entries(channels, validate.MAX_CHANNELS, "channels", "names")
  for _, channel in ipairs(list or {}) do
    local ok
    ok, message, details = validate.channel(channel)
    if not ok then
      return nil, message, details
    end
  end
  return list, message, details
end

local function check_none_encrypted(channels)
  for _, channel in ipairs(channels) do
    if kind.is_encrypted(channel) then
      return errors.fail("encryption", "an encrypted channel cannot share a call with other channels: "
        .. "each has a key of its own; use trigger_batch", { field = "channels" })
    end
  end
  return true
end

--- The channels and the event of one trigger.
-- @tparam string|table channels
-- @tparam string event
-- @treturn table|nil a fresh list of channels
function validate.trigger(channels, event)
  local list, message, details = validate.channels(channels)
  local ok = list
  if ok then
    ok, message, details = validate.event(event)
  end
  if ok and list[2] then
    ok, message, details = check_none_encrypted(list)
  end
  return ok and list, message, details
end

--- An HTTP method, and a path below /apps/ID, percent-encoded.
-- @treturn true|nil
function validate.target(method, path)
  if not find(path, "^/[a-z0-9/_%-]*$") then -- as most are, and without dots and escapes there are no steps
    if not path:find("^/[A-Za-z0-9%-._~!$&'()*+,;=:@%%/]*$") then
      return refuse("path", "path " .. show(path) .. ' must begin with "/" and be percent-encoded, without a query')
    elseif url.has_step(path) then
      return refuse("path", "path " .. show(path) .. ' must not have "." or ".." as a segment')
    end
  end
  if method ~= "POST" and method ~= "GET" and not method:find("^[A-Z]+$") then
    return refuse("method", "method " .. show(method) .. " must be letters in upper case")
  end
  return true
end

return validate
