--- The events of a request, as a test wants to see them: one for each channel, with its data decoded. Pure.

local json_null = require("pusher.base.json").is_null
local kind = require "pusher.channels.kind"
local view = require "pusher.transport.recorder.view"

local events = {}

local TO_USER = "#server-to-user-"

-- The members that the library writes; all others are `extra`.
local KNOWN = {
  name = true, channel = true, channels = true, data = true, socket_id = true, info = true, idempotency_key = true,
}

local function decoded(text, json)
  local value, message
  if type(text) == "string" then
    value, message = json.decode(text)
  end
  if message or type(text) ~= "string" then
    return text -- no JSON
  elseif json_null(value) then
    return nil
  end
  return value
end

-- Without the key the data remains what the server sees.
local function decrypt(event, channel, json, sealer)
  local envelope = event.data
  event.encrypted = true
  if sealer and type(envelope) == "table" then
    local text, message = sealer:open(channel, envelope)
    if text then
      event.data = decoded(text, json)
    else
      event.error = message
    end
  end
end

local function extra_of(item)
  local extra
  for name, value in pairs(item) do
    if not KNOWN[name] then
      extra = extra or {}
      extra[name] = value
    end
  end
  return extra
end

-- One event for one channel. Each gets values of its own, decoded once more, so that a test may change them.
local function read(item, channel, json, sealer)
  local event = {
    name = item.name, data = decoded(item.data, json), socket_id = item.socket_id,
    info = item.info and view.info(item.info), idempotency_key = item.idempotency_key, extra = extra_of(item),
  }
  if type(channel) == "string" and channel:sub(1, #TO_USER) == TO_USER then
    event.user_id = channel:sub(#TO_USER + 1)
  else
    event.channel = channel
  end
  if type(channel) == "string" and kind.is_encrypted(channel) then
    decrypt(event, channel, json, sealer)
  end
  return event
end

-- The events in a body, each with its channels; a body that somebody has written by hand may be anything.
local function items_of(seen)
  local path, body = view.of_app(seen.path), seen.json
  if seen.method ~= "POST" or type(body) ~= "table" then
    return {}
  elseif path == "/events" then
    return { body }
  end
  return path == "/batch_events" and type(body.batch) == "table" and body.batch or {}
end

--- Adds the events of a request to a list.
-- @tparam table list
-- @tparam table seen as view.of returns
-- @tparam table json as json.new returns
-- @tparam[opt] table sealer as encryption.new returns, for encrypted channels
function events.add(list, seen, json, sealer)
  for _, item in ipairs(items_of(seen)) do
    local channels = type(item) == "table" and (item.channels or { item.channel })
    for _, channel in ipairs(type(channels) == "table" and channels or {}) do
      list[#list + 1] = read(item, channel, json, sealer)
    end
  end
end

return events
