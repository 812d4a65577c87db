--- Drives a source over a transport whose `send` returns with the response.

local blocking = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.blocking" }

--- How long to wait for an item that another coroutine has in flight, in seconds.
blocking.POLL_INTERVAL = 0.005

--- The shortest time for a call, in seconds: one that is cut short may have been made all the same.
blocking.MIN_CALL = 0.1

--- Makes a driver of the parts that pusher.driver.choose describes.
function blocking.new(parts)
  return setmetatable({ source = parts.source, now = parts.now, sleep = parts.sleep }, metatable)
end

--- Sends one item, or waits up to `seconds` for one to be due.
-- @tparam number seconds
-- @tparam[opt] boolean bounded whether a call, too, is to end within `seconds`
-- @treturn number how many items are not settled
function methods:advance(seconds, bounded)
  local source = self.source
  local item = source:next()
  if item then
    source:send(item, bounded and math.max(seconds, blocking.MIN_CALL) or nil)
  elseif seconds > 0 then
    local due = source:due()
    self.sleep(math.max(0, math.min(seconds, due and due - self.now() or blocking.POLL_INTERVAL)))
  end
  return source:unsettled()
end

return blocking
