--- The publisher's options in, one checked, complete table out.

local errors = require "pusher.errors"
local options = require "pusher.options"

local settings = {}

-- What each option is; the reference in the README has the same names.
local KNOWN = {
  max_queue = { "number", default = 10000 }, -- events that wait
  overflow = { "string", default = "reject" },
  linger = { "number", default = 0.005 }, -- seconds
  max_in_flight = { "number", default = 8 }, -- calls
  retry = { "table" },
  on_result = { "function" },
  now = { "function" }, -- a clock that goes forward, in seconds
  sleep = { "function" }, -- function(seconds) for a transport that blocks
}
settings.KNOWN = KNOWN

local RETRY = {
  attempts = { "number", default = 5 },
  base = { "number", default = 0.2 }, -- seconds
  max = { "number", default = 10 }, -- seconds
}

local OVERFLOW = { reject = true, drop_oldest = true }
local MOST = 2 ^ 31

local function refuse(name, expected)
  return errors.fail("config", ("option %q must be %s"):format(name, expected), { field = name })
end

-- The comparisons refuse NaN, too.
local function is_count(value, least)
  return value >= least and value < MOST and value % 1 == 0
end

local function is_time(value)
  return value >= 0 and value < MOST
end

local function check_retry(given)
  local retry, message, details = options.copy(given or {}, RETRY)
  if not retry then
    return nil, message, details
  elseif not is_count(retry.attempts, 0) then
    return refuse("attempts", "a whole number, 0 or more")
  elseif not is_time(retry.base) or not is_time(retry.max) then
    return refuse("retry", "{ attempts =, base =, max = } with base and max in seconds, 0 or more")
  end
  return retry
end

--- Checks the options; the given table stays as it is.
-- @tparam[opt] table given see README "Publisher"
-- @treturn table|nil a fresh, complete table
function settings.check(given)
  local checked, message, details = options.copy(given or {}, KNOWN)
  if not checked then
    return nil, message, details
  elseif not is_count(checked.max_queue, 1) then
    return refuse("max_queue", "a whole number of events, 1 or more")
  elseif not OVERFLOW[checked.overflow] then
    return refuse("overflow", '"reject" or "drop_oldest"')
  elseif not is_time(checked.linger) then
    return refuse("linger", "in seconds, 0 or more")
  elseif not is_count(checked.max_in_flight, 1) then
    return refuse("max_in_flight", "a whole number of calls, 1 or more")
  end
  checked.retry, message, details = check_retry(checked.retry)
  if not checked.retry then
    return nil, message, details
  end
  return checked
end

return settings
