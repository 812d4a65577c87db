--- The attempts of one call: the request of each, signed afresh, and whether another one follows. Pure but for `run`,
-- which makes them all.
--
-- A call that changes nothing, or whose events all have an idempotency key, is retried after any failure that may
-- pass. Any other one only when the server surely did nothing: no byte of the request was sent; 429; or 503 with
-- Retry-After, by which a server asks for the same call later. (A proxy's 503 without it may stand for a server that
-- broke off in the middle.)

local retry = require "pusher.base.retry"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local attempts = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.attempts" }

--- Makes the attempts of one call.
-- @tparam table rules of pusher.base.retry, with `attempts`, the maximum
-- @tparam function random function(n) returning n random bytes
-- @tparam boolean repeatable whether the server does nothing twice when it gets the call twice
-- @tparam function build function() -> request table | nil, message, details
function attempts.new(rules, random, repeatable, build)
  return setmetatable({ rules = rules, random = random, repeatable = repeatable, build = build, made = 0 }, metatable)
end

--- The request of the next attempt.
-- @treturn table|nil request; nil, message, details otherwise
function methods:request()
  local request, message, details = self.build()
  if not request then
    return nil, message, details
  end
  self.made = self.made + 1
  request.once = not self.repeatable or nil -- then no transport sends it twice, either
  if self.made > 1 then
    request.attempt = self.made
  end
  return request
end

local function was_not_processed(details)
  return details.sent == false or details.code == "rate_limited"
    or details.status == 503 and details.retry_after ~= nil
end

-- `sent` is false only when it is so for each attempt.
local function join_sent(self, details)
  if details.sent ~= false then
    self.reached = true
  elseif self.reached then
    rawset(details, "sent", nil)
  end
end

--- Looks at the failure of an attempt, and sets `details.attempts` and `details.sent`, for all attempts up to this one.
-- @tparam table details
-- @treturn number|nil seconds until the next attempt; nil when there is none
function methods:delay(details)
  if type(details) ~= "table" then
    return nil -- of a custom transport
  end
  rawset(details, "attempts", self.made) -- a custom transport's may refuse new fields
  local may_repeat = self.repeatable or was_not_processed(details)
  join_sent(self, details)
  if self.made >= self.rules.attempts or not details.retryable or not may_repeat then
    return nil
  end
  return retry.delay(self.rules, self.made, retry.pause(details), retry.chance(self.random))
end

--- Makes all attempts over a transport that blocks.
-- @tparam table transport
-- @tparam table request the first one
-- @tparam function parse
-- @tparam function sleep function(seconds) -> whether it could wait
-- @return as the transport's `send`
function methods:run(transport, request, parse, sleep)
  local result, message, details = transport:send(request, parse)
  while result == nil do
    local seconds = self:delay(details)
    if not seconds or not sleep(seconds) then
      break
    end
    local again = self:request()
    if not again then
      break -- the client was closed meanwhile
    end
    result, message, details = transport:send(again, parse)
  end
  return result, message, details
end

return attempts
