--- Batches that wait to be sent again, and the pause that the server asked for.
--
-- Fields to read: `size`, how many wait.

local retry = require "pusher.base.retry"
local schedule = require "pusher.base.schedule"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local retries = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.retries" }

--- Makes an object without batches.
-- @tparam table settings `retry` = rules of pusher.base.retry with `attempts`; `now` = the clock, in seconds
-- @tparam function random function(n) returning n random bytes
function retries.new(settings, random)
  return setmetatable({
    rules = settings.retry,
    now = settings.now,
    random = random,
    size = 0,
    waiting = schedule.new(),
    paused_until = -math.huge, -- no request before this time (Retry-After)
  }, metatable)
end

--- Adds a batch.
-- @tparam table batch
-- @tparam number due a time of the clock
function methods:add(batch, due)
  self.waiting:add(batch, due)
  self.size = self.waiting.size
end

--- Whether no request may be sent now.
function methods:is_paused(now)
  return now < self.paused_until
end

--- Removes the first batch that is due.
-- @treturn table|nil batch
function methods:take(now)
  local batch = self.waiting:take(now)
  self.size = self.waiting.size
  return batch
end

--- When the next batch may be sent.
-- @tparam number|nil fresh when there will be one that was never sent
-- @treturn number|nil a time of the clock
function methods:due(fresh)
  local due = self.waiting:due()
  if fresh then
    due = due and math.min(due, fresh) or fresh
  end
  return due and math.max(due, self.paused_until)
end

--- Looks at a failure: when the same may be sent again. The pause that the server asked for begins in any case.
-- @tparam number attempts how many have been made
-- @tparam table details of the failure
-- @treturn number|nil a time of the clock; nil for never
function methods:due_after(attempts, details)
  local now = self.now()
  local limited = details.code == "rate_limited"
  local pause = retry.pause(details)
  local chance = retry.chance(self.random)
  if pause then
    self.paused_until = math.max(self.paused_until, now + pause + (limited and self.rules.base * chance or 0))
  end
  if not details.retryable or attempts >= self.rules.attempts then
    return nil
  end
  -- After a 429 every batch waits as long, so they are sent again in the order in which they were refused.
  return now + (limited and pause or retry.delay(self.rules, attempts, pause, chance))
end

--- Removes all batches; takes no memory.
function methods:clear()
  repeat
    local batch = self:take(math.huge)
  until not batch
end

return retries
