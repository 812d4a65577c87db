--- A request as a test wants to see it: its target, headers and body taken apart. Pure.

local ascii = require "pusher.base.ascii"
local url = require "pusher.base.url"

local view = {}

local function read_query(text)
  local query = {}
  for pair in text:gmatch("[^&]+") do
    local middle = pair:find("=", 1, true) or #pair + 1
    query[url.unescape(pair:sub(1, middle - 1))] = url.unescape(pair:sub(middle + 1))
  end
  return query
end

local function read_headers(list)
  local headers = {}
  for _, pair in ipairs(list) do
    headers[ascii.lower(pair[1])] = pair[2]
  end
  return headers
end

--- Takes a request apart.
-- @tparam table request as pusher.base.request reads it
-- @tparam table json as json.new returns
-- @treturn table fresh: `method`, `scheme`, `host`, `port`, `path` (as sent, without the query), `query` (names to
--   values, decoded), `headers` (names in lower case to values), `body` (as sent), `json` (the body decoded, nil when
--   it is not JSON), `timeout` in seconds
function view.of(request, json)
  local target, body = request.target, request.body
  local middle = target:find("?", 1, true) or #target + 1
  local decoded
  if body and body ~= "" then
    decoded = json.decode(body)
  end
  return {
    method = request.method, scheme = request.scheme, host = request.host, port = request.port,
    path = target:sub(1, middle - 1), query = read_query(target:sub(middle + 1)),
    headers = read_headers(request.headers), body = body, json = decoded, timeout = request.timeout,
  }
end

local APPS = "/apps/"

--- The part of a path that follows the app's id, with its slash: "/events". Nil when the path names no app.
-- @tparam string path
-- @treturn string|nil
function view.of_app(path)
  local start = path:find(APPS, 1, true)
  local slash = start and path:find("/", start + #APPS, true)
  return slash and path:sub(slash) or nil
end

--- The names in the value of `info`: "user_count,subscription_count".
-- @param text anything but a string has none
-- @treturn table list
function view.info(text)
  local names = {}
  for name in (type(text) == "string" and text or ""):gmatch("[^,]+") do
    names[#names + 1] = name
  end
  return names
end

return view
