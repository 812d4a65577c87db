--- Drives a source over a transport that has a `step`: items are handed
-- over, and their pendings settle them while the transport steps.

local stepped = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.stepped" }

--- @tparam table parts see pusher.driver.choose
function stepped.new(parts)
  return setmetatable({
    source = parts.source, transport = parts.transport, now = parts.now, sleep = parts.sleep,
  }, metatable)
end

-- Not more at once than may be in flight: should all of them fail on the spot, a tick stays short.
local function hand_over(source)
  local started = 0
  while started < source.max_in_flight do
    local batch = source:next()
    if not batch then
      break
    end
    source:send(batch)
    started = started + 1
  end
  return started
end

-- Hands over, steps, and hands over what the answers made room for.
local function turn(self, seconds)
  local transport = self.transport
  local running, message, details = transport:step(seconds)
  if running and hand_over(self.source) > 0 then
    return transport:step(0)
  end
  return running, message, details
end

-- Waits for an answer, or for the time of the next batch.
local function wait(self, running, seconds)
  local due = self.source:due()
  local rest = due and math.max(0, math.min(seconds, due - self.now())) or seconds
  if running > 0 then
    return turn(self, rest)
  elseif due then
    self.sleep(rest)
  end
  return running
end

--- Does what can be done. When that settles nothing, waits up to `seconds` for the network.
-- @tparam number seconds
-- @treturn number|nil
function methods:advance(seconds)
  local source = self.source
  local judged = source.judged
  hand_over(source)
  local running, message, details = turn(self, 0)
  if running and seconds > 0 and source.judged == judged then
    return wait(self, running, seconds)
  end
  return running, message, details
end

return stepped
