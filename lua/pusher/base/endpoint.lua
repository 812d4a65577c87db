--- The base URL of a service: read into its parts, and made into requests. Pure.

local errors = require "pusher.base.errors"
local standard_headers = require "pusher.base.headers"
local urls = require "pusher.base.url"

local endpoint = {}

local fail = errors.fail

--- Splits a URL. User names, queries and fragments are refused. The message does not show the URL, for it may hold a
-- password.
-- @tparam string url such as "https://fcm.googleapis.com" or "http://[::1]:8080/base/"
-- @tparam string name of the option, for the message
-- @treturn table|nil `{ scheme =, host = without brackets, port =, path = "" or "/base" }`
function endpoint.parse(url, name)
  local scheme, authority, path
  if type(url) == "string" then
    scheme, authority, path = url:match("^(https?)://([^/?# \t-\r]+)(.*)$")
  end
  local host, port
  if scheme and (path == "" or path:find("^/[A-Za-z0-9%-_.~/%%:]*$")) and not urls.has_step(path) then
    host, port = urls.split_host(authority)
  end
  if not host then
    return fail("config", ('option "%s" must be a URL of the form http[s]://HOST[:PORT][/PATH]'):format(name),
      { field = name })
  end
  return { scheme = scheme, host = host, port = port or urls.DEFAULT_PORT[scheme], path = path:match("^.*[^/]") or "" }
end

--- A request to the endpoint.
-- @tparam table at as endpoint.parse returns
-- @tparam string method
-- @tparam string path below the endpoint's own
-- @tparam table headers list of `{ name, value }`; the standard headers are added to it
-- @tparam string|nil body
-- @tparam number timeout seconds
-- @treturn table request, see pusher.transport
function endpoint.request(at, method, path, headers, body, timeout)
  local target = at.path .. path
  return {
    method = method, scheme = at.scheme, host = at.host, port = at.port, target = target ~= "" and target or "/",
    headers = standard_headers.complete(headers), body = body, timeout = timeout,
  }
end

return endpoint
