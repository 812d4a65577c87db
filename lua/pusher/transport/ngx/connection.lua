--- One connection on a cosocket: taken from nginx's pool or opened, tunnelled
-- through a proxy, encrypted; bytes out, an answer in; back to the pool or closed.
--
-- A cosocket dies with the request that made it, so nothing here outlives a call.
-- Rules: lua-nginx-module README "ngx.socket.tcp" (phases, pools, timeouts).

local certificate = require "pusher.transport.ngx.certificate"
local errors = require "pusher.base.errors"
local response = require "pusher.transport.ngx.response"
local route = require "pusher.transport.ngx.route"
local wire = require "pusher.transport.ngx.wire"

local connection = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.ngx.connection" }

local READ_BYTES = 16 * 1024
local MAX_PROXY_BODY_BYTES = 64 * 1024

local PHASE_HINT = "call client:publisher() to publish in the background, or ngx.timer.at(0, ...) to leave this phase"

-- What nginx's words lack: the directive that helps.
local HINTS = {
  { "no resolver defined", "nginx does not read /etc/hosts or /etc/resolv.conf: "
    .. "name a DNS server with the directive resolver" },
  { "^18: ", "name the authority to trust with the directive lua_ssl_trusted_certificate" },
  { "^19: ", "name the authority to trust with the directive lua_ssl_trusted_certificate" },
  { "^2[01]: ", "name the authorities to trust with the directive lua_ssl_trusted_certificate, "
    .. "such as /etc/ssl/certs/ca-certificates.crt" },
  { "^22: ", "allow longer chains with the directive lua_ssl_verify_depth" },
}

local function hint(text)
  for _, pair in ipairs(HINTS) do
    if text:find(pair[1]) then
      return pair[2]
    end
  end
end

local function fail(code, text, reason, details)
  reason = tostring(reason or "unknown error")
  details.hint = hint(reason)
  return errors.fail(reason == "timeout" and "timeout" or code,
    text .. ": " .. reason .. (details.hint and " (" .. details.hint .. ")" or ""), details)
end

-- Every wait ends at the deadline of the whole call. nil when it has passed.
local function set_timeouts(self, deadline)
  local left_ms = math.ceil((deadline - ngx.now()) * 1000)
  if left_ms <= 0 then
    return nil
  end
  self.socket:settimeouts(left_ms, left_ms, left_ms)
  return left_ms
end

-- nginx bounds a look-up by resolver_timeout alone (30 s unless set), so a
-- second light thread watches the clock meanwhile.
local function connect_by_name(self, options, left_ms)
  local plan = self.plan
  local function open()
    local ok, reason = self.socket:connect(plan.host, plan.port, options)
    return "connect", ok, reason
  end
  local connecting = ngx.thread.spawn(open)
  if coroutine.status(connecting) == "dead" or coroutine.status(connecting) == "zombie" then
    return select(3, ngx.thread.wait(connecting))
  end
  local alarm = ngx.thread.spawn(function()
    ngx.sleep(left_ms / 1000)
    return "alarm"
  end)
  local _, who, ok, reason = ngx.thread.wait(connecting, alarm)
  if who == "alarm" then
    ngx.thread.kill(connecting)
    return nil, "timeout"
  end
  ngx.thread.kill(alarm)
  return ok, reason
end

local function connect(self, deadline)
  local left_ms = set_timeouts(self, deadline)
  if not left_ms then
    return nil, "timeout"
  end
  local plan, settings = self.plan, self.settings
  local options = { pool = plan.pool, pool_size = math.max(1, settings.pool_size) }
  if route.is_address(plan.host) then
    return self.socket:connect(plan.address, plan.port, options)
  end
  return connect_by_name(self, options, left_ms)
end

-- RFC 9110 9.3.6. Nothing of the request itself has been sent yet.
local function ask_tunnel(self, deadline)
  local plan = self.plan
  local answer, message, details = self:exchange(wire.connect(plan), "CONNECT", MAX_PROXY_BODY_BYTES, deadline)
  if not answer then
    details.sent = false
    return nil, "proxy: " .. message, details
  elseif answer.status >= 300 then
    return errors.fail("network", ("the proxy refused a tunnel to %s with status %d"):format(
      plan.tunnel, answer.status), { sent = false })
  elseif answer.surplus then
    return errors.fail("network", "the proxy sent more than the answer to CONNECT", { sent = false })
  end
  return true
end

local MISMATCH = "certificate host mismatch"

local function check_name(self, verify)
  local ok, reason = self.socket:sslhandshake(false, self.plan.server_name, verify)
  -- lua-nginx-module 0.10.23 answers true when a handshake that needed no wait
  -- ended in a refusal; the socket is closed then, and only error.log knows why.
  if ok and not self.socket:getreusedtimes() then
    return nil, "the certificate was refused, see error.log"
  end
  return ok, reason
end

-- nginx verifies the chain alone when it is given no name, so the address is ours to
-- compare. RFC 6066 section 3 has no place for an address in the handshake either.
local function check_address(self)
  -- Where check_name is told true, an assertion of resty.core fails here.
  local ok, session, reason = pcall(self.socket.sslhandshake, self.socket, nil, nil, true)
  if not ok then
    return nil, "the certificate was refused, see error.log"
  elseif not session and reason then
    return nil, reason
  end
  return certificate.is_for(session, self.plan.server_name) or nil, MISMATCH
end

local function encrypt(self, deadline)
  local plan, verify = self.plan, self.settings.tls_verify
  local ok, reason = nil, "timeout"
  if set_timeouts(self, deadline) then
    if verify and route.is_address(plan.server_name) then
      ok, reason = check_address(self)
    else
      ok, reason = check_name(self, verify)
    end
  end
  if not ok then
    return fail("tls", "TLS with " .. plan.authority .. " failed", reason, { sent = false })
  end
  return true
end

local function prepare(self, deadline)
  local plan = self.plan
  local ok, reason = connect(self, deadline)
  if not ok then
    return fail("network", ("cannot connect to %s:%d"):format(plan.address, plan.port), reason, { sent = false })
  end
  self.reused = self.socket:getreusedtimes() > 0
  if self.reused then
    return true
  end
  local message, details
  if plan.tunnel then
    ok, message, details = ask_tunnel(self, deadline)
    if not ok then
      return nil, message, details
    end
  end
  if plan.tls then
    return encrypt(self, deadline)
  end
  return true
end

--- Opens a connection, or takes one from the pool.
-- @tparam table plan as route.plan returns
-- @tparam table settings of the transport
-- @tparam number deadline in the seconds of ngx.now()
-- @tparam boolean fresh true to take none from the pool
-- @treturn connection|nil
function connection.open(plan, settings, deadline, fresh)
  local usable, socket = pcall(ngx.socket.tcp)
  if not usable then
    local phase = tostring(socket):match("context of ([%w_]+)") or "this phase"
    return errors.fail("config", ("nginx allows no network access in %s: %s"):format(phase, PHASE_HINT),
      { sent = false, hint = PHASE_HINT })
  end
  local self = setmetatable({ socket = socket, plan = plan, settings = settings }, metatable)
  local tries = fresh and settings.pool_size + 1 or 1
  local ok, message, details
  repeat
    if self.reused then
      socket:close() -- it waited in the pool beside the one that was found dead
    end
    ok, message, details = prepare(self, deadline)
    tries = tries - 1
  until not ok or not self.reused or tries <= 0
  if not ok then
    socket:close()
    return nil, message, details
  end
  return self
end

local function read(self, parser, deadline)
  local socket = self.socket
  repeat
    if not set_timeouts(self, deadline) then
      return nil, "timeout"
    end
    local bytes, reason, rest = socket:receiveany(READ_BYTES)
    bytes = bytes or rest or ""
    local done, message, code
    if bytes ~= "" then
      done, message, code = parser:feed(bytes)
    end
    if not done and not message and reason == "closed" then
      done, message, code = parser:close()
    end
    if message then
      return nil, message, code
    elseif reason and not done then
      return nil, reason
    end
  until done
  return true
end

--- Sends bytes and reads the answer to them.
-- @tparam string|table bytes as socket:send takes them
-- @tparam string method of the request
-- @tparam number max_body_bytes
-- @tparam number deadline
-- @treturn table|nil `{ status =, headers =, body =, persistent = }`; or nil, message, details and
--   whether the connection broke before the server said anything
function methods:exchange(bytes, method, max_body_bytes, deadline)
  local parser = response.new(method, max_body_bytes)
  local where = self.plan.authority
  if not set_timeouts(self, deadline) then
    return fail("timeout", where .. " was not asked", "timeout", { sent = false })
  end
  local sent, reason = self.socket:send(bytes)
  if not sent and reason == "timeout" then
    return fail("timeout", where .. " did not take the request", reason, {})
  end
  -- A server may answer and close before it has read all; the answer counts.
  local ok, message, code = read(self, parser, deadline)
  if ok then
    parser.persistent = parser.persistent and sent ~= nil
    return parser
  elseif code and parser.received then
    return errors.fail(code, where .. ": " .. message)
  end
  local broken_early = not parser.received and message ~= "timeout"
  ok, message, code = fail("network", "no whole answer from " .. where, message, {})
  return ok, message, code, broken_early
end

--- Gives the connection back: into the pool when another request may use it.
-- @tparam boolean persistent what the answer says
function methods:release(persistent)
  local settings = self.settings
  if persistent and settings.pool_size > 0 and settings.idle_ms > 0 then
    if self.socket:setkeepalive(settings.idle_ms, settings.pool_size) then
      return
    end
  end
  self.socket:close()
end

return connection
