--- The arguments of events in, body bytes out. Pure. The arguments are checked (validate); then the data becomes text,
-- once, is encrypted when its channel needs that, and is measured.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local kind = require "pusher.channels.kind"
local validate = require "pusher.channels.validate"

local payload = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.payload" }

local fail = errors.fail
local is_encrypted, utf8_valid = kind.is_encrypted, core.utf8_valid

local PARAMS, NO_PARAMS = { socket_id = true, info = true }, {}

--- Makes the payloads of one client.
-- @tparam table json as json.new returns
-- @tparam table sealer as encryption.new returns
-- @tparam table limits `{ max_payload_kb =, max_batch = }`
function payload.new(json, sealer, limits)
  return setmetatable({
    json = json, sealer = sealer, max_bytes = math.floor(limits.max_payload_kb * 1024), max_batch = limits.max_batch,
  }, metatable)
end

--- The text of event data: a string is sent unchanged, all else becomes JSON. What is not UTF-8 is refused: servers
-- drop it, or send other bytes.
-- @treturn string|nil text
function methods:text(data)
  if type(data) == "string" then
    if utf8_valid(data) then
      return data
    end
    return fail("invalid", "data must be UTF-8; encode bytes, for example as base64", { field = "data" })
  elseif data == nil then
    return "null"
  end
  return self.json.encode(data)
end

--- The data of an event for one channel: encoded, encrypted, and then measured in bytes, as servers do.
-- @tparam string channel
-- @param data
-- @treturn string|nil text
function methods:data(channel, data)
  local text, message, details = self:text(data)
  local encrypted = is_encrypted(channel)
  if text and encrypted then
    text, message, details = self.sealer:seal(channel, text)
  end
  if text and #text > self.max_bytes then
    return fail("too_large", ("event data must have at most %d bytes, got %d%s"):format(
      self.max_bytes, #text, encrypted and " after encryption" or ""), { size = #text, limit = self.max_bytes })
  end
  return text, message, details
end

-- The optional members `socket_id` and `info` as JSON text, each after a comma. Checked, they need no escaping.
local function tail_of(socket_id, info)
  local tail = ""
  if socket_id ~= nil then
    local ok, message, details = validate.socket_id(socket_id)
    if not ok then
      return nil, message, details
    end
    tail = ',"socket_id":"' .. socket_id .. '"'
  end
  if info ~= nil then
    local text, message, details = validate.info(info)
    if not text then
      return nil, message, details
    end
    tail = tail .. ',"info":"' .. text .. '"'
  end
  return tail
end

--- The JSON text of one event, in a batch or alone; the publisher keeps these while they wait.
-- @tparam string head all up to the data
-- @tparam string channel one of the event's channels
-- @param data
-- @tparam[opt] string socket_id
-- @tparam[opt] string|table info
-- @treturn string|nil text
function methods:compose(head, channel, data, socket_id, info)
  local tail = ""
  local text, message, details = self:data(channel, data)
  if text and (socket_id ~= nil or info ~= nil) then
    tail, message, details = tail_of(socket_id, info)
  end
  if not text or not tail then
    return nil, message, details
  end
  return head .. self.json.quote(text) .. tail .. "}"
end

--- The body of POST /events.
-- @tparam string|table channels a name or a list of names
-- @tparam string event
-- @param data
-- @tparam[opt] table params `{ socket_id =, info = }`
-- @treturn string|nil body
function methods:event(channels, event, data, params)
  local list, message, details = validate.trigger(channels, event)
  local read = NO_PARAMS
  if list and params then
    read, message, details = arguments.read(params, PARAMS, "trigger parameter")
  end
  if message then
    return nil, message, details
  end
  local first = list[1]
  local names = list[2] and table.concat(list, '","') or first
  local head = '{"name":' .. self.json.quote(event) .. ',"channels":["' .. names .. '"],"data":'
  return self:compose(head, first, data, read.socket_id, read.info)
end

--- The body of POST /events for the connections of one user.
-- @tparam string user_id
-- @tparam string event
-- @param data
-- @treturn string|nil body
function methods:user_event(user_id, event, data)
  local ok, message, details = validate.user_id(user_id)
  if ok then
    ok, message, details = validate.event(event)
  end
  if not ok then
    return nil, message, details
  end
  local channel, quote = "#server-to-user-" .. user_id, self.json.quote
  return self:compose('{"name":' .. quote(event) .. ',"channels":[' .. quote(channel) .. '],"data":', channel, data)
end

--- How the JSON text of a batch's event begins: all up to its data.
-- @tparam string channel
-- @tparam string event
-- @treturn string|nil text
function methods:head(channel, event)
  local ok, message, details = validate.channel(channel)
  if ok then
    ok, message, details = validate.event(event)
  end
  return ok and '{"channel":"' .. channel .. '","name":' .. self.json.quote(event) .. ',"data":', message, details
end

-- One event of a batch as JSON text. Not by arguments.read: to copy the table would cost a tenth of the call.
local function item_text(self, item)
  if type(item) ~= "table" then
    return fail("invalid", "must be a table, got " .. type(item))
  end
  local channel, event, data, socket_id, info
  for name, value in next, item do
    if name == "channel" then
      channel = value
    elseif name == "name" then
      event = value
    elseif name == "data" then
      data = value
    elseif name == "socket_id" then
      socket_id = value
    elseif name == "info" then
      info = value
    else
      return arguments.unknown("member", name)
    end
  end
  local head, message, details = self:head(channel, event)
  if not head then
    return nil, message, details
  end
  return self:compose(head, channel, data, socket_id, info)
end

--- The body of POST /batch_events from texts as `compose` returns them.
-- @tparam table items list of JSON texts
-- @treturn string
function methods:join(items) -- luacheck: no self
  return '{"batch":[' .. table.concat(items, ",") .. "]}"
end

--- The body of POST /batch_events.
-- @tparam table events list of `{ channel =, name =, data =, socket_id =, info = }`
-- @treturn string|nil body
function methods:batch(events)
  local items, message, details = arguments.entries(events, self.max_batch, "events", "tables")
  for index = 1, items and #items or 0 do
    items[index], message, details = item_text(self, items[index])
    if message then
      details.index = index
      return nil, ("event %d: %s"):format(index, message), details
    end
  end
  return items and self:join(items), message, details
end

return payload
