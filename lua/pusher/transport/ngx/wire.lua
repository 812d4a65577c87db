--- A request table in, the bytes to send out. Pure.
--
-- The request is signed, so its parts are sent unchanged; bytes that could break out of their place in the message are
-- refused (RFC 9112 sections 3 and 5).

local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"

local wire = {}

local function invalid(part)
  return errors.fail("invalid", ("the request's %s contains characters that cannot be sent"):format(part),
    { field = part, sent = false })
end

local function proxy_authorization(plan)
  return plan.credentials and "Proxy-Authorization: Basic " .. plan.credentials .. "\r\n" or ""
end

--- The bytes of a request.
-- @tparam table request see pusher.transport
-- @tparam table plan as route.plan returns it
-- @tparam boolean keep whether another request may follow on the connection
-- @treturn string|nil (code `invalid`)
function wire.request(request, plan, keep)
  if not request.method:find("^[A-Z]+$") then
    return invalid("method")
  elseif not request.host:find("^[A-Za-z0-9%-_.:]+$") then
    return invalid("host")
  elseif request.target:sub(1, 1) ~= "/" or request.target:find(ascii.CONTROL_OR_SPACE) then
    return invalid("target")
  end
  local out = { request.method, " ", plan.origin or "", request.target, " HTTP/1.1\r\nHost: ", plan.authority, "\r\n" }
  local count = #out
  for _, header in ipairs(request.headers or {}) do
    local name, value = header[1], header[2]
    -- Of the control characters, a value may contain tabs only.
    if not name:find("^[A-Za-z0-9!#$%%&'*+%-.^_`|~]+$") or value:find("[%z\1-\8\10-\31\127]") then
      return invalid("header")
    end
    out[count + 1], out[count + 2], out[count + 3], out[count + 4] = name, ": ", value, "\r\n"
    count = count + 4
  end
  local has_length = request.body or request.method ~= "GET"
  out[count + 1] = plan.origin and proxy_authorization(plan) or ""
  out[count + 2] = has_length and ("Content-Length: %d\r\n"):format(#(request.body or "")) or ""
  out[count + 3] = keep and "\r\n" or "Connection: close\r\n\r\n"
  out[count + 4] = request.body
  return table.concat(out)
end

--- Asks a proxy for a tunnel (RFC 9110 9.3.6).
-- @tparam table plan as route.plan returns it, with `tunnel`
-- @treturn string
function wire.connect(plan)
  return ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n"):format(plan.tunnel, plan.tunnel, proxy_authorization(plan))
end

return wire
