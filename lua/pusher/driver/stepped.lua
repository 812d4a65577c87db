--- Drives a source over a transport that has a `step`: items are handed over, and settled while the transport steps.

local blocking = require "pusher.driver.blocking"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local stepped = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.stepped" }

--- Makes a driver of the parts that pusher.driver.choose describes.
function stepped.new(parts)
  return setmetatable({
    source = parts.source, transport = parts.transport, now = parts.now, sleep = parts.sleep,
  }, metatable)
end

-- Returns whether there was anything to send. No more items at once than may be in flight: if all of them fail at once,
-- a tick stays short.
local function hand_over(source)
  for count = 1, source.max_in_flight do
    local item = source:next()
    if not item then
      return count > 1
    end
    source:send(item)
  end
  return true
end

-- Steps, then hands over what may follow the items that were settled, or has become due while it waited.
local function turn(self, seconds)
  local transport, source = self.transport, self.source
  local judged = source.judged
  local running, message, details = transport:step(seconds)
  if running and (seconds > 0 or source.judged ~= judged) and hand_over(source) then
    return transport:step(0)
  end
  return running, message, details
end

--- Does what can be done now. If that settles nothing, waits up to `seconds` for a response, or until an item is due.
-- @tparam number seconds
-- @treturn number|nil how many items are not settled
function methods:advance(seconds)
  local source = self.source
  local judged = source.judged
  hand_over(source)
  local running, message, details = turn(self, 0)
  if running and seconds > 0 and source.judged == judged then
    local due = source:due()
    local rest = due and math.max(0, math.min(seconds, due - self.now())) or seconds
    if running > 0 then
      running, message, details = turn(self, rest)
    elseif due or source:unsettled() > 0 then
      self.sleep(due and rest or math.min(rest, blocking.POLL_INTERVAL)) -- for another coroutine
    end
  end
  return running and source:unsettled(), message, details
end

return stepped
