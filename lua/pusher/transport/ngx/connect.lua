--- Connects a cosocket to a host, by address or by name, before a deadline.

local core = require "pusher.core" -- now()
local timeouts = require "pusher.transport.ngx.timeouts"
local url = require "pusher.base.url"

local connect = {}

-- Limits of connecting to a name. With one of two addresses dead, one call in a million draws only that one.
local MAX_TRIES = 20
local MAX_TRIES_WHEN_DOWN = 2
local SHORT_TRIES = 16 -- in the first half of the time
local MIN_SHORT_TRY = 0.1 -- seconds

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
local function connect_to_any_address(socket, plan, pool, down, deadline)
  local start = core.now()
  local short = math.max(MIN_SHORT_TRY, (deadline - start) / 2 / SHORT_TRIES)
  local tries = down[plan.pool] and MAX_TRIES_WHEN_DOWN or MAX_TRIES
  for try = 1, tries do
    local last = try == tries or core.now() - start >= (deadline - start) / 2
    if not timeouts.set(socket, deadline, not last and short or nil) then
      return nil, "timeout"
    end
    down[plan.pool] = last or down[plan.pool] -- before the try: the light thread may be killed in it
    local ok, cause = socket:connect(plan.host, plan.port, pool)
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
local function connect_in_time(socket, plan, pool, down, deadline)
  local connecting = ngx.thread.spawn(connect_to_any_address, socket, plan, pool, down, deadline)
  if has_ended(connecting) then
    return wait_for_first(connecting)
  end
  local alarm = ngx.thread.spawn(function()
    ngx.sleep(math.max(0, deadline - core.now()))
    return nil, "timeout"
  end)
  local ok, cause = wait_for_first(connecting, alarm)
  ngx.thread.kill(has_ended(connecting) and alarm or connecting)
  return ok, cause
end

--- Connects, or takes a connection from the pool.
-- @tparam table socket a cosocket
-- @tparam table plan as route.plan returns it
-- @tparam number pool_size
-- @tparam table down the pools whose last call reached no address; kept here
-- @tparam number deadline by core.now()
-- @treturn boolean|nil true, or nil and nginx's message, "timeout" after the deadline
function connect.open(socket, plan, pool_size, down, deadline)
  local pool = { pool = plan.pool, pool_size = math.max(1, pool_size) }
  if not url.is_address(plan.host) then
    -- Only its parent may kill a light thread. If the caller were the parent and were itself killed, nobody would stop
    -- the lookup, and nginx's request would last until resolver_timeout. So a light thread in between is the parent.
    return wait_for_first(ngx.thread.spawn(connect_in_time, socket, plan, pool, down, deadline))
  elseif not timeouts.set(socket, deadline) then
    return nil, "timeout"
  end
  return socket:connect(plan.address, plan.port, pool)
end

return connect
