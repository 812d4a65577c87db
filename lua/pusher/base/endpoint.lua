--- A base URL in; scheme, host, port and path out. Pure.

local errors = require "pusher.base.errors"
local urls = require "pusher.base.url"

local endpoint = {}

local fail = errors.fail

local DEFAULT_PORT = { http = 80, https = 443 }

--- Splits a URL. User names, queries and fragments are refused; the URL is not shown in
-- the message, for it may hold a password.
-- @tparam string url such as "https://fcm.googleapis.com" or "http://[::1]:8080/base/"
-- @tparam string name of the option, for the message
-- @treturn table|nil `{ scheme =, host = without brackets, port =, path = "" or "/base" }`;
--   nil, message, details otherwise
function endpoint.parse(url, name)
  local scheme, authority, path
  if type(url) == "string" then
    scheme, authority, path = url:match("^(https?)://([^/?#%s]+)([%w%-_.~/%%:]*)$")
  end
  local host, port
  if scheme then
    host, port = urls.split_host(authority)
  end
  if not host or (port and (port < 1 or port > 65535)) then
    return fail("config", ("option %q must be a URL such as https://example.com"):format(name), { field = name })
  end
  return { scheme = scheme, host = host, port = port or DEFAULT_PORT[scheme], path = (path:gsub("/+$", "")) }
end

--- A request to an endpoint.
-- @tparam table at as endpoint.parse returns
-- @tparam string method
-- @tparam string path below the endpoint's own
-- @tparam table headers list of { name, value }
-- @tparam string|nil body
-- @tparam number timeout seconds
-- @treturn table request, ready for a transport
function endpoint.request(at, method, path, headers, body, timeout)
  local target = at.path .. path
  return {
    method = method,
    scheme = at.scheme,
    host = at.host,
    port = at.port,
    target = target ~= "" and target or "/",
    headers = headers,
    body = body,
    timeout = timeout,
  }
end

return endpoint
