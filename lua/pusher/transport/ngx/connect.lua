--- Connects a cosocket to a host, by address or by name, before a deadline.

local core = require "pusher.core" -- now()
local timeouts = require "pusher.transport.ngx.timeouts"

local connect = {}

-- Limits of connecting to a name. With one of two addresses dead, one call in a million draws only that one.
local MAX_TRIES = 20
local MAX_TRIES_WHEN_DOWN = 2
local SHORT_TRIES = 16 -- in the first half of the time
local MIN_SHORT_TRY = 0.1 -- seconds

--- The cause when the deadline passes before the name's addresses are known.
connect.LOOKUP_TIMEOUT = "the name was not resolved in time"

-- What nginx, Kong and APISIX say when a name has no address.
local UNRESOLVED = { "resolve", "DNS resolution failed", "failed to parse domain" }

local function is_unresolved(cause)
  for _, text in ipairs(UNRESOLVED) do
    if cause:find(text, 1, true) then
      return true
    end
  end
  return false
end

-- nginx connects to one of a name's addresses, drawn at random, and does not report which one or how many there are. So
-- a failed connect is repeated. The first half of the time is for short tries, so that an address that does not respond
-- leaves time for another one; the last try has all the rest, for a server that is far away. When the last call reached
-- no address, the server is probably down, and the next call tries less often.
-- `watched.ends` is when the present try ends, unless it waits for the resolver, which no timeout of a socket limits.
local function connect_to_any_address(link, plan, down, deadline, watched)
  local start = core.now()
  local short = math.max(MIN_SHORT_TRY, (deadline - start) / 2 / SHORT_TRIES)
  local tries = down[plan.pool] and MAX_TRIES_WHEN_DOWN or MAX_TRIES
  for try = 1, tries do
    local last = try == tries or core.now() - start >= (deadline - start) / 2
    if not timeouts.set(link, deadline, not last and short or nil) then
      return nil, "timeout"
    end
    watched.ends = last and deadline or core.now() + short
    down[plan.pool] = last or down[plan.pool] -- before the try: the light thread may be killed in it
    local ok, cause = link.socket:connect(plan.host, plan.port, plan.pool_options)
    if ok then
      down[plan.pool] = nil
      return ok
    elseif last or is_unresolved(cause) then
      return nil, cause
    end
  end
end

-- What the light thread that ends first returns.
local function wait_for_first(...)
  local finished, ok, cause = ngx.thread.wait(...)
  if finished then
    return ok, cause
  end
  return nil, tostring(ok) -- it raised
end

local function has_ended(thread)
  local status = coroutine.status(thread)
  return status == "dead" or status == "zombie"
end

-- Only resolver_timeout (30 s by default) limits nginx's lookup of a name, so a second light thread watches the clock.
local function connect_in_time(link, plan, down, deadline)
  local watched = {}
  local connecting = ngx.thread.spawn(connect_to_any_address, link, plan, down, deadline, watched)
  if has_ended(connecting) then
    return wait_for_first(connecting)
  end
  local alarm = ngx.thread.spawn(function()
    ngx.sleep(math.max(0, deadline - core.now()))
    return nil, watched.ends < deadline and connect.LOOKUP_TIMEOUT or "timeout"
  end)
  local ok, cause = wait_for_first(connecting, alarm)
  ngx.thread.kill(has_ended(connecting) and alarm or connecting)
  return ok, cause
end

--- Connects, or takes a connection from the pool.
-- @tparam table link its `socket` is a cosocket; see timeouts.lua
-- @tparam table plan as route.plan returns it
-- @tparam table down the pools whose last call reached no address; kept here
-- @tparam number deadline by core.now()
-- @tparam number call_deadline of what follows, not before `deadline`
-- @treturn boolean|nil true, or nil and nginx's message; after the deadline "timeout" or LOOKUP_TIMEOUT
function connect.open(link, plan, down, deadline, call_deadline)
  if not plan.is_address then
    -- Only its parent may kill a light thread. If the caller were the parent and were itself killed, nobody would stop
    -- the lookup, and nginx's request would last until resolver_timeout. So a light thread in between is the parent.
    return wait_for_first(ngx.thread.spawn(connect_in_time, link, plan, down, deadline))
  elseif not timeouts.set_both(link, deadline, call_deadline) then
    return nil, "timeout"
  end
  return link.socket:connect(plan.address, plan.port, plan.pool_options)
end

return connect
