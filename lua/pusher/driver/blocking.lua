--- Drives a source over a transport whose `send` returns with the answer.

local blocking = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.blocking" }

-- A batch that another coroutine has under way is looked after this often, in seconds.
local GLANCE = 0.005

-- A call that is cut short may have been made all the same, so it gets a fair
-- chance even when there is less time left. Seconds.
local SHORTEST_CALL = 0.1

--- @tparam table parts see pusher.driver.choose
function blocking.new(parts)
  return setmetatable({ source = parts.source, now = parts.now, sleep = parts.sleep }, metatable)
end

--- Sends one batch, or waits up to `seconds` for one to be due.
-- @tparam number seconds
-- @tparam[opt] boolean bounded whether a call, too, is to end within `seconds`
-- @treturn true
function methods:advance(seconds, bounded)
  local source = self.source
  local batch = source:next()
  if batch then
    source:send(batch, bounded and math.max(seconds, SHORTEST_CALL))
  elseif seconds > 0 then
    local due = source:due()
    self.sleep(math.max(0, math.min(seconds, due and due - self.now() or GLANCE)))
  end
  return true
end

return blocking
