--- The route of a request: straight to the server, or through an HTTP proxy. Pure.

local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local route = {}

--- Reads `http://[user:password@]host[:port]`.
-- The URL may hold a password, so no message shows any of it.
-- @tparam string text
-- @treturn table|nil `{ host =, port =, user = "user:password" or nil }`
function route.proxy(text)
  local scheme, authority = text:match("^(%w+)://([^/]+)/?$")
  if not scheme then
    scheme, authority = "http", text:match("^([^/]+)/?$") or ""
  end
  local user, place = authority:match("^(.*)@(.*)$")
  local host, port = url.split_host(place or authority)
  if scheme:lower() ~= "http" or not host then
    return errors.fail("config", 'option "proxy" must be http://[user:password@]host:port in nginx',
      { field = "proxy" })
  end
  return { host = host, port = port or 1080, user = user and url.unescape(user) or nil } -- 1080 as in curl
end

-- Holds everything by which two connections are not interchangeable, except the trusted authorities: nginx.conf sets
-- them, once for all. nginx writes pool names to its debug log, so a checksum stands for the tunnel's credentials.
local function pool_name(request, settings, proxy)
  local name = ("pusher %s %s:%d"):format(request.scheme, url.bracket(request.host), request.port)
  if request.scheme == "https" then
    name = name .. (settings.tls_verify and " verified" or " unverified")
  end
  if proxy then
    name = name .. (" by %s:%d"):format(url.bracket(proxy.host), proxy.port)
    if request.scheme == "https" and proxy.checksum then
      name = name .. (" as %08x"):format(proxy.checksum)
    end
  end
  return name
end

--- Plans the connection for one request.
-- @tparam table request see pusher.transport
-- @tparam table settings `{ proxy = as route.proxy returns, is_direct = as no_proxy.new returns, tls_verify = }`; a
--   proxy with a user also has `credentials` (base64) and `checksum` (32 bits of them)
-- @treturn table `{ host =, port = where to connect, address = host in brackets if need be, pool = name, tls = boolean,
--   server_name =, authority = for the Host header, origin = "http://host" when the target must be absolute,
--   tunnel = "host:port" when a tunnel is needed, credentials = for the proxy, in base64 }`
function route.plan(request, settings)
  local proxy = settings.proxy
  if proxy and settings.is_direct(request.host, request.port) then
    proxy = nil
  end
  local tls, place = request.scheme == "https", proxy or request
  local plan = {
    host = place.host,
    port = place.port,
    address = url.bracket(place.host),
    pool = pool_name(request, settings, proxy),
    tls = tls,
    server_name = request.host,
    authority = url.authority(request.scheme, request.host, request.port),
  }
  if proxy then
    plan.credentials = proxy.credentials
    plan.tunnel = tls and ("%s:%d"):format(url.bracket(request.host), request.port) or nil
    plan.origin = not tls and "http://" .. plan.authority or nil
  end
  return plan
end

return route
