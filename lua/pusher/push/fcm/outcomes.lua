--- The outcome of each device: counted, reported to the application once, and acted upon where its token is dead.
--
-- Neither a device's token nor anything of a message is ever logged.

local callback = require "pusher.base.callback"

local outcomes = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.outcomes" }

local OUTCOME_OF_CODE = { invalid = "invalid", too_large = "invalid", closed = "closed" }

--- Counts and reports for a handler with such options; with `validate_only`, FCM only checks the messages.
function outcomes.new(options, validate_only)
  return setmetatable({
    options = options,
    validate_only = validate_only,
    counts = { sent = 0, skipped = 0, unregistered = 0, invalid = 0, failed = 0, closed = 0,
      receipts = 0, receipts_failed = 0, receipts_closed = 0, removals_failed = 0 },
  }, metatable)
end

local TRIES = 2

-- What `callbacks:call` raises for lack of memory it raises before it calls on_result.
local function report(self, receipt, device, outcome, message, details)
  local options = self.options
  local ran, raised = not options.on_result, nil
  for _ = 1, ran and 0 or TRIES do
    ran, raised = pcall(options.callbacks.call, options.callbacks, "on_result", nil, options.on_result, receipt, device,
      outcome, message, details)
    if ran then
      return
    end
    collectgarbage() -- Lua 5.1 and LuaJIT do not when memory is short
  end
  if not ran then
    error(raised, 0)
  end
end

local function log_failure(self, device, outcome, message, details)
  callback.log(self.options.log, outcome == "unregistered" and "info" or "warn", "push not delivered: " .. message,
    { uid = device.uid, outcome = outcome, code = details.code, status = details.status })
end

local function remove(self, device)
  local options, fields = self.options, { uid = device.uid }
  if not options.remove or not device.uid or self.validate_only then
    return
  end
  local ok, result, message = options.callbacks:call("remove", fields, options.remove, device.uid, device.device_id)
  if ok and (result or message == nil) then
    return
  end
  if ok then
    callback.log(options.log, "error", "a dead device could not be removed: " .. callback.text(message), fields)
  end
  self.counts.removals_failed = self.counts.removals_failed + 1 -- last: `record` counts a lack of memory itself
end

--- Records the one outcome of a device, which is reported although memory may be short for the rest.
-- @tparam table|nil receipt none for a message of the caller's own
-- @tparam table device `{ uid =, device_id =, platform =, kind = }`
-- @tparam string outcome see docs/push.md
function methods:record(receipt, device, outcome, message, details)
  self.counts[outcome] = self.counts[outcome] + 1
  if message then
    pcall(log_failure, self, device, outcome, message, details)
  end
  if outcome == "unregistered" and not pcall(remove, self, device) then
    self.counts.removals_failed = self.counts.removals_failed + 1
  end
  report(self, receipt, device, outcome, message, details)
end

--- Decides the outcome of a message that was sent, and records it.
-- @tparam table job `{ receipt =, device = }`
-- @tparam table|nil result as pusher.push.fcm.response has it
function methods:judge(job, result, message, details)
  local outcome = "sent"
  if not result then
    outcome = details.dead and "unregistered" or OUTCOME_OF_CODE[details.code] or "failed"
    if details.code == "too_large" and not details.status then
      outcome = "failed" -- the response was too large, not the message
    end
  end
  self:record(job.receipt, job.device, outcome, message, result or details)
end

--- Counts a receipt whose devices are looked up.
function methods:count_receipt()
  self.counts.receipts = self.counts.receipts + 1
end

local function log_receipt(self, message, details)
  callback.log(self.options.log, "error", "push not delivered: " .. message, { code = details.code })
end

--- Records that a whole receipt ended as "failed" or "closed" before its devices were known; reported as a device is.
function methods:record_receipt(receipt, outcome, message, details)
  self.counts["receipts_" .. outcome] = self.counts["receipts_" .. outcome] + 1
  pcall(log_receipt, self, message, details)
  report(self, receipt, nil, outcome, message, details)
end

--- Adds the counts.
function methods:add_stats(stats)
  for name, count in pairs(self.counts) do
    stats[name] = count
  end
end

return outcomes
