--- The client of one app. A method runs the stages of its call in order and does nothing else:
-- payload or query (checked by validate) -> calls: request -> transport:send(request, parse).
--
-- Over the async transport every call to the server returns a `pusher.pending`, which ends with the same values.

local arguments = require "pusher.base.arguments"
local auth = require "pusher.channels.auth"
local calls = require "pusher.channels.calls"
local channel_settings = require "pusher.channels.settings"
local closed = require "pusher.base.closed"
local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local form = require "pusher.channels.form"
local http = require "pusher.base.http"
local idempotency = require "pusher.channels.idempotency"
local late = require "pusher.base.late"
local notify = require "pusher.channels.notify"
local observed = require "pusher.channels.observed"
local payload = require "pusher.channels.payload"
local query = require "pusher.channels.query"
local request = require "pusher.channels.request"
local response = require "pusher.channels.response"
local sleep = require "pusher.base.sleep"
local standard_headers = require "pusher.base.headers"
local transports = require "pusher.transport"
local url = require "pusher.base.url"
local validate = require "pusher.channels.validate"
local webhook = require "pusher.channels.webhook"

local client, methods = {}, {}
local metatable = { __index = methods, __name = "pusher.client" }
local argument = arguments.check

-- Neither the key nor the secret is shown.
function metatable.__tostring(self) return ("pusher.client (app %s at %s)"):format(self.app_id, self.host) end

local function load_driver()
  return late.load("pusher.driver.choose", "the observer", "observe")
end

--- Makes a client; users call `pusher.new(options)`.
-- @local
-- @tparam table settings as settings.check returns
-- @treturn client|nil client; nil, message, details otherwise
function client.new(settings)
  local transport
  local watch, message, details = observed.watcher(settings, load_driver)
  local ok = watch
  if ok and not transports.is_late(settings) then
    -- Nothing may be loaded later with this transport: CONTRIBUTING.md, "Loading".
    ok, message, details = late.load("pusher.publisher", "the publisher")
  end
  if ok then
    transport, message, details = transports.resolve(settings)
  end
  if not transport then
    return nil, message, details
  end
  local api, push_endpoint = channel_settings.endpoints(settings)
  local parts = {
    key = settings.key, mac = core.mac(settings.secret), json = settings.json, clock = settings.clock, api = api,
    timeout = settings.timeout, sealer = encryption.new(settings.encryption_master_key, settings.random),
  }
  local build = request.builder(parts)
  local watched, is_observing = watch(transport, api.path, push_endpoint.path)
  local self = setmetatable({
    app_id = settings.app_id, host = settings.host, parts = parts, push_endpoint = push_endpoint,
    origin = api.scheme .. "://" .. url.authority(api.scheme, api.host, api.port),
    auth = auth.new(parts), webhooks = webhook.new(parts), build = build,
    parse = response.parsers(parts.json, parts.clock),
    payload = payload.new(parts.json, parts.sealer, settings, idempotency.new(settings.random)),
    calls = calls.new { transport = watched, build = build, random = settings.random, retry = settings.retry,
      refuse = transports.refuse, sleep = sleep.wait },
    transport = transport, owns_transport = transport ~= settings.transport, closed = false,
  }, metatable)
  self.for_publisher = {
    transport = watched, is_observing = is_observing, build = build, parse = self.parse, payload = self.payload,
    timeout = settings.timeout, log = settings.log, max_batch = settings.max_batch, random = settings.random,
    idempotency = settings.idempotency, is_closed = function() return self.closed end,
    lacks_batches = false, -- whether the server has no /batch_events; set by publishers
  }
  return self
end

local CLOSED = "the client is closed"

-- Takes what a payload returns: the body; or nil, and the failure of making it; and whether all events have a key.
local function post(self, parse, path, body, message, details, is_keyed, endpoint)
  if self.closed then
    body, message, details = errors.fail("closed", CLOSED) -- by the codec
  end
  return self.calls:post(parse, path, body, message, details, is_keyed, endpoint)
end

-- Checks a request to any path. Returns the text of the body.
local function text_of(self, method, path, body)
  local ok, message, details = validate.target(method, path)
  if ok and body ~= nil then
    return self.payload:text(body)
  end
  return nil, message, details
end

-- Of the calls that name a user in the path.
local function post_to_user(self, user_id, action)
  local ok, message, details = validate.user_id(user_id)
  if ok then
    ok, message, details = validate.path_part(user_id, "user id", "user_id")
  end
  return post(self, self.parse.published, "/users/" .. url.escape_segment(user_id) .. action, ok and "{}", message,
    details)
end

--- Publishes an event to one channel or to as many as 100.
-- @tparam string|table channels a channel's name or a list of names
-- @tparam string event its name, 1..200 bytes
-- @param[opt] data a string is sent unchanged, anything else is encoded as JSON, once; none is `null`
-- @tparam[opt] table params `{ socket_id = left out, info = text or list, idempotency_key = text or true, extra = }`
-- @treturn table|nil `{ channels = { [name] = { user_count = … } }, event_ids = from servers that give them }`;
--   `channels` is filled when `info` is given
-- @fails invalid, encryption, too_large, and those of every call
-- @source Channels HTTP API: POST /apps/APP_ID/events
function methods:trigger(channels, event, data, params)
  if type(channels) ~= "string" then -- fast path: skip the check for the common type
    argument("trigger", 1, channels, "string or table")
  end
  if type(event) ~= "string" then
    argument("trigger", 2, event, "string")
  end
  if params ~= nil then
    argument("trigger", 4, params, "table or nil")
  end
  return post(self, self.parse.published, "/events", self.payload:event(channels, event, data, params))
end

--- Publishes several events, each to one channel, in one call.
-- @tparam table events list of `{ channel =, name =, data =, socket_id =, info =, idempotency_key =, extra = }`
-- @treturn table|nil `{ batch = { { user_count = … }, … } }`, filled when `info` is given
-- @fails invalid, encryption, too_large, and those of every call
-- @source Channels HTTP API: POST /apps/APP_ID/batch_events
function methods:trigger_batch(events)
  argument("trigger_batch", 1, events, "table")
  return post(self, self.parse.batch, "/batch_events", self.payload:batch(events))
end

--- Publishes an event to all connections of one signed-in user.
-- @tparam string user_id 1..200 bytes
-- @tparam string event its name, 1..200 bytes
-- @param[opt] data as in `trigger`
-- @tparam[opt] table params `{ idempotency_key =, extra = }` as in `trigger`
-- @treturn table|nil an empty table
-- @fails invalid, too_large, and those of every call
-- @source Channels server API: Sending events to authenticated users
function methods:send_to_user(user_id, event, data, params)
  argument("send_to_user", 1, user_id, "string")
  argument("send_to_user", 2, event, "string")
  argument("send_to_user", 4, params, "table or nil")
  return post(self, self.parse.published, "/events", self.payload:user_event(user_id, event, data, params))
end

--- Closes all connections of one signed-in user.
-- @tparam string user_id
-- @treturn table|nil an empty table
-- @fails invalid, and those of every call
-- @source Channels server API: Terminating user connections
function methods:terminate_user_connections(user_id)
  argument("terminate_user_connections", 1, user_id, "string")
  return post_to_user(self, user_id, "/terminate_connections")
end

--- Makes all connections of one signed-in user reconnect, on sockudo.
-- @tparam string user_id
-- @treturn table|nil an empty table
-- @fails invalid, and those of every call
-- @source sockudo: POST /apps/APP_ID/users/USER_ID/force_reconnect
function methods:force_reconnect_user(user_id)
  argument("force_reconnect_user", 1, user_id, "string")
  return post_to_user(self, user_id, "/force_reconnect")
end

--- Lists occupied channels.
-- @tparam[opt] table options `{ filter_by_prefix = "presence-", info = "user_count" }`
-- @treturn table|nil `{ channels = { [name] = { user_count = … } } }`
-- @fails invalid, and those of every call
-- @source Channels HTTP API: GET /apps/APP_ID/channels
function methods:channels(options)
  argument("channels", 1, options, "table or nil")
  return self.calls:get(self.parse.channels, "/channels", query.channels(options))
end

--- Reads the state of one channel.
-- @tparam string name of the channel
-- @tparam[opt] table options `{ info = { "user_count", "subscription_count", "cache" } }`
-- @treturn table|nil `{ name =, occupied =, user_count =, subscription_count =, cache = }`
-- @fails invalid, and those of every call
-- @source Channels HTTP API: GET /apps/APP_ID/channels/CHANNEL_NAME
function methods:channel(name, options)
  argument("channel", 1, name, "string")
  argument("channel", 2, options, "table or nil")
  local parse = response.channel_parser(self.parts.json, self.parts.clock, name)
  return self.calls:get(parse, "/channels/" .. name, query.channel(name, options))
end

--- Lists the users of a presence channel.
-- @tparam string name of the channel
-- @treturn table|nil `{ users = { { id = "13" }, … } }`
-- @fails invalid, and those of every call
-- @source Channels HTTP API: GET /apps/APP_ID/channels/CHANNEL_NAME/users
function methods:channel_users(name)
  argument("channel_users", 1, name, "string")
  return self.calls:get(self.parse.users, "/channels/" .. name .. "/users", query.channel(name))
end

--- Sends a native push notification to all devices subscribed to one of the interests, by `push_notification_host`.
-- @tparam table interests list of 1 to 10 names
-- @tparam table notification `{ apns =, gcm =, fcm =, webhook_url =, webhook_level = }`, at least one payload
-- @treturn table|nil `{ number_of_subscribers = }`
-- @fails invalid, and those of every call
-- @source pusher-http-go: Notify, of v1.3.0
function methods:notify(interests, notification)
  argument("notify", 1, interests, "table")
  argument("notify", 2, notification, "table")
  local body, message, details = notify.body(self.parts.json, interests, notification)
  return post(self, self.parse.notified, "/notifications", body, message, details, false, self.push_endpoint)
end

--- Requests any other endpoint by GET.
-- @tparam string path below /apps/ID, such as "/channels"
-- @tparam[opt] table params query parameters; lists are joined by commas
-- @treturn table|nil the decoded response
-- @fails invalid, and those of every call
-- @source Channels HTTP API: Authentication
function methods:get(path, params)
  argument("get", 1, path, "string")
  argument("get", 2, params, "table or nil")
  local _, message, details = validate.target("GET", path)
  return self.calls:get(self.parse.plain, path, not message and (params or {}) or nil, message, details)
end

--- Requests any other endpoint by POST.
-- @tparam string path below /apps/ID, such as "/events"
-- @param[opt] body a string is sent unchanged, anything else is encoded as JSON
-- @treturn table|nil the decoded response
-- @fails invalid, and those of every call
-- @source Channels HTTP API: Authentication
function methods:post(path, body)
  argument("post", 1, path, "string")
  return post(self, self.parse.plain, path, text_of(self, "POST", path, body))
end

--- Makes a signed request for another HTTP client to send; nothing is sent here.
-- @tparam string method "GET" or "POST"
-- @tparam string path below /apps/ID
-- @tparam[opt] table params query parameters
-- @param[opt] body a string is sent unchanged, anything else is encoded as JSON
-- @treturn table|nil `{ method, url, scheme, host, port, target, headers = list of { name, value }, header_map = names
--   to values, body, timeout in seconds }`
-- @fails invalid, config, closed
-- @source Channels HTTP API: Authentication
function methods:build_request(method, path, params, body)
  if type(method) ~= "string" or type(path) ~= "string" or params ~= nil then -- else all are of the common types
    argument("build_request", 1, method, "string")
    argument("build_request", 2, path, "string")
    argument("build_request", 3, params, "table or nil")
  end
  local text, message, details = text_of(self, method, path, body)
  local signed
  if self.closed then
    return errors.fail("closed", CLOSED) -- by the codec
  elseif not message then
    signed, message, details = self.build(method, path, params, text)
  end
  if not signed then
    return nil, message, details
  end
  -- The client's own header list is shared between requests; this one is given away.
  signed.headers, signed.header_map = standard_headers.copy(signed.headers)
  signed.url = self.origin .. signed.target
  return signed
end

--- Reads the response that another HTTP client got for a request of build_request.
-- @tparam number status of HTTP
-- @tparam string body as received
-- @tparam[opt] string|table|function headers header lines; names to values or lists; or function(name) -> the same
-- @treturn table|nil the decoded response
-- @fails closed, and those of a response
-- @source Channels HTTP API: HTTP status codes
function methods:parse_response(status, body, headers)
  argument("parse_response", 1, status, "number")
  argument("parse_response", 2, body, "string")
  argument("parse_response", 3, headers, "string, table, function or nil")
  return self.parse.plain(status, body, http.header_lines(headers))
end

--- Reads the fields of a subscriber's form, for authorize_channel and authenticate_user.
-- @tparam string body as received
-- @tparam[opt] string content_type of url-encoded (the default), JSON (an object), or multipart without files
-- @treturn table|nil names to values: strings, lists of them where a field is repeated, in JSON any values
-- @fails invalid, closed
-- @source URL standard: application/x-www-form-urlencoded
-- @source RFC 7578: multipart/form-data
function methods:read_form(body, content_type)
  argument("read_form", 1, body, "string")
  argument("read_form", 2, content_type, "string or nil")
  return form.decode(body, content_type, self.parts.json)
end

--- Authorizes a subscription to a private, presence or encrypted channel.
-- @tparam string|table params the url-encoded form as received, or its fields
-- @tparam[opt] table|string member `{ user_id =, user_info = }` or a JSON text; a presence channel needs one
-- @treturn string|nil the JSON text to respond with
-- @fails invalid, encryption, closed
-- @source Channels auth signatures: private, presence and encrypted channels
function methods:authorize_channel(params, member)
  local text = self.auth.authorize_common(params, member)
  if text then
    return text
  end
  argument("authorize_channel", 1, params, "string or table")
  argument("authorize_channel", 2, member, "table, string or nil")
  return self.auth:authorize_channel(params, member)
end

--- Authenticates a connection that signs in.
-- @tparam string|table params the url-encoded form as received, or its fields
-- @tparam table|string user `{ id =, user_info =, watchlist = }` or a JSON text
-- @treturn string|nil the JSON text to respond with
-- @fails invalid, closed
-- @source Channels auth signatures: user authentication
function methods:authenticate_user(params, user)
  argument("authenticate_user", 1, params, "string or table")
  argument("authenticate_user", 2, user, "table or string")
  return self.auth:authenticate_user(params, user)
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body the raw bytes as received
-- @tparam[opt] table options `{ extra_tokens = { { key =, secret = }, … }, max_age = seconds }`
-- @treturn table|nil `{ id = the same for each retry, time_ms =, events = { { name =, channel =, … }, … } }`
-- @fails unauthorized, invalid, config, closed
-- @source Channels webhooks: Security
function methods:webhook(headers, body, options)
  if type(headers) ~= "table" or type(body) ~= "string" or options ~= nil then -- else all are of the common types
    argument("webhook", 1, headers, "table or function")
    argument("webhook", 2, body, "string")
    argument("webhook", 3, options, "table or nil")
  end
  return self.webhooks:read(headers, body, options)
end

--- Makes a publisher: events accepted at once, sent in batches in the background.
-- @tparam[opt] table options see docs/publisher.md
-- @treturn publisher|nil publisher
-- @fails config, network, closed
function methods:publisher(options)
  argument("publisher", 1, options, "table or nil")
  local publisher, message, details = late.load("pusher.publisher", "the publisher")
  if not publisher then
    return nil, message, details
  end
  return publisher.new(self.for_publisher, options)
end

local SENDS_NOTHING = {
  build_request = true, parse_response = true, read_form = true, authorize_channel = true, authenticate_user = true,
  webhook = true, publisher = true,
}

local function refuse_closed(self, method)
  local _, message, details = errors.fail("closed", CLOSED)
  if SENDS_NOTHING[method] then
    return nil, message, details
  end
  return transports.refuse(self.transport, message, details)
end

--- Closes the client: secrets are wiped, later calls fail with `closed`. A transport that the client made is closed,
-- too; one that was given to it stays open.
function methods:close()
  if self.owns_transport then
    self.transport:close()
  end
  local parts = self.parts
  parts.mac:close()
  parts.sealer:close()
  self.auth:close()
  self.closed = true
  closed.set(self, refuse_closed)
end

return client
