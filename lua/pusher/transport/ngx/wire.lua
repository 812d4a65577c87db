--- A request table in, the bytes to send out. Pure.
--
-- The request was signed as it is, so nothing of it is rebuilt; what could break
-- out of its place in the message is refused (RFC 9112 sections 3 and 5).

local errors = require "pusher.base.errors"

local wire = {}

local function invalid(what)
  return errors.fail("invalid", "the request's " .. what .. " cannot be sent as it is", { field = what, sent = false })
end

--- Refuses a request that would not stay one request.
-- @tparam table request see pusher.channels.request
-- @treturn true|nil
function wire.check(request)
  if not request.method:find("^%u+$") then
    return invalid("method")
  elseif not request.host:find("^[%w%-_.:]+$") then
    return invalid("host")
  elseif not request.target:find("^/[^%c ]*$") then
    return invalid("target")
  end
  for _, header in ipairs(request.headers or {}) do
    -- A tab is allowed in a value and nothing else that is a control character.
    if not header[1]:find("^[%w!#$%%&'*+%-.^_`|~]+$") or header[2]:gsub("\t", ""):find("%c") then
      return invalid("header")
    end
  end
  return true
end

--- The bytes, as a list: nginx gathers them without a copy in Lua.
-- @tparam table request
-- @tparam table plan as route.plan returns
-- @tparam boolean keep whether another request may follow on the connection
-- @treturn table list of strings
function wire.request(request, plan, keep)
  local out = { request.method, " ", plan.origin or "", request.target, " HTTP/1.1\r\nHost: ", plan.authority, "\r\n" }
  local count = #out
  for _, header in ipairs(request.headers or {}) do
    out[count + 1], out[count + 2], out[count + 3], out[count + 4] = header[1], ": ", header[2], "\r\n"
    count = count + 4
  end
  if plan.origin then
    count = count + 1
    out[count] = wire.proxy_authorization(plan)
  end
  if request.body or request.method ~= "GET" then
    count = count + 1
    out[count] = ("Content-Length: %d\r\n"):format(#(request.body or ""))
  end
  if not keep then
    count = count + 1
    out[count] = "Connection: close\r\n"
  end
  out[count + 1], out[count + 2] = "\r\n", request.body
  return out
end

--- What asks a proxy for a tunnel (RFC 9110 9.3.6).
-- @tparam table plan as route.plan returns, with `tunnel`
-- @treturn table list of strings
function wire.connect(plan)
  return { "CONNECT ", plan.tunnel, " HTTP/1.1\r\nHost: ", plan.tunnel, "\r\n", wire.proxy_authorization(plan), "\r\n" }
end

--- The header for a proxy that wants to know us, or "".
-- @tparam table plan as route.plan returns
-- @treturn string
function wire.proxy_authorization(plan)
  return plan.credentials and "Proxy-Authorization: Basic " .. plan.credentials .. "\r\n" or ""
end

return wire
