--- The transport inside nginx: HTTP/1.1 over cosockets. `send` yields; while it
-- waits, the worker serves other requests. libcurl is never loaded.
--
-- An object of this kind holds settings only, so one client may be made in
-- init_by_lua, live at module level and serve many requests at once.

local connection = require "pusher.transport.ngx.connection"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"
local route = require "pusher.transport.ngx.route"
local wire = require "pusher.transport.ngx.wire"

local transport = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx" }

local function read_proxy(url)
  if not url or url == "" then
    return false
  end
  local proxy, message, details = route.proxy(url)
  if proxy and proxy.user then
    proxy.credentials, proxy.checksum = ngx.encode_base64(proxy.user), ngx.crc32_long(proxy.user)
  end
  return proxy, message, details
end

--- Makes the transport.
-- @tparam[opt] table given `timeout`, `connect_timeout` (seconds), `keepalive = { idle = seconds, pool_size = }`,
--   `proxy`, `no_proxy`, `tls_verify`, `max_response_bytes`
-- @treturn transport|nil
function transport.new(given)
  local settings, message, details = options.transport(given or {})
  if not settings then
    return nil, message, details
  elseif type(ngx) ~= "table" or type(ngx.socket) ~= "table" then
    return errors.fail("config", 'transport "ngx" works inside nginx only', { field = "transport" })
  elseif settings.ca_file then
    return errors.fail("config", "option \"ca_file\" cannot be honoured in nginx: "
      .. "name the file with the directive lua_ssl_trusted_certificate instead", { field = "ca_file" })
  end
  local proxy
  proxy, message, details = read_proxy(settings.proxy)
  if message then
    return nil, message, details
  end
  return setmetatable({
    timeout = settings.timeout,
    connect_timeout = settings.connect_timeout,
    max_response_bytes = settings.max_response_bytes,
    tls_verify = settings.tls_verify,
    idle_ms = math.floor(settings.keepalive.idle * 1000),
    pool_size = settings.keepalive.pool_size,
    proxy = proxy or nil,
    no_proxy = settings.no_proxy,
    closed = false,
  }, metatable)
end

-- A kept connection that the server closed meanwhile looks alive until it is
-- used. When it broke before the server said a word, the request goes out once
-- more, on a fresh one, unless it is marked as one to be sent `once`.
local function exchange(self, request, plan, deadline, fresh)
  local connect_deadline = math.min(deadline, ngx.now() + self.connect_timeout)
  local link, message, details = connection.open(plan, self, connect_deadline, fresh)
  if not link then
    return nil, message, details
  end
  local answer, broken_early
  local bytes = wire.request(request, plan, self.pool_size > 0 and self.idle_ms > 0)
  answer, message, details, broken_early = link:exchange(bytes, request.method, self.max_response_bytes, deadline)
  link:release(answer and answer.persistent)
  if broken_early and link.reused and not fresh and not request.once then
    return exchange(self, request, plan, deadline, true)
  end
  return answer, message, details
end

--- Sends a request and waits for its answer; other requests run meanwhile.
-- @tparam table request see pusher.channels.request; `timeout` is in seconds; `once`: it is sent at most once, also where a
--   kept connection breaks before the answer
-- @tparam function parse function(status, body, headers) -> result | nil, message, details
-- @return what parse returns, or nil, message, details
function methods:send(request, parse)
  if self.closed then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local ok, message, details = wire.check(request)
  if not ok then
    return nil, message, details
  end
  local deadline = ngx.now() + (request.timeout or self.timeout)
  local answer
  answer, message, details = exchange(self, request, route.plan(request, self), deadline, false)
  if not answer then
    return nil, message, details
  end
  return parse(answer.status, answer.body, answer.headers)
end

--- Ends the transport. Pooled connections belong to nginx and time out there.
function methods:close()
  self.closed = true
end

return transport
