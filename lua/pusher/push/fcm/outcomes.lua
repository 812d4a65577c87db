--- What became of each device: counted, told to the application once, and acted upon where its token is dead.
--
-- Foreign functions run under pcall: what they raise goes to the log and stops nothing. Neither a device's
-- token nor anything of a message is ever logged.

local outcomes = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.outcomes" }

local OUTCOME_OF_CODE = { invalid = "invalid", too_large = "invalid", closed = "closed" }

--- @tparam table parts `on_result` (function or nil), `remove` (function or nil), `log` (function(level, message,
--   fields)), `validate_only` (boolean)
-- @treturn table
function outcomes.new(parts)
  return setmetatable({
    on_result = parts.on_result,
    remove = parts.remove,
    logger = parts.log,
    validate_only = parts.validate_only,
    telling = {}, -- how many outcomes each coroutine is telling of: foreign functions may yield
    counts = { sent = 0, skipped = 0, unregistered = 0, invalid = 0, failed = 0, closed = 0,
      receipts = 0, receipts_failed = 0, receipts_closed = 0, removals_failed = 0 },
  }, metatable)
end

--- Writes to the log; a logger that raises changes nothing.
-- @tparam string level
-- @tparam string message
-- @tparam[opt] table fields
function methods:log(level, message, fields)
  pcall(self.logger, level, message, fields or {})
end

local function current()
  return (coroutine.running()) or "main" -- 5.1 has no object for the main one
end

-- Calls a foreign function.
local function call(self, foreign, ...)
  local here = current()
  self.telling[here] = (self.telling[here] or 0) + 1
  local ok, result, problem = pcall(foreign, ...)
  self.telling[here] = self.telling[here] > 1 and self.telling[here] - 1 or nil
  return ok, result, problem
end

--- Whether other coroutines than the caller's are inside `remove` or `on_result`.
-- @treturn boolean
function methods:is_telling()
  for teller in pairs(self.telling) do
    if teller ~= current() then
      return true
    end
  end
  return false
end

local function tell(self, receipt, device, outcome, message, details)
  if not self.on_result then
    return
  end
  local ok, trouble = call(self, self.on_result, receipt, device, outcome, message, details)
  if not ok then
    self:log("error", "on_result raised: " .. tostring(trouble))
  end
end

local function remove(self, device)
  if not self.remove or not device.uid or self.validate_only then
    return
  end
  local ok, result, problem = call(self, self.remove, device.uid, device.device_id)
  if not ok then
    problem = result
  elseif result or problem == nil then
    return
  end
  self.counts.removals_failed = self.counts.removals_failed + 1
  self:log("error", "a dead device could not be removed: " .. tostring(problem), { uid = device.uid })
end

--- Records the one outcome of a device.
-- @tparam table|nil receipt
-- @tparam table device `{ uid =, device_id =, platform =, kind = }`
-- @tparam string outcome see pusher.push.fcm
-- @tparam[opt] string message
-- @tparam[opt] table details
function methods:record(receipt, device, outcome, message, details)
  self.counts[outcome] = self.counts[outcome] + 1
  if message then
    self:log(outcome == "unregistered" and "info" or "warn", "push not delivered: " .. message,
      { uid = device.uid, outcome = outcome, code = details.code, status = details.status })
  end
  if outcome == "unregistered" then
    remove(self, device)
  end
  tell(self, receipt, device, outcome, message, details)
end

--- Decides the outcome of a message that was sent, and records it.
-- @tparam table entry `{ receipt =, device = }`
-- @tparam table|nil result as pusher.push.fcm.response has it
-- @tparam[opt] string message
-- @tparam[opt] table details
function methods:judge(entry, result, message, details)
  if result then
    return self:record(entry.receipt, entry.device, "sent", nil, { name = result.name })
  end
  local outcome = details.dead and "unregistered" or OUTCOME_OF_CODE[details.code] or "failed"
  return self:record(entry.receipt, entry.device, outcome, message, details)
end

--- Records that a whole receipt came to nothing before its devices were known.
-- @tparam table receipt
-- @tparam string outcome "failed" or "closed"
-- @tparam string message
-- @tparam table details
function methods:record_receipt(receipt, outcome, message, details)
  self.counts["receipts_" .. outcome] = self.counts["receipts_" .. outcome] + 1
  self:log("error", "push not delivered: " .. message, { code = details.code })
  tell(self, receipt, nil, outcome, message, details)
end

return outcomes
