--- Checked arguments in, body bytes out. Pure. Data becomes text once, here;
-- it is sealed here when its channel asks for it, and measured after that.

local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local arguments = require "pusher.base.arguments"
local validate = require "pusher.channels.validate"

local payload = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.payload" }

local fail = errors.fail

local TRIGGER_PARAMS = { socket_id = true, info = true }
local BATCH_MEMBERS = { channel = true, name = true, data = true, socket_id = true, info = true }

--- @tparam table json as json.new returns
-- @tparam table sealer as encryption.new returns
-- @tparam table limits `{ max_payload_kb =, max_batch = }`
function payload.new(json, sealer, limits)
  return setmetatable({
    json = json,
    sealer = sealer,
    max_bytes = math.floor(limits.max_payload_kb * 1024),
    max_batch = limits.max_batch,
  }, metatable)
end

--- The text of event data: a string goes as it is, all else becomes JSON.
-- @treturn string|nil
function methods:text(data)
  if type(data) == "string" then
    return data
  elseif data == nil then
    return "null"
  end
  return self.json.encode(data)
end

--- The data of an event as it goes out to one channel: encoded, sealed, measured.
-- Measured in bytes after sealing, as servers do.
-- @tparam string channel
-- @param data
-- @treturn string|nil
function methods:data(channel, data)
  local text, message, details = self:text(data)
  if text and encryption.is_encrypted(channel) then
    text, message, details = self.sealer:seal(channel, text)
  end
  if not text then
    return nil, message, details
  elseif #text > self.max_bytes then
    return fail("too_large", ("event data has %d bytes%s, the limit is %d"):format(
      #text, encryption.is_encrypted(channel) and " after encryption" or "", self.max_bytes),
      { size = #text, limit = self.max_bytes })
  end
  return text
end

--- The optional members `socket_id` and `info` as JSON text, each after a comma.
-- @tparam[opt] table params
-- @treturn string|nil
function methods:tail(params)
  if not params or (params.socket_id == nil and params.info == nil) then
    return ""
  end
  local out = ""
  if params.socket_id ~= nil then
    local ok, message, details = validate.socket_id(params.socket_id)
    if not ok then
      return nil, message, details
    end
    out = ',"socket_id":' .. self.json.quote(params.socket_id)
  end
  if params.info ~= nil then
    local info, message, details = validate.info(params.info)
    if not info then
      return nil, message, details
    end
    out = out .. ',"info":' .. self.json.quote(info)
  end
  return out
end

local function check_none_encrypted(channels)
  for _, channel in ipairs(channels) do
    if encryption.is_encrypted(channel) then
      return fail("encryption", "an encrypted channel cannot share a call with other channels: "
        .. "each has a key of its own; use trigger_batch", { field = "channels" })
    end
  end
  return true
end

-- Quoted one by one: the channel of a user may hold any character.
local function quoted_list(quote, names)
  if not names[2] then
    return quote(names[1])
  end
  local quoted = {}
  for index = 1, #names do
    quoted[index] = quote(names[index])
  end
  return table.concat(quoted, ",")
end

--- The body of POST /events.
-- @tparam table channels checked list of names
-- @tparam string event
-- @param data
-- @tparam[opt] table params `{ socket_id =, info = }`
-- @treturn string|nil
function methods:event(channels, event, data, params)
  local ok, message, details = validate.event(event)
  if ok and params then
    ok, message, details = arguments.members(params, TRIGGER_PARAMS, "trigger parameter")
  end
  if ok and channels[2] then
    ok, message, details = check_none_encrypted(channels)
  end
  if not ok then
    return nil, message, details
  end
  local quote = self.json.quote
  local text, rest
  text, message, details = self:data(channels[1], data)
  if not text then
    return nil, message, details
  end
  rest, message, details = self:tail(params)
  if not rest then
    return nil, message, details
  end
  return '{"name":' .. quote(event) .. ',"channels":[' .. quoted_list(quote, channels)
    .. '],"data":' .. quote(text) .. rest .. "}"
end

--- How the JSON text of a batch's event begins: all up to its data.
-- @tparam string channel
-- @tparam string event
-- @treturn string|nil
function methods:head(channel, event)
  local ok, message, details = validate.channel(channel)
  if ok then
    ok, message, details = validate.event(event)
  end
  if not ok then
    return nil, message, details
  end
  return '{"channel":"' .. channel .. '","name":' .. self.json.quote(event) .. ',"data":'
end

--- One event of a batch as JSON text; the publisher keeps these while they wait.
-- @tparam string head as `head` returned it
-- @tparam string channel
-- @param data
-- @tparam[opt] table params `{ socket_id =, info = }`
-- @treturn string|nil
function methods:compose(head, channel, data, params)
  local text, message, details = self:data(channel, data)
  if not text then
    return nil, message, details
  end
  if not params then
    return head .. self.json.quote(text) .. "}"
  end
  local rest
  rest, message, details = self:tail(params)
  if not rest then
    return nil, message, details
  end
  return head .. self.json.quote(text) .. rest .. "}"
end

--- One event of a batch as JSON text.
-- @tparam table item `{ channel =, name =, data =, socket_id =, info = }`
-- @treturn string|nil
function methods:item(item)
  local head
  local ok, message, details = arguments.members(item, BATCH_MEMBERS, "member")
  if ok then
    head, message, details = self:head(item.channel, item.name)
  end
  if not head then
    return nil, message, details
  end
  return self:compose(head, item.channel, item.data, item)
end

--- The body of POST /batch_events from items as `item` returns them.
-- @tparam table items list of JSON texts
-- @treturn string
function payload.join(items)
  return '{"batch":[' .. table.concat(items, ",") .. "]}"
end

--- The body of POST /batch_events.
-- @tparam table events list of items
-- @treturn string|nil
function methods:batch(events)
  local count = arguments.list_length(events)
  if not count or count == 0 or count > self.max_batch then
    return fail("invalid", ("%s given, 1 to %d are allowed in one batch"):format(
      count and count .. " events" or "events that are no list", self.max_batch),
      { field = "events", limit = self.max_batch })
  end
  local items = {}
  for index = 1, count do
    local event = events[index]
    if type(event) ~= "table" then
      return fail("invalid", ("event %d is not a table"):format(index), { index = index })
    end
    local item, message, details = self:item(event)
    if not item then
      details.index = index
      return nil, ("event %d: %s"):format(index, message), details
    end
    items[index] = item
  end
  return payload.join(items)
end

return payload
