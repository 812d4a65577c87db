--- Where a request goes first: straight to the server, or by way of an HTTP
-- proxy. Pure: options and a request in, a plain table out.

local errors = require "pusher.base.errors"
local urls = require "pusher.base.url"

local route = {}

--- Reads `http://[user:password@]host[:port]`.
-- The URL may hold a password, so no message shows any of it.
-- @tparam string url
-- @treturn table|nil `{ host =, port =, user = "user:password" or nil }`
function route.proxy(url)
  local scheme, authority = url:match("^(%w+)://([^/]+)/?$")
  if not scheme then
    scheme, authority = "http", url:match("^([^/]+)/?$")
  end
  local user, place = (authority or ""):match("^(.*)@(.*)$")
  place = place or authority or ""
  local host, port = urls.split_host(place)
  port = port or 1080 -- curl's default port for proxies
  if scheme:lower() ~= "http" or not host or port < 1 or port > 65535 then
    return errors.fail("config", 'option "proxy" must be http://[user:password@]host:port here', { field = "proxy" })
  end
  return { host = host, port = port, user = user and urls.unescape(user) or nil }
end

--- Whether a host is named by a list such as "localhost,.example.org,10.0.0.1".
-- As curl reads it: a name covers its subdomains, with or without the dot; "*" is all.
-- @tparam string host
-- @tparam[opt] string list
-- @treturn boolean
function route.excluded(host, list)
  host = host:lower()
  for name in (list or ""):lower():gmatch("[^%s,]+") do
    name = name:gsub("^%.", ""):gsub("^%[(.*)%]$", "%1")
    if name == "*" or host == name or (not route.is_address(host) and host:sub(-#name - 1) == "." .. name) then
      return true
    end
  end
  return false
end

--- Whether a host is an IP address, so that no resolver is asked.
-- @tparam string host without brackets
-- @treturn boolean
function route.is_address(host)
  return host:find(":", 1, true) ~= nil or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- In a URL, a Host header and nginx's connect() alike.
local function bracketed(host)
  return host:find(":", 1, true) and "[" .. host .. "]" or host
end

-- The pool's name holds everything by which two connections are not
-- interchangeable. Which authorities are trusted is set in nginx.conf and
-- cannot be seen from here. A checksum stands for the tunnel's credentials,
-- since nginx writes pool names to its debug log.
local function pool_name(request, settings, proxy)
  local name = ("pusher %s %s:%d"):format(request.scheme, bracketed(request.host), request.port)
  if request.scheme == "https" then
    name = name .. (settings.tls_verify and " verified" or " unverified")
  end
  if proxy then
    name = name .. (" by %s:%d"):format(bracketed(proxy.host), proxy.port)
    if request.scheme == "https" and proxy.checksum then
      name = name .. (" as %08x"):format(proxy.checksum)
    end
  end
  return name
end

--- Plans the way of one request.
-- @tparam table request see pusher.channels.request
-- @tparam table settings `{ proxy = as route.proxy returns, no_proxy =, tls_verify = }`; the proxy has
-- `credentials` (base64) and `checksum` (32 bits of them) when it has a user
-- @treturn table `{ host =, port = whom to connect to, pool = name, tls = boolean, server_name =,
--   authority = for the Host header, origin = "http://host" when the target must be absolute,
--   tunnel = "host:port" when a tunnel is to be asked for, credentials = for the proxy, in base64 }`
function route.plan(request, settings)
  local proxy = settings.proxy
  if proxy and route.excluded(request.host, settings.no_proxy) then
    proxy = nil
  end
  local tls = request.scheme == "https"
  local host = bracketed(request.host)
  local authority = request.port == (tls and 443 or 80) and host or host .. ":" .. ("%d"):format(request.port)
  local plan = {
    host = proxy and proxy.host or request.host,
    port = proxy and proxy.port or request.port,
    pool = pool_name(request, settings, proxy),
    tls = tls,
    server_name = request.host,
    authority = authority,
  }
  if proxy then
    plan.credentials = proxy.credentials
    plan.tunnel = tls and ("%s:%d"):format(host, request.port) or nil
    plan.origin = not tls and "http://" .. authority or nil
  end
  plan.address = bracketed(plan.host)
  return plan
end

return route
