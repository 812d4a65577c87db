--- Drives a publisher over a transport that has a `step`: batches are handed
-- over, and their pendings settle them while the transport steps.

local stepped = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.stepped" }

--- @tparam table parts `{ client =, delivery =, now =, sleep = function(seconds) }`
function stepped.new(parts)
  return setmetatable({
    client = parts.client, delivery = parts.delivery, now = parts.now, sleep = parts.sleep,
  }, metatable)
end

-- Not more at once than may be in flight: should all of them fail on the spot, a tick stays short.
local function hand_over(delivery)
  local started = 0
  while started < delivery.max_in_flight do
    local batch = delivery:next()
    if not batch then
      break
    end
    delivery:send(batch)
    started = started + 1
  end
  return started
end

-- Hands over, steps, and hands over what the answers made room for.
local function turn(self, transport, seconds)
  local running, message, details = transport:step(seconds)
  if running and hand_over(self.delivery) > 0 then
    return transport:step(0)
  end
  return running, message, details
end

-- Waits for an answer, or for the time of the next batch.
local function wait(self, transport, running, seconds)
  local due = self.delivery:due()
  local rest = due and math.max(0, math.min(seconds, due - self.now())) or seconds
  if running > 0 then
    return turn(self, transport, rest)
  elseif due then
    self.sleep(rest)
  end
  return running
end

--- Does what can be done. When that settles nothing, waits up to `seconds` for the network.
-- @tparam number seconds
-- @treturn number|nil
function methods:advance(seconds)
  local delivery, transport = self.delivery, self.client.transport
  local judged = delivery.judged
  hand_over(delivery)
  local running, message, details = turn(self, transport, 0)
  if running and seconds > 0 and delivery.judged == judged then
    return wait(self, transport, running, seconds)
  end
  return running, message, details
end

return stepped
