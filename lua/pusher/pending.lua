--- A call in flight: what each call of a client returns over the async transport.
--
-- It ends exactly once, with the result of the call or its failure. The transport that made it has
-- `drive(pending, seconds)`, `abandon(pending)`, and `log`, a function(level, message, fields).
--
-- Fields to read: `done` (boolean).

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local pending = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.pending" }

local argument = arguments.check

function metatable.__tostring(self)
  return "pusher.pending: " .. (self.done and "done" or "in flight")
end

--- Makes a pending that is in flight. For transports; `id`, `parse`, `timeout`, `attempts` and `entry` are the
-- transport's own.
-- @local
function pending.new(transport, id, parse, timeout)
  -- All fields are there, so that the table never has to grow: there are very many of these, and to settle one takes no
  -- memory. Not nil, for which LuaJIT has no field.
  return setmetatable({
    done = false, transport = transport, id = id, parse = parse, timeout = timeout,
    value = false, message = false, details = false,
    callback = false, further = false, attempts = false, entry = false,
  }, metatable)
end

local function call(self, f)
  callback.run(self.transport.log, "on_done", nil, f, self.value, self.message, self.details)
end

--- Ends it with the outcome of the call and runs the callbacks. For transports. Only the first time counts.
-- @local
function pending.settle(self, result, message, details)
  if self.done then
    return
  end
  self.done, self.value, self.message, self.details = true, result, message, details
  local first, further = self.callback, self.further
  self.callback, self.further = false, false
  if first then
    call(self, first)
  end
  for index = 1, further and #further or 0 do
    call(self, further[index])
  end
end

--- Returns the outcome of the call. Never blocks.
-- @return the call's result
-- @fails pending while it is in flight; and those of the call
function methods:result()
  if self.done then
    return self.value, self.message, self.details
  end
  return errors.fail("pending", "the call is still in flight")
end

--- Adds a callback. Callbacks run in the order they were added, from `step`, `wait`, `cancel` or the transport's
-- `close`, or at once, before this returns, when the call is done. What one raises goes to the option `log`, or to
-- standard error. It may call anything, `step` and `wait` too, but should not yield: Lua 5.1 makes an error of that,
-- later ones suspend the coroutine that steps.
-- @tparam function f function(result, message, details)
-- @treturn pending the pending itself
function methods:on_done(f)
  if type(f) ~= "function" then
    argument("on_done", 1, f, "function")
  end
  if self.done then
    call(self, f)
  elseif not self.callback then
    self.callback = f
  else
    self.further = self.further or {}
    self.further[#self.further + 1] = f
  end
  return self
end

--- Drives the transport, and with it all calls in flight, until this one is done. Blocks.
-- @tparam[opt] number seconds at most; without, as long as the call's own timeout allows, and its further attempts
-- @return as `result()`; the call continues when the time has passed
-- @fails pending, invalid, and those of the call
function methods:wait(seconds)
  if seconds ~= nil then
    argument("wait", 1, seconds, "number or nil")
    local ok, message, details = arguments.seconds("wait", seconds)
    if not ok then
      return nil, message, details
    end
  end
  if not self.done then
    self.transport:drive(self, seconds)
  end
  return self:result()
end

--- Ends the call now: it ends with code `closed` and `details.cancelled`, unless it is done. The server may have got
-- the request all the same.
-- @treturn boolean whether it was in flight
function methods:cancel()
  if self.done then
    return false
  end
  self.transport:abandon(self)
  pending.settle(self, errors.fail("closed", "the call was cancelled", { cancelled = true }))
  return true
end

return pending
