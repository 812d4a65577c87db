--- The transport inside nginx: HTTP/1.1 over cosockets. `send` yields; while it
-- waits, the worker serves other requests. libcurl is never loaded.
--
-- An object of this kind holds settings only, so one client may be made in
-- init_by_lua, live at module level and serve many requests at once.

local connection = require "pusher.transport.ngx.connection"
local errors = require "pusher.errors"
local route = require "pusher.transport.ngx.route"

local transport = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx" }

local DEFAULTS = { timeout = 5, max_response_bytes = 1024 * 1024, idle = 60, pool_size = 30 }

local function checksum(text)
  return ("%08x"):format(ngx.crc32_long(text))
end

--- Makes the transport.
-- @tparam[opt] table options `timeout`, `connect_timeout` (seconds), `keepalive = { idle = seconds, pool_size = }`,
--   `proxy`, `no_proxy`, `tls_verify`, `max_response_bytes`
-- @treturn transport|nil
function transport.new(options)
  options = options or {}
  if options.ca_file then
    return errors.fail("config", "option \"ca_file\" cannot be honoured in nginx: "
      .. "name the file with the directive lua_ssl_trusted_certificate instead", { field = "ca_file" })
  end
  local proxy
  if options.proxy and options.proxy ~= "" then
    local message, details
    proxy, message, details = route.proxy(options.proxy)
    if not proxy then
      return nil, message, details
    end
  end
  local keepalive = options.keepalive or {}
  local timeout = options.timeout or DEFAULTS.timeout
  return setmetatable({
    timeout = timeout,
    connect_timeout = options.connect_timeout or timeout,
    max_response_bytes = options.max_response_bytes or DEFAULTS.max_response_bytes,
    tls_verify = options.tls_verify ~= false,
    idle_ms = math.floor((keepalive.idle or DEFAULTS.idle) * 1000),
    pool_size = math.floor(keepalive.pool_size or DEFAULTS.pool_size),
    proxy = proxy,
    no_proxy = options.no_proxy,
    checksum = checksum,
    closed = false,
  }, metatable)
end

-- The bytes of a request, as a list: nginx gathers them without copying here.
local function wire(self, request, plan)
  local head = { request.method, " ", plan.origin or "", request.target, " HTTP/1.1\r\nHost: ", plan.authority, "\r\n" }
  local count = #head
  for _, header in ipairs(request.headers or {}) do
    head[count + 1], head[count + 2], head[count + 3], head[count + 4] = header[1], ": ", header[2], "\r\n"
    count = count + 4
  end
  if plan.origin then
    count = count + 1
    head[count] = connection.proxy_authorization(plan)
  end
  if request.body or request.method ~= "GET" then
    count = count + 1
    head[count] = "Content-Length: " .. #(request.body or "") .. "\r\n"
  end
  if self.pool_size == 0 or self.idle_ms == 0 then
    count = count + 1
    head[count] = "Connection: close\r\n"
  end
  head[count + 1], head[count + 2] = "\r\n", request.body
  return head
end

-- A kept connection that the server closed meanwhile looks alive until it is
-- used. When it broke before the server said a word, the request goes out once
-- more, on a fresh one.
local function exchange(self, request, plan, deadline, fresh)
  local connect_deadline = math.min(deadline, ngx.now() + self.connect_timeout)
  local link, message, details = connection.open(plan, self, connect_deadline, fresh)
  if not link then
    return nil, message, details
  end
  local answer
  answer, message, details = link:exchange(wire(self, request, plan), request.method, self.max_response_bytes, deadline)
  link:release(answer and answer.persistent)
  if not answer and details.silent and link.reused and not fresh then
    return exchange(self, request, plan, deadline, true)
  end
  return answer, message, details
end

--- Sends a request and waits for its answer; other requests run meanwhile.
-- @tparam table request see pusher.request; `timeout` is in seconds
-- @tparam function parse function(status, body, headers) -> result | nil, message, details
-- @return what parse returns, or nil, message, details
function methods:send(request, parse)
  if self.closed then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local deadline = ngx.now() + (request.timeout or self.timeout)
  local answer, message, details = exchange(self, request, route.plan(request, self), deadline, false)
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
