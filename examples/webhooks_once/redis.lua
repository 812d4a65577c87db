--- Remembers webhooks in Redis: for several machines. Redis that cannot be reached errs on the side of repetition: the
-- response is 500, nothing is handled, and the sender repeats the webhook.
--
-- A Redis that hangs counts as one that cannot be reached, after TIMEOUT for each event of a webhook. It may have
-- marked them all the same: then they are busy until their lease ends, and the sender must repeat the webhook later.

local found, redis = pcall(require, "resty.redis") -- of OpenResty
if not found then
  redis = require "nginx.redis" -- Debian: lua-nginx-redis
end

local store = {}
local methods = {}
local metatable = { __index = methods }

local TIMEOUT, IDLE, POOL = 1000, 60000, 20 -- milliseconds, milliseconds, connections
local PREFIX = "webhook:"

--- @tparam string address "unix:/run/redis/redis.sock", or a host
-- @tparam number|nil port of the host
-- @tparam number lease, keep as in shared.lua
-- @tparam[opt] string password of Redis, where it asks for one
function store.new(address, port, lease, keep, password)
  return setmetatable({ address = address, port = port, lease = lease, keep = keep, password = password }, metatable)
end

-- Sends one command. Raises when Redis does not respond.
local function command(self, name, key, ...)
  local link = redis:new()
  link:set_timeout(TIMEOUT)
  local ok, message
  if self.port then
    ok, message = link:connect(self.address, self.port)
  else
    ok, message = link:connect(self.address)
  end
  if ok and self.password and link:get_reused_times() == 0 then
    ok, message = link:auth(self.password)
  end
  local reply
  if ok then
    reply, message = link[name](link, PREFIX .. key, ...)
  end
  if not reply then
    error("Redis: " .. tostring(message), 0)
  end
  link:set_keepalive(IDLE, POOL)
  return reply
end

function methods:begin(key)
  if command(self, "set", key, "busy", "NX", "EX", self.lease) ~= ngx.null then
    return "new"
  end
  local state = command(self, "get", key)
  return state ~= ngx.null and state or "busy"
end

-- The event has been handled: a failure here must not make the sender repeat it at once. The lease ends by itself.
function methods:finish(key)
  local ok, message = pcall(command, self, "set", key, "done", "EX", self.keep)
  if not ok then
    ngx.log(ngx.ERR, "a webhook is not remembered: ", message)
  end
end

function methods:forget(key)
  local ok, message = pcall(command, self, "del", key)
  if not ok then
    ngx.log(ngx.ERR, "a webhook is not forgotten before its lease ends: ", message)
  end
end

return store
