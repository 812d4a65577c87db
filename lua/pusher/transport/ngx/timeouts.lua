--- The timeouts of a cosocket, so that every wait ends at the deadline of the whole call.
-- A link is a table with a `socket`; its `timeout_ms` is kept here: what sending and receiving have, nil when unknown.

local core = require "pusher.core" -- now(), which no change of the system's time moves

local timeouts = {}

local MAX_TIMEOUT_MS = 2 ^ 31 - 1 -- settimeouts raises above

local function ms_of(seconds)
  return math.min(math.ceil(seconds * 1000), MAX_TIMEOUT_MS)
end

--- Sets all three to the time that is left.
-- @tparam table link
-- @tparam number deadline by core.now()
-- @tparam[opt] number max_seconds limit of a single wait
-- @treturn boolean whether there is time left
function timeouts.set(link, deadline, max_seconds)
  local ms = ms_of(math.min(deadline - core.now(), max_seconds or math.huge))
  if ms <= 0 then
    return false
  end
  link.socket:settimeouts(ms, ms, ms)
  link.timeout_ms = not max_seconds and ms or nil
  return true
end

--- The same, for a connection that is to be made by `connect_deadline` and used until a later deadline.
-- @treturn boolean
function timeouts.set_both(link, connect_deadline, deadline)
  local now = core.now()
  local connect_ms, ms = ms_of(connect_deadline - now), ms_of(deadline - now)
  if connect_ms <= 0 then
    return false
  end
  link.socket:settimeouts(connect_ms, ms, ms)
  link.timeout_ms = ms
  return true
end

--- Those of sending and receiving. They are set only when they are others than before: mostly a call takes less than a
-- millisecond.
-- @treturn boolean
function timeouts.update(link, deadline)
  local ms = ms_of(deadline - core.now())
  if ms <= 0 then
    return false
  elseif ms ~= link.timeout_ms then
    link.socket:settimeouts(ms, ms, ms)
    link.timeout_ms = ms
  end
  return true
end

return timeouts
