--- The arguments of events in, body bytes out. Pure. The arguments are checked (validate); then the data becomes text,
-- once, is encrypted when its channel needs that, and is measured.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local kind = require "pusher.channels.kind"
local known = require "pusher.channels.params"
local validate = require "pusher.channels.validate"

local payload = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.payload" }

local fail = errors.fail
local type = type
local is_channel_name, utf8_valid = core.is_channel_name, core.utf8_valid
local is_encrypted = kind.is_encrypted

local NO_PARAMS = {}

local function write_nothing()
end

--- Makes the payloads of one client.
-- @tparam table json as json.new returns
-- @tparam table sealer as encryption.new returns
-- @tparam table limits `{ max_payload_kb =, max_batch =, idempotency = whether each event without a key gets one }`
-- @tparam table keys as idempotency.new returns
function payload.new(json, sealer, limits, keys)
  local max_bytes = math.floor(limits.max_payload_kb * 1024)
  return setmetatable({
    json = json, sealer = sealer, max_bytes = max_bytes, max_batch = limits.max_batch, keys = keys,
    default_key = limits.idempotency or nil,
    write = json.own_encode and core.writer(json.own_encode, max_bytes) or write_nothing,
  }, metatable)
end

--- The text of event data: a string is sent unchanged, all else becomes JSON. What is not UTF-8 is refused: servers
-- drop it, or send other bytes.
-- @param data
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

-- The data of an event for one channel: encoded, and measured in bytes as servers do, which is after encryption.
-- Returns the text, to be encrypted, or nil; message, details.
local function data_of(self, data, encrypted)
  local text, message, details = self:text(data)
  local size = text and #text
  if text and encrypted then
    size, message, details = self.sealer:size(text)
  end
  if size and size > self.max_bytes then
    return fail("too_large", ("event data must have at most %d bytes, got %d%s"):format(
      self.max_bytes, size, encrypted and " after encryption" or ""), { size = size, limit = self.max_bytes })
  end
  return size and text, message, details
end

-- The member `idempotency_key`, after a comma.
local function key_text(self, key)
  if key == true then
    return ',"idempotency_key":"' .. self.keys:next() .. '"'
  end
  local ok, message, details = validate.idempotency_key(key)
  return ok and ',"idempotency_key":' .. self.json.quote(key), message, details
end

-- The members of `extra`, each after a comma.
local function extra_text(self, extra)
  local members, message, details = validate.extra(extra)
  if not members then
    return nil, message, details
  end
  local json = self.json
  for index, member in ipairs(members) do
    local text
    text, message = json.encode(member.value)
    if not text then
      return fail("invalid", ("member %s of extra: %s"):format(arguments.show(member.name), message),
        { field = "extra" })
    end
    members[index] = "," .. json.quote(member.name) .. ":" .. text
  end
  return table.concat(members)
end

-- The optional members as JSON text, each after a comma. Checked, socket_id and info need no escaping.
local function tail_of(self, socket_id, info, key, extra)
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
  if key ~= nil then
    local text, message, details = key_text(self, key)
    if not text then
      return nil, message, details
    end
    tail = tail .. text
  end
  if extra == nil then
    return tail
  end
  local text, message, details = extra_text(self, extra)
  return text and tail .. text, message, details
end

--- The JSON text of one event, in a batch or alone; the publisher keeps these while they wait.
-- @tparam string head all up to the data
-- @tparam string channel one of the event's channels
-- @param data
-- @tparam[opt] string socket_id
-- @tparam[opt] string|table info
-- @tparam[opt] string|boolean key for idempotency; true for one that is made here
-- @tparam[opt] table extra further members; they are not encrypted
-- @treturn string|nil text
function methods:compose(head, channel, data, socket_id, info, key, extra)
  local plain = socket_id == nil and info == nil and key == nil and extra == nil
  local encrypted = is_encrypted(channel)
  local whole = plain and not encrypted and self.write(data, head, "}")
  if whole then
    return whole -- fast path: a table in one call of C
  end
  local tail = ""
  local text, message, details = data_of(self, data, encrypted)
  if text and not plain then
    tail, message, details = tail_of(self, socket_id, info, key, extra)
  end
  if not text or not tail then
    return nil, message, details
  end
  if encrypted then
    return self.sealer:seal(channel, text, head, tail .. "}")
  end
  return self.json.quote(text, head, tail .. "}")
end

-- As compose, and whether the event has a key.
local function with_key(self, head, channel, data, params)
  local key = params.idempotency_key
  if key == nil then
    key = self.default_key
  end
  local text, message, details = self:compose(head, channel, data, params.socket_id, params.info, key, params.extra)
  return text, message, details, key ~= nil
end

--- The body of POST /events.
-- @tparam string|table channels a name or a list of names
-- @tparam string event
-- @param data
-- @tparam[opt] table params `{ socket_id =, info =, idempotency_key =, extra = }`
-- @treturn string|nil body
-- @treturn string|nil message
-- @treturn table|nil details
-- @treturn boolean|nil whether the event has an idempotency key
function methods:event(channels, event, data, params)
  local list, message, details = validate.trigger(channels, event)
  local read = NO_PARAMS
  if list and params then
    read, message, details = arguments.read(params, known.TRIGGER, "trigger parameter")
  end
  if message then
    return nil, message, details
  end
  local first = list[1]
  local names = list[2] and table.concat(list, '","') or first
  local head = '{"name":' .. self.json.quote(event) .. ',"channels":["' .. names .. '"],"data":'
  if read == NO_PARAMS and not self.default_key then -- fast path
    return self:compose(head, first, data)
  end
  return with_key(self, head, first, data, read)
end

--- The body of POST /events for the connections of one user.
-- @tparam string user_id
-- @tparam string event
-- @param data
-- @tparam[opt] table params `{ idempotency_key =, extra = }`
-- @return as `event`
function methods:user_event(user_id, event, data, params)
  local read = NO_PARAMS
  local ok, message, details = validate.user_id(user_id)
  if ok then
    ok, message, details = validate.event(event)
  end
  if ok and params then
    read, message, details = arguments.read(params, known.USER, "parameter of send_to_user")
  end
  if message then
    return nil, message, details
  end
  local channel, quote = "#server-to-user-" .. user_id, self.json.quote
  local head = '{"name":' .. quote(event) .. ',"channels":[' .. quote(channel) .. '],"data":'
  return with_key(self, head, channel, data, read)
end

--- How the JSON text of a batch's event begins: all up to its data.
-- @tparam string channel
-- @tparam string event
-- @treturn string|nil text
function methods:head(channel, event)
  if is_channel_name(channel) and is_channel_name(event) then
    return '{"channel":"' .. channel .. '","name":"' .. event .. '","data":' -- as most are: nothing is to be escaped
  end
  local ok, message, details = validate.channel(channel)
  if ok then
    ok, message, details = validate.event(event)
  end
  return ok and '{"channel":"' .. channel .. '","name":' .. self.json.quote(event) .. ',"data":', message, details
end

-- One event of a batch as JSON text, and whether it has a key. Its members are those of known.BATCH. Not by
-- arguments.read: to copy the table would cost a tenth of the call.
local function item_text(self, item)
  if type(item) ~= "table" then
    return fail("invalid", "must be a table, got " .. type(item))
  end
  local channel, event, data, socket_id, info, extra
  local key = self.default_key
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
    elseif name == "idempotency_key" then
      key = value
    elseif name == "extra" then
      extra = value
    else
      return arguments.unknown("member", name)
    end
  end
  local head, message, details = self:head(channel, event)
  if not head then
    return nil, message, details
  end
  local text
  text, message, details = self:compose(head, channel, data, socket_id, info, key, extra)
  return text, message, details, key ~= nil
end

--- The body of POST /batch_events from texts as `compose` returns them.
-- @tparam table items list of JSON texts
-- @treturn string
function methods:join(items) -- luacheck: no self
  return '{"batch":[' .. table.concat(items, ",") .. "]}"
end

--- The body of POST /batch_events.
-- @tparam table events list of `{ channel =, name =, data =, socket_id =, info =, idempotency_key =, extra = }`
-- @return as `event`: whether all events have a key
function methods:batch(events)
  local items, message, details = arguments.entries(events, self.max_batch, "events", "tables")
  local all_keyed, is_keyed = true
  for index = 1, items and #items or 0 do
    items[index], message, details, is_keyed = item_text(self, items[index])
    all_keyed = all_keyed and is_keyed
    if message then
      details.index = index
      return nil, ("event %d: %s"):format(index, message), details
    end
  end
  return items and self:join(items), message, details, all_keyed
end

return payload
