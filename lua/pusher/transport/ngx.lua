--- The transport inside nginx: HTTP/1.1 over cosockets. While `send` waits, the worker serves other requests.
-- An object holds nothing that belongs to one request alone, so one client may be made in init_by_lua and serve many
-- requests at once.

local arguments = require "pusher.base.arguments"
local connection = require "pusher.transport.ngx.connection"
local core = require "pusher.core" -- now()
local errors = require "pusher.base.errors"
local no_proxy = require "pusher.base.no_proxy"
local requests = require "pusher.base.request"
local route = require "pusher.transport.ngx.route"
local wire = require "pusher.transport.ngx.wire"

local transport = {}

-- nginx sets aside the memory of all places in a pool, 180 bytes each, when it makes the pool.
local MAX_POOL_SIZE = 10000

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx" }

--- Makes a transport.
-- @tparam[opt] table given see options.TRANSPORT and docs/options.md; `ca_file` is refused
-- @treturn table|nil transport
-- @fails config
function transport.new(given)
  arguments.check("new", 1, given, "table or nil")
  local settings, message, details = no_proxy.settings(given)
  if not settings then
    return nil, message, details
  elseif type(ngx) ~= "table" or type(ngx.socket) ~= "table" then
    return errors.fail("config", 'transport "ngx" works inside nginx only', { field = "transport" })
  elseif settings.ca_file then
    return errors.fail("config", 'option "ca_file" is not supported in nginx: '
      .. "use the directive lua_ssl_trusted_certificate instead", { field = "ca_file" })
  end
  local proxy
  if settings.proxy and settings.proxy ~= "" then
    proxy, message, details = route.proxy(settings.proxy)
    if not proxy then
      return nil, message, details
    end
  end
  settings.name = "ngx"
  settings.proxy = proxy
  settings.idle_ms = math.floor(settings.keepalive.idle * 1000)
  settings.pool_size = math.min(settings.keepalive.pool_size, MAX_POOL_SIZE)
  settings.keep = settings.pool_size > 0 and settings.idle_ms > 0
  -- Of the last request, what the next one mostly has, too: see requests.read, route.last_plan, response.new.
  settings.last, settings.last_head = {}, {}
  settings.down = {} -- names of the pools whose last call reached no address; see connect.lua
  return setmetatable(settings, metatable)
end

-- The server may close a kept connection while a request is being sent on it. When it breaks before any byte of a
-- response, the request is sent again, once, on a fresh connection, unless it is marked `once`.
local function exchange(self, request, plan, bytes, deadline, fresh)
  local connect_deadline = math.min(deadline, core.now() + self.connect_timeout)
  local link, message, details = connection.open(plan, self, connect_deadline, deadline, fresh)
  if not link then
    return nil, message, details
  end
  local response
  response, message, details = link:exchange(bytes, request.method, self.max_response_bytes, deadline)
  link:release(self.keep and response and response.persistent)
  if response then
    response.reused = link.reused
  end
  if link.stale and not fresh and not (request.once and request.body) then
    response, message, details = exchange(self, request, plan, bytes, deadline, true)
    if details and details.sent == false then
      details.sent = nil -- the server may have read the first one
    end
  end
  return response, message, details
end

--- Sends one request and waits for the response; the worker's other requests run meanwhile.
-- @tparam table request see pusher.transport
-- @tparam function parse function(status, body, headers)
-- @return what `parse` returns
-- @fails network, timeout, tls, too_large, invalid, config, closed, response, and those that `parse` returns
-- @source RFC 9112: HTTP/1.1
-- @source ngx_lua: ngx.socket.tcp
function methods:send(request, parse)
  if type(request) ~= "table" or type(parse) ~= "function" then
    arguments.check("send", 1, request, "table")
    arguments.check("send", 2, parse, "function")
  end
  if self.closed then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local read, fault, fields = requests.read(request, self.last.headers)
  if not read then
    return nil, fault, fields
  end
  request, self.last.headers = read, read.headers
  ngx.update_time() -- else nginx counts the timeouts from the last round of its event loop
  local deadline = core.now() + (request.timeout or self.timeout)
  local plan = route.last_plan(request, self)
  local bytes, message, details = wire.request(request, plan, self.keep)
  local response
  if bytes then
    response, message, details = exchange(self, request, plan, bytes, deadline, false)
  end
  if not response then
    return nil, message, details
  end
  return parse(response.status, response.body, response.headers, response.reused)
end

--- Closes the transport. Idle connections belong to nginx's pool and expire there.
function methods:close()
  self.closed, self.proxy = true, nil -- with its password
  self.last, self.last_head = {}, {}
end

return transport
