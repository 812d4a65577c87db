--- A request table in, the bytes to send out. Pure.
--
-- The request is signed, so its parts are sent unchanged; bytes that could break out of their place in the message are
-- refused (RFC 9112 sections 3 and 5).

local core = require "pusher.core" -- is_target()
local errors = require "pusher.base.errors"

local wire = {}

local function invalid(part)
  return errors.fail("invalid", ("the request's %s contains characters that cannot be sent"):format(part),
    { field = part, sent = false })
end

local function proxy_authorization(plan)
  return plan.credentials and "Proxy-Authorization: Basic " .. plan.credentials .. "\r\n" or ""
end

-- What follows the target in all requests with the same headers: the rest of the request line, and the headers.
local function lines_of(request, plan)
  if not request.host:find("^[A-Za-z0-9%-_.:]+$") then
    return invalid("host")
  end
  local out = { " HTTP/1.1\r\nHost: ", plan.authority, "\r\n" }
  for _, header in ipairs(request.headers or {}) do
    local name, value = header[1], header[2]
    -- Of the control characters, a value may contain tabs only.
    if not name:find("^[A-Za-z0-9!#$%%&'*+%-.^_`|~]+$") or value:find("[%z\1-\8\10-\31\127]") then
      return invalid("header")
    end
    out[#out + 1] = name .. ": " .. value .. "\r\n"
  end
  out[#out + 1] = plan.origin and proxy_authorization(plan) or ""
  return table.concat(out)
end

--- The bytes of a request.
-- @tparam table request see pusher.transport; its list of headers must not change afterwards
-- @tparam table plan as route.plan returns it for this host; it keeps what is made of the last list of headers
-- @tparam boolean keep whether another request may follow on the connection
-- @treturn string|nil (code `invalid`)
function wire.request(request, plan, keep)
  local method = request.method
  if method ~= "POST" and not method:find("^[A-Z]+$") then -- fast path: skip the check for the common one
    return invalid("method")
  elseif not core.is_target(request.target) then
    return invalid("target")
  elseif not plan.lines or plan.headers ~= request.headers then
    local lines, message, details = lines_of(request, plan)
    if not lines then
      return nil, message, details
    end
    plan.headers, plan.lines = request.headers, lines
  end
  local body = request.body or ""
  local has_length = request.body or request.method ~= "GET"
  return method .. " " .. (plan.origin or "") .. request.target .. plan.lines
    .. (has_length and "Content-Length: " .. #body or "") .. (has_length and "\r\n" or "")
    .. (keep and "\r\n" or "Connection: close\r\n\r\n") .. body
end

--- Asks a proxy for a tunnel (RFC 9110 9.3.6).
-- @tparam table plan as route.plan returns it, with `tunnel`
-- @treturn string
function wire.connect(plan)
  return ("CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n"):format(plan.tunnel, plan.tunnel, proxy_authorization(plan))
end

return wire
