--- One connection on a cosocket: from nginx's pool or new, through a proxy, encrypted; sends bytes, reads a response.
-- A cosocket belongs to the nginx request that made it, so nothing here outlives a call.
-- Rules: lua-nginx-module README "ngx.socket.tcp" (phases, pools, timeouts).

local certificate = require "pusher.transport.ngx.certificate"
local connect = require "pusher.transport.ngx.connect"
local errors = require "pusher.base.errors"
local readable = require "pusher.transport.ngx.readable"
local response = require "pusher.transport.ngx.response"
local timeouts = require "pusher.transport.ngx.timeouts"
local url = require "pusher.base.url"
local wire = require "pusher.transport.ngx.wire"

local connection = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx.connection" }

local READ_BYTES = 16 * 1024

local PHASE_HINT = "call client:publisher() to publish in the background, or ngx.timer.at(0, ...) to leave this phase"

local RESOLVER_HINT = "the DNS server that the directive resolver names does not respond"

-- For nginx's terse errors: the directive that helps.
local HINTS = {
  { cause = "no resolver defined", text = "nginx does not read /etc/hosts or /etc/resolv.conf: "
    .. "name a DNS server with the directive resolver" },
  { cause = connect.LOOKUP_TIMEOUT, text = RESOLVER_HINT },
  { cause = "could not be resolved %(110: ", text = RESOLVER_HINT },
  { cause = "^1[89]: ", text = "name the authority to trust with the directive lua_ssl_trusted_certificate" },
  { cause = "^2[01]: ", text = "name the authorities to trust with the directive lua_ssl_trusted_certificate, "
    .. "such as /etc/ssl/certs/ca-certificates.crt" },
  { cause = "^22: ", text = "allow longer chains with the directive lua_ssl_verify_depth" },
}

-- `cause` is what nginx says; that the time passed decides the code. For a connection that broke in a handshake it says
-- the same as for a handshake that the server refused; another call may succeed. (A refused certificate has a cause of
-- its own.)
local function fail(code, text, cause, sent)
  cause = tostring(cause or "unknown error")
  local message, details = text .. ": " .. cause, { sent = sent, retryable = cause == "handshake failed" or nil }
  for _, hint in ipairs(HINTS) do
    if cause:find(hint.cause) then
      message, details.hint = message .. " (" .. hint.text .. ")", hint.text
    end
  end
  local is_late = cause == "timeout" or cause == connect.LOOKUP_TIMEOUT
  return errors.fail(is_late and "timeout" or code, message, details)
end

local REFUSED = "the certificate was refused, see error.log"

-- Where the connection leads: to the server or to the proxy.
local function peer(plan)
  return ("%s:%d"):format(plan.address, plan.port)
end

-- A handshake carries no address (RFC 6066 section 3).
local function shake_hands_by_name(self, verify)
  local name = self.plan.server_name
  local ok, cause = self.socket:sslhandshake(false, not url.is_address(name) and name or nil, verify)
  -- lua-nginx-module 0.10.23 returns true when a handshake that needed no wait ended in a refusal; the socket is closed
  -- then, and only error.log has the cause.
  if ok and not self.socket:getreusedtimes() then
    return nil, REFUSED
  end
  return ok, cause
end

-- Without a name nginx verifies the chain only, and the address is compared here.
local function shake_hands_by_address(self)
  -- In the case that shake_hands_by_name describes, an assertion of resty.core fails here.
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
  local handshake = verify and url.is_address(plan.server_name) and shake_hands_by_address or shake_hands_by_name
  local ok, cause = nil, "timeout"
  if timeouts.set(self, deadline) then
    ok, cause = handshake(self, verify)
  end
  if not ok then
    return fail("tls", "the TLS handshake with " .. plan.authority .. " failed", cause, false)
  end
  return true
end

local function fail_refused_tunnel(plan, status)
  local message = ("the proxy %s refused a tunnel to %s with status %d"):format(peer(plan), plan.tunnel, status)
  if status == 407 then
    message = message .. (plan.credentials and ': it did not accept the user and password in the option "proxy"'
      or ': it asks for a user and a password: give them in the option "proxy"')
  end
  return errors.fail("network", message, { sent = false })
end

-- RFC 9110 9.3.6. Nothing of the request itself has been sent yet.
local function encrypt_through_tunnel(self, deadline)
  local plan = self.plan
  local got, message, details = self:exchange(wire.connect(plan), "CONNECT", 0, deadline) -- no body is read
  if not got then
    details.sent = false
    return nil, "proxy: " .. message, details
  elseif got.status >= 300 then
    return fail_refused_tunnel(plan, got.status)
  elseif got.surplus then
    return errors.fail("network", ("the proxy %s sent data after its response to CONNECT"):format(peer(plan)),
      { sent = false })
  end
  return encrypt(self, deadline)
end

local function prepare(self, deadline, call_deadline)
  local plan = self.plan
  local ok, cause = connect.open(self, plan, self.settings.down, deadline, call_deadline)
  if not ok then
    return fail("network", "cannot connect to " .. peer(plan), cause, false)
  end
  self.reused = self.socket:getreusedtimes() > 0
  if self.reused or not plan.tls then
    return true
  end
  return (plan.tunnel and encrypt_through_tunnel or encrypt)(self, deadline)
end

local function is_unusable(self, fresh)
  return self.reused and (fresh or readable.check(self))
end

--- Opens a connection, or takes one from the pool.
-- @tparam table plan as route.plan returns it
-- @tparam table settings of the transport; its `down`: see connect.lua
-- @tparam number deadline by pusher.core's now()
-- @tparam number call_deadline of the exchange that follows, not before `deadline`
-- @tparam boolean fresh true to take none from the pool
-- @treturn table|nil connection; after `exchange` its field `stale` says whether it came from the pool and broke before
--   any byte of a response
function connection.open(plan, settings, deadline, call_deadline, fresh)
  local usable, socket = pcall(ngx.socket.tcp)
  -- APISIX gives out sockets that block in the phases in which nginx has none. They lack methods.
  if not usable or not socket.receiveany then
    local phase = tostring(socket):match("context of ([A-Za-z0-9_]+)") or "this phase"
    return errors.fail("config", ("nginx allows no network access in %s: %s"):format(phase, PHASE_HINT),
      { sent = false, hint = PHASE_HINT })
  end
  local self = setmetatable({ socket = socket, plan = plan, settings = settings }, metatable)
  local ok, message, details
  -- A kept connection that must not carry the request is closed, and the next one is taken; when the pool is empty,
  -- nginx connects.
  repeat
    ok, message, details = prepare(self, deadline, call_deadline)
    local unusable = ok and is_unusable(self, fresh)
    if unusable or not ok then
      socket:close()
    end
  until not unusable
  return ok and self, message, details
end

-- nginx looks for surplus bytes in the socket, not in OpenSSL, which has read the whole TLS record. A piece that may
-- have filled nginx's buffer, whose size is a multiple of this, may have left some there.
local BUFFER_UNIT = 512

-- Returns the response, or nil, a message, a code when the response is at fault, and whether any of it has arrived.
local function read(self, method, max_body_bytes, deadline)
  local kept, parser = self.settings.last_head, nil
  local done, message, code
  repeat
    if not timeouts.update(self, deadline) then
      return nil, "timeout", nil, parser and parser.received
    end
    local bytes, cause, rest = self.socket:receiveany(READ_BYTES)
    local piece = bytes or rest or ""
    self.may_hold_more = self.plan.tls and #piece > 0 and #piece % BUFFER_UNIT == 0
    local whole = bytes and not parser and response.with_kept_head(method, kept, bytes)
    if whole then
      return whole
    end
    parser = parser or response.new(method, max_body_bytes, kept)
    done, message, code = parser:feed(piece)
    if done == false and cause == "closed" then
      done, message, code = parser:close()
    end
    if not done and (message or cause) then
      return nil, message or cause, code, parser.received
    end
  until done
  return parser
end

-- nginx's timeout begins anew with each part that the kernel takes, so large requests are sent in pieces.
local SEND_BYTES = 16 * 1024

-- Returns true; or nil, a message, and whether nothing was sent.
local function send(self, bytes, deadline)
  for first = 1, #bytes, SEND_BYTES do
    if not timeouts.update(self, deadline) then
      return nil, "timeout", first == 1
    end
    local piece = #bytes <= SEND_BYTES and bytes or bytes:sub(first, first + SEND_BYTES - 1)
    local ok, cause = self.socket:send(piece)
    if not ok then
      return nil, cause
    end
  end
  return true
end

--- Sends bytes and reads the response to them.
-- @tparam string bytes
-- @tparam string method of the request
-- @tparam number max_body_bytes
-- @tparam number deadline by pusher.core's now()
-- @treturn table|nil `{ status =, headers =, body =, persistent =, surplus = }`
function methods:exchange(bytes, method, max_body_bytes, deadline)
  local server = method == "CONNECT" and peer(self.plan) or self.plan.authority
  local sent, cause, nothing = send(self, bytes, deadline)
  if nothing then
    return errors.fail("timeout", ("timed out before the request to %s was sent"):format(server), { sent = false })
  elseif not sent and cause == "timeout" then
    return errors.fail("timeout", ("timed out while sending the request to %s"):format(server))
  end
  -- A server may respond and close before it has read everything; the response counts.
  local got, message, code, received = read(self, method, max_body_bytes, deadline)
  if got then
    got.persistent = got.persistent and sent and not self.may_hold_more
    return got
  elseif code and received then
    return errors.fail(code, server .. ": " .. message)
  end
  self.stale = self.reused and not received and message ~= "timeout"
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
