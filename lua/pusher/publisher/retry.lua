--- How long to wait before a call is made again. Pure.

local retry = {}

--- No server is waited for longer than this, in seconds, whatever it asks.
retry.LONGEST = 3600

local EXPONENT_MAX = 30

--- Doubling from `base` up to `max`, of which the second half is left to chance:
-- publishers that failed together do not come back together. What the server
-- asked for (Retry-After) is waited for in full, and chance comes on top.
-- @tparam table settings `base` and `max` in seconds
-- @tparam number attempt 1 for the first repetition
-- @tparam number|nil retry_after seconds, as the server said
-- @tparam number chance 0 <= chance < 1
-- @treturn number seconds
function retry.delay(settings, attempt, retry_after, chance)
  local full = math.min(settings.max, settings.base * 2 ^ math.min(attempt - 1, EXPONENT_MAX))
  local delay = full * (0.5 + 0.5 * chance)
  if not retry_after then
    return delay
  end
  return math.max(delay, math.min(retry_after, retry.LONGEST) + settings.base * chance)
end

return retry
