--- One receipt in, a message per device out; each message is made only when it can be sent.
--
-- What is interrupted for lack of memory goes back into its queue. To add to one takes no memory: its nodes have all
-- their fields from the beginning.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local list = require "pusher.base.list"
local messages = require "pusher.push.fcm.message"
local receipts = require "pusher.push.tinode.receipt"

local fanout = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.fanout" }

local fail = errors.fail

--- Makes a fanout with the handler's options, its configuration and its pusher.push.fcm.outcomes.
function fanout.new(options, config, outcomes)
  return setmetatable({
    options = options,
    config = config,
    outcomes = outcomes,
    items = list.new(), -- receipts, and jobs for messages of the caller's own
    entries = list.new(), -- devices of the receipts that were looked up
    expanding = 0, -- receipts whose devices are being looked up: inside nginx `devices` may yield
    abandoned = nil, -- what everything ends with once it is given up: { message, details }
  }, metatable)
end

-- The fields up to `pending` are the sender's.
local function new_job(receipt, device, body)
  return { attempts = 0, deadline = 0, token = false, in_flight = false, settled = false, pending = false,
    receipt = receipt, device = device, body = body, prev = false, next = false }
end

-- Whether one more may wait.
local function check_limit(self)
  local length, limit = self.items.size, self.config.buffer
  if self.abandoned then
    return fail("closed", "the FCM handler has been stopped")
  elseif length >= limit then
    return fail("full", ("the queue is full: %d receipts are waiting, the limit is %d"):format(length, limit),
      { limit = limit })
  end
  return true
end

--- Accepts a receipt, or refuses it when the queue is full.
-- @treturn true|nil
function methods:push(given)
  local receipt, data, target
  local ok, message, details = check_limit(self)
  if ok then
    receipt, message, details = receipts.check(given, self.options.clock())
  end
  if receipt then
    data, message, details = messages.data(receipt)
  end
  if data then
    -- Checks the shared part once, with a dummy target.
    target, message, details = messages.check { token = "any", data = data }
  end
  if not target then
    return nil, message, details
  end
  self.items:push { receipt = receipt, data = data, expanded = false, prev = false, next = false }
  return true
end

--- Accepts a message of the caller's own.
-- @treturn true|nil
function methods:push_message(given)
  local target, body
  local ok, message, details = check_limit(self)
  if ok then
    target, message, details = messages.check(given)
  end
  if target then
    body, message, details = messages.encode(given, self.config.validate_only, self.options.json)
  end
  ok = body
  if body then
    ok, message, details = check_limit(self) -- again: the codec may have used the handler
  end
  if not ok then
    return nil, message, details
  end
  self.items:push(new_job(nil, { device_id = rawget(given, target), kind = target }, body))
  return true
end

-- The outcome of a device that gets no message, with message and details when its record is malformed.
local function refuse(device, reached)
  local id, kind = device.device_id, device.kind
  if json_codec.is_null(id) or id == "" or reached[id] then
    return "skipped"
  elseif type(id) ~= "string" or (kind ~= nil and kind ~= "token" and kind ~= "fid") then
    return "invalid", select(2, fail("invalid", 'a device needs a string device_id, and kind "token" or "fid"',
      { field = "device_id" }))
  end
end

-- Adds the user's devices to a list, as nodes of `entries` with the outcome of those that get no message.
local function list_user(entries, item, uid, records, reached)
  for index = 1, arguments.length(records) do
    local record = rawget(records, index)
    record = type(record) == "table" and record or { device_id = false }
    local device = { uid = uid, device_id = rawget(record, "device_id"), platform = rawget(record, "platform"),
      kind = rawget(record, "kind") }
    local outcome, message, details = refuse(device, reached)
    if not outcome then
      reached[device.device_id] = true
    end
    entries[#entries + 1] = { item = item, device = device, outcome = outcome, message = message, details = details,
      prev = false, next = false }
  end
end

-- Devices that have reached one of the users already are skipped for all of them.
local function reached_devices(receipt)
  local reached = {}
  for _, recipient in pairs(receipt.to) do
    for _, id in ipairs(recipient.devices) do
      reached[id] = true
    end
  end
  return reached
end

-- Looks up a receipt's devices.
-- @treturn table|nil list of them, see list_user; nil, message, details when the store fails
local function look_up(self, item)
  local receipt, options, entries = item.receipt, self.options, {}
  local uids = receipts.uids(receipt)
  local ok, found, message = options.callbacks:call("devices", nil, options.devices, uids)
  if not ok or type(found) ~= "table" then
    message = not ok and found or message or ("it must return a table, got " .. type(found))
    return fail("response", "the device store failed: " .. callback.text(message))
  end
  local reached = reached_devices(receipt)
  for _, uid in ipairs(uids) do
    local records = rawget(found, uid)
    if type(records) == "table" then
      list_user(entries, item, uid, records, reached)
    end
  end
  return entries
end

local function expand(self, item)
  local entries, message, details = look_up(self, item)
  -- From here on nothing takes memory until each device is in a list: the receipt does not go back into its queue.
  item.expanded = true
  self.outcomes:count_receipt()
  if not entries then
    return self.outcomes:record_receipt(item.receipt, "failed", message, details)
  end
  for _, entry in ipairs(entries) do
    if not entry.outcome then
      self.entries:push(entry)
    end
  end
  for _, entry in ipairs(entries) do
    if entry.outcome then
      self.outcomes:record(item.receipt, entry.device, entry.outcome, entry.message, entry.details)
    end
  end
end

-- The job of a device's message; nil, message, details when there can be none.
local function make_job(self, entry, now)
  local item, device, options = entry.item, entry.device, self.options
  local unread = item.receipt.to[device.uid].unread
  local built = messages.build(item.data, device, unread, self.config, now)
  local body
  local ok, message, details = messages.check(built)
  if ok then
    body, message, details = messages.encode(built, self.config.validate_only, options.json)
  end
  return body and new_job(item.receipt, device, body), message, details
end

local function prepare(self, entry, now)
  local ran, job, message, details = pcall(make_job, self, entry, now)
  if not ran then
    self.entries:push(entry)
    error(job, 0)
  elseif not job then
    self.outcomes:record(entry.item.receipt, entry.device, "invalid", message, details)
  end
  return job or nil
end

--- The next message to send. Looks up the devices of at most one receipt.
-- @treturn table|nil job `{ receipt =, device =, body = }`, the receipt nil for a message of the caller's own
-- @treturn boolean whether anything was done; if so and there is no job, call again
function methods:next_job()
  local now = self.entries.first and self.options.clock() -- before the device is taken: the clock may raise
  local entry = now and self.entries:shift()
  if entry then
    return prepare(self, entry, now), true
  end
  local item = self.items:shift()
  if not item or item.body then
    return item, item ~= nil
  end
  self.expanding = self.expanding + 1
  local ran, raised = pcall(expand, self, item)
  self.expanding = self.expanding - 1
  if not ran and not item.expanded then
    self.items:push(item)
  end
  if self.abandoned then
    self:abandon(self.abandoned[1], self.abandoned[2])
  end
  if not ran then
    error(raised, 0)
  end
  return nil, true
end

--- @treturn boolean whether there is nothing that `next_job` could do
function methods:is_empty()
  return self.items.size + self.entries.size == 0
end

--- @treturn number receipts whose devices are not known yet
-- @treturn number devices whose message has not been made
function methods:waiting()
  return self.items.size + self.expanding, self.entries.size
end

--- Gives up everything that waits: each device, and each receipt, ends as closed.
function methods:abandon(message, details)
  self.abandoned = { message, details }
  local function closed()
    return select(2, fail(details.code, message, details))
  end
  -- The failure is made first: what has left its list must not be lost for lack of memory.
  while self.entries.first do
    local text, own = closed()
    local entry = self.entries:shift()
    self.outcomes:record(entry.item.receipt, entry.device, "closed", text, own)
  end
  while self.items.first do
    local text, own = closed()
    local item = self.items:shift()
    if item.body then
      self.outcomes:record(nil, item.device, "closed", text, own)
    else
      self.outcomes:record_receipt(item.receipt, "closed", text, own)
    end
  end
end

return fanout
