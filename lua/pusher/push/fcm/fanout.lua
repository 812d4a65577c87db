--- From one receipt to a message per device, made only when there is room to send it.

local errors = require "pusher.base.errors"
local message = require "pusher.push.fcm.message"
local receipt_room = require "pusher.push.tinode.receipt"

local fanout = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.fanout" }

local fail = errors.fail

-- A queue: first in, first out.
local function fifo()
  return { first = 1, last = 0 }
end

local function put(list, value)
  list.last = list.last + 1
  list[list.last] = value
end

local function take(list)
  if list.first > list.last then
    return nil
  end
  local value = list[list.first]
  list[list.first] = nil
  list.first = list.first + 1
  return value
end

local function length(list)
  return list.last - list.first + 1
end

--- @tparam table parts `devices` (function(uids) -> uid to list of devices), `config` (config.check), `json`,
--   `clock`, `outcomes`
-- @treturn table
function fanout.new(parts)
  return setmetatable({
    devices = parts.devices,
    config = parts.config,
    json = parts.json,
    clock = parts.clock,
    outcomes = parts.outcomes,
    queue = fifo(), -- receipts, and messages made by hand
    entries = fifo(), -- devices of the receipts that were looked up
    expanding = 0, -- receipts whose devices are being looked up: inside nginx that may take its time
    abandoned = false,
  }, metatable)
end

-- Whether one more may wait.
local function check_room(self)
  if self.abandoned then
    return fail("closed", "the FCM handler has been stopped")
  elseif length(self.queue) >= self.config.buffer then
    return fail("full", ("the queue is full: %d receipts wait"):format(length(self.queue)),
      { limit = self.config.buffer })
  end
  return true
end

--- Takes a receipt, or refuses it when the queue is full.
-- @tparam table given receipt
-- @treturn true|nil
function methods:push(given)
  local ok, problem, details = check_room(self)
  if not ok then
    return nil, problem, details
  end
  local receipt, data
  receipt, problem, details = receipt_room.check(given, self.clock())
  if not receipt then
    return nil, problem, details
  end
  data, problem, details = message.data(receipt)
  if not data then
    return nil, problem, details
  end
  -- What no device's message could mend is told now; the target is made up.
  ok, problem, details = message.check { token = "any", data = data }
  if not ok then
    return nil, problem, details
  end
  put(self.queue, { receipt = receipt, data = data })
  return true
end

--- Takes a message that was made by hand.
-- @tparam table given message
-- @treturn true|nil
function methods:push_message(given)
  local ok, problem, details = check_room(self)
  if not ok then
    return nil, problem, details
  end
  local target, body
  target, problem, details = message.check(given)
  if not target then
    return nil, problem, details
  end
  body, problem, details = message.encode(given, self.config.validate_only, self.json)
  if not body then
    return nil, problem, details
  end
  put(self.queue, { device = { device_id = given[target], kind = target }, body = body })
  return true
end

local function is_absent(value)
  return value == nil or type(value) == "userdata" or value == ""
end

-- What is wrong with a device record, or why it is passed over.
local function judge(device, reached)
  local kind = device.kind
  if is_absent(device.device_id) or reached[device.device_id] then
    return "skipped"
  elseif type(device.device_id) ~= "string" or (kind ~= nil and kind ~= "token" and kind ~= "fid") then
    return "invalid", fail("invalid", 'a device needs a string device_id, and kind "token" or "fid"',
      { field = "device_id" })
  end
end

local function expand_user(self, item, uid, records, reached)
  for index = 1, #records do
    local record = type(records[index]) == "table" and records[index] or { device_id = false }
    local device = { uid = uid, device_id = record.device_id, platform = record.platform, kind = record.kind }
    local outcome, _, problem, details = judge(device, reached)
    if outcome then
      self.outcomes:record(item.receipt, device, outcome, problem, details)
    else
      reached[device.device_id] = true
      put(self.entries, { item = item, device = device })
    end
  end
end

-- Devices that one of the users holds already are passed over for all of them.
local function reached_devices(receipt)
  local reached = {}
  for _, recipient in pairs(receipt.to) do
    for _, id in ipairs(recipient.devices) do
      reached[id] = true
    end
  end
  return reached
end

local function expand(self, item)
  if item.body then
    put(self.entries, { item = item, device = item.device })
    return
  end
  local receipt = item.receipt
  local uids = receipt_room.uids(receipt)
  self.outcomes.counts.receipts = self.outcomes.counts.receipts + 1
  local ok, found, problem = pcall(self.devices, uids)
  if not ok or type(found) ~= "table" then
    return self.outcomes:record_receipt(receipt, "failed",
      select(2, fail("response", "the device store failed: " .. tostring(not ok and found or problem or "no table"))))
  end
  local reached = reached_devices(receipt)
  for _, uid in ipairs(uids) do
    if type(found[uid]) == "table" then
      expand_user(self, item, uid, found[uid], reached)
    end
  end
end

local function prepare(self, entry)
  local item, device = entry.item, entry.device
  if item.body then
    return { device = device, body = item.body }
  end
  local unread = item.receipt.to[device.uid].unread
  local built = message.build(item.data, device, unread, self.config, self.clock())
  local body
  local ok, problem, details = message.check(built)
  if ok then
    body, problem, details = message.encode(built, self.config.validate_only, self.json)
  end
  if not body then
    self.outcomes:record(item.receipt, device, "invalid", problem, details)
    return nil
  end
  return { receipt = item.receipt, device = device, body = body }
end

--- The next message to send. Looks up the devices of at most one receipt.
-- @treturn table|nil job `{ receipt =, device =, body = }`
-- @treturn boolean whether anything was done; if so and there is no job, call again
function methods:next_job()
  local entry = take(self.entries)
  if entry then
    return prepare(self, entry), true
  end
  local item = take(self.queue)
  if not item then
    return nil, false
  end
  self.expanding = self.expanding + 1
  expand(self, item)
  self.expanding = self.expanding - 1
  if self.abandoned then
    self:abandon()
  end
  return nil, true
end

--- @treturn boolean whether there is nothing that `next_job` could do
function methods:is_empty()
  return length(self.queue) + length(self.entries) == 0
end

--- @treturn number receipts whose devices are not known yet
-- @treturn number devices whose turn has not come
function methods:waiting()
  return length(self.queue) + self.expanding, length(self.entries)
end

local function closed()
  return select(2, fail("closed", "the handler was stopped before the message was sent"))
end

--- Gives up everything that waits: each device, and each receipt, ends as closed.
function methods:abandon()
  self.abandoned = true
  local entry = take(self.entries)
  while entry do
    self.outcomes:record(entry.item.receipt, entry.device, "closed", closed())
    entry = take(self.entries)
  end
  local item = take(self.queue)
  while item do
    if item.body then
      self.outcomes:record(nil, item.device, "closed", closed())
    else
      self.outcomes:record_receipt(item.receipt, "closed", closed())
    end
    item = take(self.queue)
  end
end

return fanout
