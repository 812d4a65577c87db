--- A call under way: what every call of a client returns over the async transport.
--
-- It ends exactly once, with what the call comes to: `result`, or the failure triple. Its driver is the transport
-- that carries it: `driver:drive(pending, seconds)`, `driver:abandon(pending)`, `driver:report(text, reason)`.
--
-- Fields to read: `done` (boolean).

local errors = require "pusher.base.errors"

local pending = {}

local methods = {}
local metatable = { __index = methods, __name = "pusher.pending" }

function metatable.__tostring(self)
  return "pusher.pending: " .. (self.done and "done" or "under way")
end

--- Makes a pending that is under way. For transports.
-- @tparam table driver see above
-- @param[opt] id the driver's own
-- @tparam[opt] function parse the driver's own
-- @treturn table pending
function pending.new(driver, id, parse)
  -- All fields are named, so that the table never has to grow: there are very many of these.
  return setmetatable({
    done = false, driver = driver, id = id, parse = parse,
    value = nil, message = nil, details = nil,
    callback = nil,
  }, metatable)
end

local function call(self, callback)
  local ok, reason = pcall(callback, self.value, self.message, self.details)
  if not ok then
    self.driver:report("an on_done callback failed", reason)
  end
end

--- Ends it and runs the callbacks, each under pcall. For transports. Only the first time counts.
-- @param result what the call comes to, or nil
-- @tparam[opt] string message
-- @tparam[opt] table details
function pending.settle(self, result, message, details)
  if self.done then
    return
  end
  self.done, self.value, self.message, self.details = true, result, message, details
  local callback, further = self.callback, self.further
  self.callback, self.further = nil, nil
  if callback then
    call(self, callback)
  end
  for index = 1, further and #further or 0 do
    call(self, further[index])
  end
end

--- What the call came to; never blocks.
-- @return the call's result, or the failure triple: with code `pending` while it is under way, which is no outcome
function methods:result()
  if self.done then
    return self.value, self.message, self.details
  end
  return errors.fail("pending", "the call is still under way")
end

--- Asks to be told. Callbacks run in the order they were given, from `step`, `wait`, `cancel` or `close` of the
-- transport, or at once, before this returns, when it is done already. What a callback raises goes to the
-- option `log`, or to stderr. It may call anything, `step` and `wait` too, but should not yield: Lua 5.1 makes an
-- error of that, later ones suspend the coroutine that steps.
-- @tparam function callback function(result, message, details)
-- @treturn table itself
function methods:on_done(callback)
  if type(callback) ~= "function" then
    error(("bad argument #1 to 'on_done' (function expected, got %s)"):format(
      callback == nil and "no value" or type(callback)), 2)
  end
  if self.done then
    call(self, callback)
  elseif not self.callback then
    self.callback = callback
  else
    self.further = self.further or {}
    self.further[#self.further + 1] = callback
  end
  return self
end

--- Drives the transport until this is done, and with it all that is under way. Blocks.
-- @tparam[opt] number seconds at most this long; without, as long as the call's own timeout lets it
-- @return as `result()`: code `pending` when the time ran out, and the call goes on
function methods:wait(seconds)
  if seconds ~= nil and type(seconds) ~= "number" then
    error(("bad argument #1 to 'wait' (number expected, got %s)"):format(type(seconds)), 2)
  elseif seconds and (seconds < 0 or seconds ~= seconds) then
    return errors.fail("invalid", "the time to wait must not be negative")
  end
  if not self.done then
    self.driver:drive(self, seconds)
  end
  return self:result()
end

--- Gives the call up: it ends with code `closed` and `details.cancelled`, unless it is done. The server may have
-- got the request all the same.
-- @treturn boolean whether it was still under way
function methods:cancel()
  if self.done then
    return false
  end
  self.driver:abandon(self)
  pending.settle(self, errors.fail("closed", "the call was cancelled", { cancelled = true }))
  return true
end

return pending
