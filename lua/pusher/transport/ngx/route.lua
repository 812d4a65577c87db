--- The route of a request: straight to the server, or through an HTTP proxy.

local core = require "pusher.core"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local route = {}

-- nginx writes the names of pools to its debug log. So a name has a MAC of the user and password instead: it differs
-- for different credentials, and without the key no password can be tried on it.
local mac_key = core.mac(core.random(32))

--- Reads `http://[user[:password]@]host[:port]`.
-- The URL may hold a password, so no message shows any of it.
-- @tparam string text
-- @treturn table|nil `{ host =, port = }`, with a user also `credentials` for Basic authentication (RFC 7617), and
--   `credentials_mac`, which stands for them in names
function route.proxy(text)
  local parts = url.split_proxy(text)
  if not parts or parts.scheme ~= "http" then
    return errors.fail("config", 'option "proxy" must be http://[user[:password]@]host:port in nginx',
      { field = "proxy" })
  end
  local proxy, userinfo = { host = parts.host, port = parts.port or 1080 }, parts.userinfo -- 1080 as in curl
  if userinfo then
    local both = url.unescape(userinfo) .. (userinfo:find(":", 1, true) and "" or ":")
    proxy.credentials, proxy.credentials_mac = core.base64_encode(both), mac_key:hex(both)
  end
  return proxy
end

-- Holds everything by which two connections are not interchangeable, except the trusted authorities: nginx.conf sets
-- them, for all locations alike (docs/openresty.md).
local function pool_name(request, settings, proxy)
  local name = ("pusher %s %s:%d"):format(request.scheme, url.bracket(request.host), request.port)
  if request.scheme == "https" then
    name = name .. (settings.tls_verify and " verified" or " unverified")
  end
  if proxy then
    name = name .. (" by %s:%d"):format(url.bracket(proxy.host), proxy.port)
    -- A tunnel stays authorized as the user that opened it; a plain request carries its own credentials.
    if request.scheme == "https" and proxy.credentials_mac then
      name = name .. " as " .. proxy.credentials_mac
    end
  end
  return name
end

--- Plans the connection for one request.
-- @tparam table request see pusher.transport
-- @tparam table settings `{ proxy = as route.proxy returns, is_direct = as no_proxy.new returns, tls_verify =,
--   pool_size = }`
-- @treturn table `{ host =, port = where to connect, address = host in brackets if need be, pool = name, pool_options =
--   for socket:connect, tls = boolean,
--   server_name =, authority = for the Host header, origin = "http://host" when the target must be absolute,
--   tunnel = "host:port" when a tunnel is needed, credentials = for the proxy, in base64,
--   is_address = whether to connect needs no lookup }`
function route.plan(request, settings)
  local proxy = settings.proxy
  if proxy and settings.is_direct(request.host, request.port) then
    proxy = nil
  end
  local tls, place, pool = request.scheme == "https", proxy or request, pool_name(request, settings, proxy)
  local plan = {
    host = place.host,
    port = place.port,
    address = url.bracket(place.host),
    is_address = url.is_address(place.host),
    pool = pool,
    pool_options = { pool = pool, pool_size = math.max(1, settings.pool_size) },
    tls = tls,
    server_name = request.host:gsub("%.$", ""), -- the dot at the end is no part of it (RFC 6066 section 3)
    authority = url.authority(request.scheme, request.host, request.port),
  }
  if proxy then
    plan.credentials = proxy.credentials
    plan.tunnel = tls and ("%s:%d"):format(url.bracket(request.host), request.port) or nil
    plan.origin = not tls and "http://" .. plan.authority or nil
  end
  return plan
end

--- The same; the last plan is kept, since mostly the next request has the same destination.
-- @tparam table request
-- @tparam table settings as for `plan`; its table `last` keeps the plan
-- @treturn table
function route.last_plan(request, settings)
  local last = settings.last
  if last.host ~= request.host or last.port ~= request.port or last.scheme ~= request.scheme then
    last.plan = route.plan(request, settings)
    last.host, last.port, last.scheme = request.host, request.port, request.scheme
  end
  return last.plan
end

return route
