--- How long to wait before a call is retried. Pure.

local http = require "pusher.base.http"

local retry = {}

local MAX_EXPONENT = 30

-- Seconds, after a 429 without Retry-After (soketi): servers count events per second.
local DEFAULT_PAUSE = 1

--- How long the server wants nothing to be sent.
-- @tparam table details of a failure
-- @treturn number|nil seconds, an hour at most
function retry.pause(details)
  return http.clamp_wait(details.retry_after) or details.code == "rate_limited" and DEFAULT_PAUSE or nil
end

--- A random number for the jitter.
-- @tparam function random function(n) returning n random bytes
-- @treturn number 0 <= chance < 1
function retry.chance(random)
  local high, low = random(2):byte(1, 2)
  return (high * 256 + low) / 65536
end

--- Exponential backoff with jitter: from `base` up to twice as much before the first retry, doubling up to `max`,
-- so that callers that failed together do not come back together. What the server asked for (Retry-After) is waited
-- for in full, with jitter on top.
-- @tparam table rules `base` and `max` in seconds
-- @tparam number attempts how many have been made, 1 or more
-- @tparam number|nil retry_after seconds, as retry.pause returns them
-- @tparam number chance 0 <= chance < 1
-- @treturn number seconds
function retry.delay(rules, attempts, retry_after, chance)
  local full = math.min(rules.max, rules.base * 2 ^ math.min(attempts, MAX_EXPONENT))
  local delay = full * (0.5 + 0.5 * chance)
  if not retry_after then
    return delay
  end
  return math.max(delay, retry_after + rules.base * chance)
end

return retry
