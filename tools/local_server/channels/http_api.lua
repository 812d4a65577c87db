--- The signed HTTP API: routes, and the checks of signature and app.

local events = require "tools.local_server.channels.events"
local notifications = require "tools.local_server.channels.notifications"
local queries = require "tools.local_server.channels.queries"
local signature = require "tools.local_server.channels.signature"

local http_api = {}

local function refuse(status, text)
  return { status = status, body = text .. "\n" }
end

local function terminate(state, _, _, user_id)
  state.users:terminate(user_id)
  return { status = 200, body = "{}", type = "application/json" }
end

local function reconnect(state, _, _, user_id)
  state.users:reconnect(user_id)
  return { status = 200, body = "{}", type = "application/json" }
end

-- { method, pattern of the path below /apps/ID, handler(state, exchange, query, captured name) }
local ROUTES = {
  { "POST", "^/events$", events.trigger },
  { "POST", "^/batch_events$", events.batch },
  { "GET", "^/channels$", queries.channels },
  { "GET", "^/channels/([^/]+)$", queries.channel },
  { "GET", "^/channels/([^/]+)/users$", queries.users },
  { "POST", "^/notifications$", notifications.publish },
  { "POST", "^/users/([^/]+)/terminate_connections$", terminate },
  { "POST", "^/users/([^/]+)/force_reconnect$", reconnect },
}

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local NOTIFICATIONS = "^/server_api/v1/apps/([^/]+)/notifications$"

-- The app's id and the path below it.
local function split_path(path)
  local app_id = path:match(NOTIFICATIONS)
  if app_id then
    return app_id, "/notifications"
  end
  return path:match("^/apps/([^/]+)(/.*)$")
end

local function find_route(method, path)
  local other_method = false
  for _, route in ipairs(ROUTES) do
    local captured = path:match(route[2])
    if captured and route[1] == method then
      return route[3], unescape(captured)
    end
    other_method = other_method or captured ~= nil
  end
  return nil, other_method
end

-- Cuts the prefix off the path; the signature may cover it or not.
local function strip_prefix(app, exchange)
  local prefix = app.path_prefix
  if prefix ~= "" and exchange.path:sub(1, #prefix) == prefix then
    local stripped = exchange.path:sub(#prefix + 1)
    exchange.path = app.sign_path_prefix and exchange.path or stripped
    return stripped
  end
  return prefix == "" and exchange.path or ""
end

--- Responds to one request.
-- @tparam table state `app`, `channels`, `users`, `record`
-- @tparam table exchange
-- @treturn table the response
function http_api.handle(state, exchange)
  local app = state.app
  local app_id, path = split_path(strip_prefix(app, exchange))
  if not app_id then
    return refuse(404, "Not found")
  end
  local body = exchange:read_body()
  if not body or #body > app.max_body_bytes then
    return refuse(413, ("The body exceeds the allowed maximum (%d bytes)."):format(app.max_body_bytes))
  elseif app_id ~= app.app_id then
    return refuse(404, ("App %s not in this cluster. Did you forget to specify the cluster?"):format(app_id))
  end
  local refused, parameters = signature.check_request(app, exchange)
  if refused then
    return refused
  elseif not app.enabled then
    return refuse(403, "Application disabled")
  end
  local handler, captured = find_route(exchange.method, path)
  if handler == events.batch and not app.has_batches then
    handler, captured = nil, nil
  end
  if not handler then
    return refuse(captured and 405 or 404, captured and "Method not allowed" or "Not found")
  end
  return handler(state, exchange, parameters, captured)
end

return http_api
