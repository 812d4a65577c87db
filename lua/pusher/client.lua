--- The client's methods. Each knows one order and nothing else:
-- validate -> payload -> request -> transport:send(request, parse).

local auth = require "pusher.channels.auth"
local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local json = require "pusher.base.json"
local notify = require "pusher.channels.notify"
local payload = require "pusher.channels.payload"
local publisher = require "pusher.publisher"
local query = require "pusher.channels.query"
local request = require "pusher.channels.request"
local response = require "pusher.channels.response"
local transport = require "pusher.transport"
local url = require "pusher.base.url"
local arguments = require "pusher.base.arguments"
local validate = require "pusher.channels.validate"
local webhook = require "pusher.channels.webhook"

local client = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.client" }

local argument = arguments.check

--- Neither the key nor the secret is shown.
function metatable.__tostring(self)
  return ("pusher.client (app %s at %s)"):format(self.settings.app_id, self.settings.host)
end

local function parsers(codec, clock)
  local shapes = {
    plain = false,
    published = response.published,
    batch = response.batch,
    channels = response.channels,
    users = response.users,
    notified = notify.result,
  }
  local made = {}
  for name, shape in pairs(shapes) do
    made[name] = response.parser(codec, clock, shape or nil)
  end
  return made
end

--- @tparam table settings as settings.check returns; taken over
-- @tparam string version the library's
-- @treturn client|nil
function client.new(settings, version)
  local codec, message, details = json.new(settings.json)
  if not codec then
    return nil, message, details
  end
  local carrier
  carrier, message, details = transport.resolve(settings)
  if not carrier then
    return nil, message, details
  end
  local mac = core.mac(settings.secret)
  local sealer = encryption.new(settings.encryption_master_key, settings.random)
  settings.mac, settings.secret, settings.encryption_master_key = mac, nil, nil
  local parts = { key = settings.key, mac = mac, json = codec, sealer = sealer, clock = settings.clock }
  return setmetatable({
    settings = settings,
    json = codec,
    mac = mac,
    sealer = sealer,
    transport = carrier,
    payload = payload.new(codec, sealer, settings),
    auth = auth.new(parts),
    hooks = webhook.new(parts),
    build = request.builder(settings, version),
    push_endpoint = {
      host = settings.push_notification_host,
      port = settings.push_notification_port,
      base = notify.BASE .. settings.app_id,
    },
    parse = parsers(codec, settings.clock),
  }, metatable)
end

-- The one way out: builds, signs and sends.
local function call(self, parse, method, path, params, body, endpoint)
  local signed, message, details = self.build(method, path, params, body, endpoint)
  if not signed then
    return nil, message, details
  end
  return self.transport:send(signed, parse)
end

--- Publishes an event to one channel or to as many as 100.
-- POST /apps/ID/events.
-- @tparam string|table channels a channel's name or a list of names
-- @tparam string event its name, 1..200 bytes
-- @param data a string goes as it is, anything else is encoded as JSON, once
-- @tparam[opt] table params `{ socket_id = receiver to leave out, info = "user_count" or { … } }`
-- @treturn table|nil `{ channels = { [name] = { user_count = … } } }`, filled when `info` is given
function methods:trigger(channels, event, data, params)
  if type(channels) ~= "string" then -- the usual case spares the calls
    argument("trigger", 1, channels, "string or table")
  end
  if type(event) ~= "string" then
    argument("trigger", 2, event, "string")
  end
  if params ~= nil then
    argument("trigger", 4, params, "table")
  end
  local list, message, details = validate.channels(channels)
  if not list then
    return nil, message, details
  end
  local body
  body, message, details = self.payload:event(list, event, data, params)
  if not body then
    return nil, message, details
  end
  return call(self, self.parse.published, "POST", "/events", nil, body)
end

--- Publishes several events, each to one channel, in one call.
-- POST /apps/ID/batch_events.
-- @tparam table events list of `{ channel =, name =, data =, socket_id =, info = }`
-- @treturn table|nil `{ batch = { { user_count = … }, … } }`, filled when `info` is given
function methods:trigger_batch(events)
  argument("trigger_batch", 1, events, "table")
  local body, message, details = self.payload:batch(events)
  if not body then
    return nil, message, details
  end
  return call(self, self.parse.batch, "POST", "/batch_events", nil, body)
end

--- Publishes an event to all connections of one signed-in user.
-- @tparam string user_id
-- @tparam string event
-- @param data
-- @treturn table|nil
function methods:send_to_user(user_id, event, data)
  argument("send_to_user", 1, user_id, "string")
  argument("send_to_user", 2, event, "string")
  local ok, message, details = validate.user_id(user_id)
  if not ok then
    return nil, message, details
  end
  local body
  body, message, details = self.payload:event({ "#server-to-user-" .. user_id }, event, data)
  if not body then
    return nil, message, details
  end
  return call(self, self.parse.published, "POST", "/events", nil, body)
end

--- Closes all connections of one signed-in user.
-- POST /apps/ID/users/USER/terminate_connections.
-- @tparam string user_id
-- @treturn table|nil
function methods:terminate_user_connections(user_id)
  argument("terminate_user_connections", 1, user_id, "string")
  local ok, message, details = validate.user_id(user_id)
  if not ok then
    return nil, message, details
  end
  local path = "/users/" .. url.escape(user_id) .. "/terminate_connections"
  return call(self, self.parse.published, "POST", path, nil, "{}")
end

--- Lists occupied channels. GET /apps/ID/channels.
-- @tparam[opt] table opts `{ filter_by_prefix = "presence-", info = "user_count" }`
-- @treturn table|nil `{ channels = { [name] = { user_count = … } } }`
function methods:channels(opts)
  argument("channels", 1, opts, "table or nil")
  local params, message, details = query.channels(opts)
  if not params then
    return nil, message, details
  end
  return call(self, self.parse.channels, "GET", "/channels", params)
end

--- Asks about one channel. GET /apps/ID/channels/NAME.
-- @tparam string name
-- @tparam[opt] table opts `{ info = { "user_count", "subscription_count", "cache" } }`
-- @treturn table|nil `{ name =, occupied =, user_count =, subscription_count =, cache = }`
function methods:channel(name, opts)
  argument("channel", 1, name, "string")
  argument("channel", 2, opts, "table or nil")
  local ok, message, details = validate.channel(name)
  if not ok then
    return nil, message, details
  end
  local params
  params, message, details = query.channel(opts)
  if not params then
    return nil, message, details
  end
  local parse = response.parser(self.json, self.settings.clock, function(decoded)
    decoded.name = name
    return decoded
  end)
  return call(self, parse, "GET", "/channels/" .. name, params)
end

--- Lists the users of a presence channel. GET /apps/ID/channels/NAME/users.
-- @tparam string name
-- @treturn table|nil `{ users = { { id = "13" }, … } }`
function methods:channel_users(name)
  argument("channel_users", 1, name, "string")
  local ok, message, details = validate.channel(name)
  if not ok then
    return nil, message, details
  end
  return call(self, self.parse.users, "GET", "/channels/" .. name .. "/users")
end

--- Sends a native push notification to all devices subscribed to one of the interests.
-- POST /server_api/v1/apps/ID/notifications at `push_notification_host`.
-- @tparam table interests list of 1 to 10 names
-- @tparam table notification `{ apns =, gcm =, fcm =, webhook_url =, webhook_level = }`, one payload at least
-- @treturn table|nil `{ number_of_subscribers = }`
function methods:notify(interests, notification)
  argument("notify", 1, interests, "table")
  argument("notify", 2, notification, "table")
  local body, message, details = notify.body(self.json, interests, notification)
  if not body then
    return nil, message, details
  end
  return call(self, self.parse.notified, "POST", "/notifications", nil, body, self.push_endpoint)
end

--- Any other endpoint that is read.
-- @tparam string path below /apps/ID, such as "/channels"
-- @tparam[opt] table params query parameters; lists are joined by commas
-- @treturn table|nil the decoded answer
function methods:get(path, params)
  argument("get", 1, path, "string")
  argument("get", 2, params, "table or nil")
  local ok, message, details = validate.path(path)
  if not ok then
    return nil, message, details
  end
  return call(self, self.parse.plain, "GET", path, params)
end

--- Any other endpoint that is written to.
-- @tparam string path below /apps/ID
-- @param[opt] body a string goes as it is, anything else is encoded as JSON
-- @treturn table|nil the decoded answer
function methods:post(path, body)
  argument("post", 1, path, "string")
  local ok, message, details = validate.path(path)
  if not ok then
    return nil, message, details
  end
  local text
  if body ~= nil then
    text, message, details = self.payload:text(body)
    if not text then
      return nil, message, details
    end
  end
  return call(self, self.parse.plain, "POST", path, nil, text)
end

--- A signed request for another HTTP client to carry; nothing is sent.
-- @tparam string method "GET" or "POST"
-- @tparam string path below /apps/ID
-- @tparam[opt] table params query parameters
-- @tparam[opt] string|table body
-- @treturn table|nil `{ method, scheme, host, port, target, headers, body, timeout }`
function methods:build_request(method, path, params, body)
  argument("build_request", 1, method, "string")
  argument("build_request", 2, path, "string")
  argument("build_request", 3, params, "table or nil")
  local ok, message, details = validate.path(path)
  if ok then
    ok, message, details = validate.method(method)
  end
  if not ok then
    return nil, message, details
  end
  local text
  if body ~= nil then
    text, message, details = self.payload:text(body)
    if not text then
      return nil, message, details
    end
  end
  local signed
  signed, message, details = self.build(method, path, params, text)
  if not signed then
    return nil, message, details
  end
  -- The client's own header list is shared between requests; this one is given away.
  local headers = {}
  for index, pair in ipairs(signed.headers) do
    headers[index] = { pair[1], pair[2] }
  end
  signed.headers = headers
  return signed
end

--- Reads what another HTTP client got for a request of build_request.
-- @tparam number status
-- @tparam string body
-- @tparam[opt] string headers raw header lines
-- @treturn table|nil the decoded answer
function methods:parse_response(status, body, headers)
  argument("parse_response", 1, status, "number")
  argument("parse_response", 2, body, "string")
  argument("parse_response", 3, headers, "string or nil")
  return self.parse.plain(status, body, headers or "")
end

--- Answers a subscriber to a private, presence or encrypted channel.
-- @tparam string|table params the url-encoded form as received, or its fields
-- @tparam[opt] table|string member `{ user_id =, user_info = }` or a JSON text; presence channels demand it
-- @treturn string|nil JSON text to answer with
function methods:authorize_channel(params, member)
  if type(params) ~= "string" then -- the usual case spares the call
    argument("authorize_channel", 1, params, "string or table")
  end
  if member ~= nil then
    argument("authorize_channel", 2, member, "table or string")
  end
  return self.auth:channel(params, member)
end

--- Answers a connection that signs in.
-- @tparam string|table params the url-encoded form as received, or its fields
-- @tparam table|string user `{ id =, user_info =, watchlist = }` or a JSON text
-- @treturn string|nil JSON text to answer with
function methods:authenticate_user(params, user)
  argument("authenticate_user", 1, params, "string or table")
  argument("authenticate_user", 2, user, "table or string")
  return self.auth:user(params, user)
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body the raw bytes as received
-- @tparam[opt] table opts `{ extra_tokens = { { key =, secret = }, … }, max_age = seconds }`
-- @treturn table|nil `{ time_ms =, events = { … } }`
function methods:webhook(headers, body, opts)
  argument("webhook", 1, headers, "table or function")
  argument("webhook", 2, body, "string")
  if opts ~= nil then
    argument("webhook", 3, opts, "table")
  end
  return self.hooks:read(headers, body, opts)
end

--- Makes a publisher: events accepted at once, sent in batches in the background.
-- @tparam[opt] table opts see README "Publisher"
-- @treturn publisher|nil
function methods:publisher(opts)
  argument("publisher", 1, opts, "table or nil")
  return publisher.new(self, opts)
end

--- Ends the client: connections are closed, secrets are wiped, later calls fail with `closed`.
function methods:close()
  if self.transport.close then -- a transport of the caller's own may have none
    self.transport:close()
  end
  self.mac:close()
  self.sealer:close()
  self.closed = true -- for the client's publishers
  setmetatable(self, client.closed_metatable)
end

-- A closed client answers every call alike, so no method has to ask.
local closed_methods = {}
for name in pairs(methods) do
  closed_methods[name] = function()
    return errors.fail("closed", "the client is closed")
  end
end
function closed_methods.close() end

client.closed_metatable = {
  __index = closed_methods,
  __name = metatable.__name,
  __tostring = function(self)
    return metatable.__tostring(self):sub(1, -2) .. ", closed)"
  end,
}

return client
