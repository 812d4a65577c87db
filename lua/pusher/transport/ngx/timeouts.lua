--- The timeouts of a cosocket, so that every wait ends at the deadline of the whole call.

local core = require "pusher.core" -- now(), which no change of the system's time moves

local timeouts = {}

local MAX_TIMEOUT_MS = 2 ^ 31 - 1 -- settimeouts raises above

--- Sets all three to the time that is left.
-- @tparam table socket a cosocket
-- @tparam number deadline by core.now()
-- @tparam[opt] number max_seconds limit of a single wait
-- @treturn boolean whether there is time left
function timeouts.set(socket, deadline, max_seconds)
  local seconds = math.min(deadline - core.now(), max_seconds or math.huge)
  local ms = math.min(math.ceil(seconds * 1000), MAX_TIMEOUT_MS)
  if ms <= 0 then
    return false
  end
  socket:settimeouts(ms, ms, ms)
  return true
end

return timeouts
