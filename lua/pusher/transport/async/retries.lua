--- The attempts of an async transport's calls: settles a call, or has it wait until it is made again. A call has
-- `attempts` (see pusher.transport), or false, and `entry`, its place here while it waits, else false.

local callback = require "pusher.base.callback"
local core = require "pusher.core"
local pending = require "pusher.pending"
local schedule = require "pusher.base.schedule"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local retries = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.async.retries" }

--- Makes an object without calls.
-- @tparam function log
-- @tparam function start function(call, request) -> true | nil, message, details
function retries.new(log, start)
  return setmetatable({ log = log, start = start, waiting = schedule.new(), closed = false }, metatable)
end

--- How many calls wait.
function methods:size()
  return self.waiting.size
end

--- The seconds until the first call's time; nil when none waits.
function methods:rest()
  local due = self.waiting:due()
  return due and math.max(0, due - core.now())
end

local function wait_again(self, call, message, details)
  local seconds = call.attempts:delay(details)
  if seconds and not self.closed and not call.done then
    call.entry = self.waiting:add(call, core.now() + seconds)
    call.message, call.details = message, details -- its outcome if there is no next attempt
  end
end

--- Settles a call with the outcome of an attempt, unless it may have another one. It has none when something raises, a
-- function of the caller's or for lack of memory.
function methods:finish(call, result, message, details)
  if result == nil and call.attempts and not call.done then
    callback.run(self.log, "the wait for the next attempt", nil, wait_again, self, call, message, details)
  end
  if not call.entry then
    pending.settle(call, result, message, details)
  end
end

local function take(self, now)
  local call = self.waiting:take(now)
  if call then
    call.entry = false
  end
  return call
end

-- Returns nil alone when the call was cancelled meanwhile, by the caller's clock.
local function start_again(self, call)
  local request, message, details = call.attempts:request()
  if not request or call.done then
    return nil, message, details
  end
  return self.start(call, request)
end

local function restart(self, call)
  local ok, started, message, details = callback.run(self.log, "the next attempt", nil, start_again, self, call)
  if not ok then
    pending.settle(call, nil, call.message, call.details)
  elseif not started then
    self:finish(call, nil, message, details)
  end
end

--- Makes the next attempts of the calls whose time has come, as many as fit the time, and one at least.
-- @tparam number seconds
function methods:restart_due(seconds)
  if self.waiting.size == 0 then
    return -- the idle path: no clock is read
  end
  local limit = core.now() + seconds
  repeat
    local now = core.now()
    local call = take(self, now)
    if call then
      restart(self, call)
    end
  until not call or now >= limit
end

--- Removes a call that waits.
-- @treturn boolean whether it did
function methods:remove(call)
  local entry = call.entry
  if entry then
    self.waiting:remove(entry)
    call.entry = false
  end
  return entry ~= false
end

local function take_any(self)
  return take(self, math.huge)
end

--- Iterates over all calls that wait, and removes them.
function methods:drain()
  return take_any, self
end

--- The same for good: no call waits any more.
function methods:close_and_drain()
  self.closed = true
  return self:drain()
end

return retries
