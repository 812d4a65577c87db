--- One connection on a cosocket: from nginx's pool or new, through a proxy, encrypted; sends bytes, reads a response.
-- A cosocket belongs to the nginx request that made it, so nothing here outlives a call.
-- Rules: lua-nginx-module README "ngx.socket.tcp" (phases, pools, timeouts).

local certificate = require "pusher.transport.ngx.certificate"
local errors = require "pusher.base.errors"
local response = require "pusher.transport.ngx.response"
local url = require "pusher.base.url"
local wire = require "pusher.transport.ngx.wire"

local connection = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx.connection" }

local READ_BYTES = 16 * 1024
local MAX_PROXY_BODY_BYTES = 64 * 1024
local MAX_TIMEOUT_MS = 2 ^ 31 - 1 -- settimeouts raises above

-- Limits of connecting to a name. With one of two addresses dead, one call in a million draws only that one.
local MAX_TRIES = 20
local MAX_TRIES_WHEN_DOWN = 2
local SHORT_TRIES = 16 -- in the first half of the time
local MIN_SHORT_TRY = 0.1 -- seconds

local PHASE_HINT = "call client:publisher() to publish in the background, or ngx.timer.at(0, ...) to leave this phase"

-- For nginx's terse errors: the directive that helps.
local HINTS = {
  { cause = "no resolver defined", text = "nginx does not read /etc/hosts or /etc/resolv.conf: "
    .. "name a DNS server with the directive resolver" },
  { cause = "^1[89]: ", text = "name the authority to trust with the directive lua_ssl_trusted_certificate" },
  { cause = "^2[01]: ", text = "name the authorities to trust with the directive lua_ssl_trusted_certificate, "
    .. "such as /etc/ssl/certs/ca-certificates.crt" },
  { cause = "^22: ", text = "allow longer chains with the directive lua_ssl_verify_depth" },
}

-- `cause` is what nginx says; "timeout" decides the code.
local function fail(code, text, cause, sent)
  cause = tostring(cause or "unknown error")
  local message, details = text .. ": " .. cause, { sent = sent }
  for _, hint in ipairs(HINTS) do
    if cause:find(hint.cause) then
      message, details.hint = message .. " (" .. hint.text .. ")", hint.text
    end
  end
  return errors.fail(cause == "timeout" and "timeout" or code, message, details)
end

-- Every wait ends at the deadline of the whole call. Returns whether that is ahead.
local function set_timeouts(self, deadline, max_seconds)
  local seconds = math.min(deadline - ngx.now(), max_seconds or math.huge)
  local ms = math.min(math.ceil(seconds * 1000), MAX_TIMEOUT_MS)
  if ms <= 0 then
    return false
  end
  self.socket:settimeouts(ms, ms, ms)
  return true
end

-- nginx connects to one of a name's addresses, drawn at random, and does not report which one or how many there are. So
-- a failed connect is repeated. The first half of the time is for short tries, so that an address that does not respond
-- leaves time for another one; the last try has all the rest, for a server that is far away. When the last call reached
-- no address, the server is probably down, and the next call tries less often.
local function connect_to_any_address(self, pool, deadline)
  local plan, down = self.plan, self.settings.down
  local start = ngx.now()
  local short = math.max(MIN_SHORT_TRY, (deadline - start) / 2 / SHORT_TRIES)
  local tries = down[plan.pool] and MAX_TRIES_WHEN_DOWN or MAX_TRIES
  for try = 1, tries do
    local last = try == tries or ngx.now() - start >= (deadline - start) / 2
    if not set_timeouts(self, deadline, not last and short or nil) then
      return nil, "timeout"
    end
    down[plan.pool] = last or down[plan.pool] -- before the try, which may be killed
    local ok, cause = self.socket:connect(plan.host, plan.port, pool)
    if ok then
      down[plan.pool] = nil
      return ok
    elseif last or cause:find("resolve", 1, true) then
      return nil, cause
    end
  end
end

-- Only resolver_timeout (30 s by default) limits nginx's look-up of a name, so a second light thread watches the clock.
local function connect_by_name(self, pool, deadline)
  local connecting = ngx.thread.spawn(function()
    return "connect", connect_to_any_address(self, pool, deadline)
  end)
  if coroutine.status(connecting) == "dead" or coroutine.status(connecting) == "zombie" then
    return select(3, ngx.thread.wait(connecting))
  end
  local alarm = ngx.thread.spawn(function()
    ngx.sleep(math.max(0, deadline - ngx.now()))
    return "alarm"
  end)
  local _, first, ok, cause = ngx.thread.wait(connecting, alarm)
  if first == "alarm" then
    ngx.thread.kill(connecting)
    return nil, "timeout"
  end
  ngx.thread.kill(alarm)
  return ok, cause
end

local function connect(self, deadline)
  if not set_timeouts(self, deadline) then
    return nil, "timeout"
  end
  local plan = self.plan
  local pool = { pool = plan.pool, pool_size = math.max(1, self.settings.pool_size) }
  if url.is_address(plan.host) then
    return self.socket:connect(plan.address, plan.port, pool)
  end
  return connect_by_name(self, pool, deadline)
end

local REFUSED = "the certificate was refused, see error.log"

local function check_name(self, verify)
  local ok, cause = self.socket:sslhandshake(false, self.plan.server_name, verify)
  -- lua-nginx-module 0.10.23 returns true when a handshake that needed no wait ended in a refusal; the socket is closed
  -- then, and only error.log has the cause.
  if ok and not self.socket:getreusedtimes() then
    return nil, REFUSED
  end
  return ok, cause
end

-- Without a name nginx verifies the chain only, and the address is compared here. A handshake does not carry an address
-- either (RFC 6066 section 3).
local function check_address(self)
  -- In the case that check_name describes, an assertion of resty.core fails here.
  local ok, session, cause = pcall(self.socket.sslhandshake, self.socket, nil, nil, true)
  if not ok then
    return nil, REFUSED
  elseif not session and cause then
    return nil, cause
  end
  return certificate.is_for(session, self.plan.server_name) or nil, "certificate host mismatch"
end

local function encrypt(self, deadline)
  local plan, verify = self.plan, self.settings.tls_verify
  local handshake = verify and url.is_address(plan.server_name) and check_address or check_name
  local ok, cause = nil, "timeout"
  if set_timeouts(self, deadline) then
    ok, cause = handshake(self, verify)
  end
  if not ok then
    return fail("tls", "the TLS handshake with " .. plan.authority .. " failed", cause, false)
  end
  return true
end

-- RFC 9110 9.3.6. Nothing of the request itself has been sent yet.
local function encrypt_through_tunnel(self, deadline)
  local plan = self.plan
  local got, message, details = self:exchange(wire.connect(plan), "CONNECT", MAX_PROXY_BODY_BYTES, deadline)
  if not got then
    details.sent = false
    return nil, "proxy: " .. message, details
  elseif got.status >= 300 then
    return errors.fail("network", ("the proxy refused a tunnel to %s with status %d"):format(
      plan.tunnel, got.status), { sent = false })
  elseif got.surplus then
    return errors.fail("network", "the proxy sent data after its response to CONNECT", { sent = false })
  end
  return encrypt(self, deadline)
end

local function prepare(self, deadline)
  local plan = self.plan
  local ok, cause = connect(self, deadline)
  if not ok then
    return fail("network", ("cannot connect to %s:%d"):format(plan.address, plan.port), cause, false)
  end
  self.reused = self.socket:getreusedtimes() > 0
  if self.reused or not plan.tls then
    return true
  end
  return (plan.tunnel and encrypt_through_tunnel or encrypt)(self, deadline)
end

--- Opens a connection, or takes one from the pool.
-- @tparam table plan as route.plan returns it
-- @tparam table settings of the transport; its `down`, a set of pool names, is kept here
-- @tparam number deadline in the seconds of ngx.now()
-- @tparam boolean fresh true to take none from the pool
-- @treturn table|nil connection; after `exchange` its field `stale` says whether it came from the pool and broke before
--   any byte of a response
function connection.open(plan, settings, deadline, fresh)
  local usable, socket = pcall(ngx.socket.tcp)
  if not usable then
    local phase = tostring(socket):match("context of ([%w_]+)") or "this phase"
    return errors.fail("config", ("nginx allows no network access in %s: %s"):format(phase, PHASE_HINT),
      { sent = false, hint = PHASE_HINT })
  end
  local self = setmetatable({ socket = socket, plan = plan, settings = settings }, metatable)
  local ok, message, details
  repeat
    if self.reused then
      socket:close() -- another stale connection from the pool
    end
    ok, message, details = prepare(self, deadline)
  until not (ok and fresh and self.reused)
  if not ok then
    socket:close()
    return nil, message, details
  end
  return self
end

-- nginx looks for surplus bytes in the socket, not in OpenSSL, which has read the whole TLS record. A piece that may
-- have filled nginx's buffer, whose size is a multiple of this, may have left some there.
local BUFFER_UNIT = 512

-- True when the parser has the whole response; else nil, message, and a code when the response is at fault.
local function read(self, parser, deadline)
  local done, message, code
  repeat
    if not set_timeouts(self, deadline) then
      return nil, "timeout"
    end
    local bytes, cause, rest = self.socket:receiveany(READ_BYTES)
    local piece = bytes or rest or ""
    self.may_hold_more = self.plan.tls and #piece > 0 and #piece % BUFFER_UNIT == 0
    done, message, code = parser:feed(piece)
    if done == false and cause == "closed" then
      done, message, code = parser:close()
    end
    if not done and (message or cause) then
      return nil, message or cause, code
    end
  until done
  return true
end

--- Sends bytes and reads the response to them.
-- @tparam string|table bytes as socket:send takes them
-- @tparam string method of the request
-- @tparam number max_body_bytes
-- @tparam number deadline in the seconds of ngx.now()
-- @treturn table|nil `{ status =, headers =, body =, persistent =, surplus = }`
function methods:exchange(bytes, method, max_body_bytes, deadline)
  local parser = response.new(method, max_body_bytes)
  local server = self.plan.authority
  if not set_timeouts(self, deadline) then
    return errors.fail("timeout", ("timed out before the request to %s was sent"):format(server), { sent = false })
  end
  local sent, cause = self.socket:send(bytes)
  if not sent and cause == "timeout" then
    return errors.fail("timeout", ("timed out while sending the request to %s"):format(server))
  end
  -- A server may respond and close before it has read everything; the response counts.
  local ok, message, code = read(self, parser, deadline)
  if ok then
    parser.persistent = parser.persistent and sent ~= nil and not self.may_hold_more
    return parser
  elseif code and parser.received then
    return errors.fail(code, server .. ": " .. message)
  end
  self.stale = self.reused and not parser.received and message ~= "timeout"
  return fail("network", "incomplete response from " .. server, message)
end

--- Gives the connection back: to the pool if another request may use it.
-- @tparam boolean persistent as the response says
function methods:release(persistent)
  if not (persistent and self.socket:setkeepalive(self.settings.idle_ms, self.settings.pool_size)) then
    self.socket:close()
  end
end

return connection
