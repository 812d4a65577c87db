--- Pusher Beams: push notifications to devices by interest or by user, and the tokens that tie a device to a user.
--
-- Rule: Beams docs, "Publish API", "Customer API", "Webhooks".

local audience = require "pusher.beams.audience"
local core = require "pusher.core"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local jwt = require "pusher.base.jwt"
local options_module = require "pusher.base.options"
local url = require "pusher.base.url"
local response = require "pusher.channels.response"
local transport = require "pusher.transport"
local arguments = require "pusher.base.arguments"
local webhook = require "pusher.channels.webhook"

local beams = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.beams" }

local TOKEN_SECONDS = 24 * 60 * 60

local fail, argument = errors.fail, arguments.check

local OPTIONS = options_module.with_transport {
  instance_id = { "string" },
  secret_key = { "string" },
  webhook_secret = { "string" },
  base_url = { "string" },
  transport = { "string", "table" },
  json = { "table" },
  log = { "function" },
  clock = { "function", default = os.time },
}
beams.OPTIONS = OPTIONS

--- The secret key is not shown.
function metatable.__tostring(self)
  return ("pusher.beams (instance %s%s)"):format(self.instance_id, self.transport and "" or ", closed")
end

local function check_options(options)
  if not options.instance_id or options.instance_id == "" then
    return fail("config", "Instance Id cannot be an empty string", { field = "instance_id" })
  elseif not options.instance_id:find("^[%w%-]+$") then
    return fail("config", 'option "instance_id" has a character that cannot stand in a host name',
      { field = "instance_id" })
  elseif not options.secret_key or options.secret_key == "" then
    return fail("config", "Secret Key cannot be an empty string", { field = "secret_key" })
  elseif options.secret_key:find("[%c%s]") then
    return fail("config", 'option "secret_key" has a blank or a control character', { field = "secret_key" })
  elseif options.webhook_secret == "" then
    return fail("config", 'option "webhook_secret" is empty', { field = "webhook_secret" })
  end
  return endpoint.parse(options.base_url or ("https://%s.pushnotifications.pusher.com"):format(options.instance_id),
    "base_url")
end

--- Makes a Beams client.
-- @tparam table given `instance_id`, `secret_key`; `webhook_secret` for `webhook`; `base_url`; `timeout` (5 s) and the
--   other options of transports; `transport`, `json`, `log`, `clock`
-- @treturn table|nil client; nil, message, details otherwise
function beams.new(given)
  argument("new", 1, given, "table")
  local options, message, details = options_module.check(given, OPTIONS)
  if not options then
    return nil, message, details
  end
  local at
  at, message, details = check_options(options)
  if not at then
    return nil, message, details
  end
  local json, carrier
  json, message, details = json_codec.new(options.json)
  if not json then
    return nil, message, details
  end
  carrier, message, details = transport.resolve(options)
  if not carrier then
    return nil, message, details
  end
  return setmetatable({
    instance_id = options.instance_id,
    at = at,
    json = json,
    transport = carrier,
    keeps_transport = carrier ~= options.transport,
    clock = options.clock,
    timeout = options.timeout,
    authorization = { "Authorization", "Bearer " .. options.secret_key },
    token_mac = core.mac(options.secret_key),
    webhook_mac = options.webhook_secret and core.mac(options.webhook_secret, "sha1"),
  }, metatable)
end

-- {"error":"Bad Request","description":"…"}, or any other text.
local function words(decoded, body)
  if type(decoded) ~= "table" or type(decoded.error) ~= "string" then
    return body
  end
  local description = decoded.description
  return decoded.error .. (type(description) == "string" and ": " .. description or "")
end

local function parser(self, shape)
  return function(status, body, headers)
    -- The live service calls its JSON text/plain; nobody looks at that here.
    local decoded = self.json.decode(body)
    if status >= 200 and status < 300 then
      return shape(decoded, status)
    end
    local _, message, details = response.failure(status, words(decoded, body), body, headers, self.clock())
    details.hint = nil -- it speaks of Channels
    if status == 402 then
      return fail("forbidden", message, details)
    end
    return nil, message, details
  end
end

local function published(decoded, status)
  if type(decoded) ~= "table" then
    return fail("response", "the server's answer is not a JSON object", { status = status })
  end
  return { publish_id = type(decoded.publishId) == "string" and decoded.publishId or "" }
end

local function deleted()
  return {}
end

local function call(self, method, path, body, shape)
  if not self.transport then
    return fail("closed", "the Beams client is closed")
  end
  local headers = { self.authorization, { "Accept", "application/json" } }
  if body then
    headers[3] = { "Content-Type", "application/json" }
  end
  return self.transport:send(endpoint.request(self.at, method, path, headers, body, self.timeout), parser(self, shape))
end

-- The caller's table with the audience in it; his own stays as it is.
local function body_of(self, name, list, publish)
  local most_bytes, message, details = audience.check(name, list)
  if not most_bytes then
    return nil, message, details
  elseif publish.apns == nil and publish.fcm == nil and publish.web == nil then
    return fail("invalid", "a publish request needs at least one of apns, fcm and web", { field = "publish" })
  end
  local copy = {}
  for key, value in pairs(publish) do
    copy[key] = value
  end
  copy[name] = list
  local body
  body, message, details = self.json.encode(copy)
  if not body then
    return nil, message, details
  elseif #body > most_bytes then
    return fail("too_large", ("the request has %d bytes, at most %d are allowed"):format(#body, most_bytes),
      { limit = most_bytes })
  end
  return body
end

local function publish_to(self, name, list, publish)
  local body, message, details = body_of(self, name, list, publish)
  if not body then
    return nil, message, details
  end
  local path = ("/publish_api/v1/instances/%s/publishes/%s"):format(self.instance_id, name)
  return call(self, "POST", path, body, published)
end

--- Publishes to all devices that are subscribed to one of the interests.
-- @tparam table interests list of 1 to 100 names, each 1 to 164 bytes of `A-Za-z0-9_-=@,.;`
-- @tparam table publish `{ apns =, fcm =, web = }`, at least one of them
-- @treturn table|nil `{ publish_id = }`; nil, message, details otherwise
function methods:publish_to_interests(interests, publish)
  argument("publish_to_interests", 1, interests, "table")
  argument("publish_to_interests", 2, publish, "table")
  return publish_to(self, "interests", interests, publish)
end

--- Publishes to all devices of users.
-- @tparam table users list of 1 to 1000 ids, each 1 to 164 bytes of UTF-8
-- @tparam table publish `{ apns =, fcm =, web = }`, at least one of them
-- @treturn table|nil `{ publish_id = }`; nil, message, details otherwise
function methods:publish_to_users(users, publish)
  argument("publish_to_users", 1, users, "table")
  argument("publish_to_users", 2, publish, "table")
  return publish_to(self, "users", users, publish)
end

--- Makes the token with which a device says whose it is. Before it is handed out, the id must be checked against
-- the session of whoever asks. No I/O.
-- @tparam string user_id 1 to 164 bytes of UTF-8
-- @treturn table|nil `{ token = JSON Web Token, good for a day }`: what, as JSON, the client SDK expects
function methods:generate_token(user_id)
  argument("generate_token", 1, user_id, "string")
  if not self.transport then
    return fail("closed", "the Beams client is closed")
  end
  local ok, message, details = audience.check_user(user_id, "user_id")
  if not ok then
    return nil, message, details
  end
  local claims = ('{"exp":%.0f,"iss":"https://%s.pushnotifications.pusher.com","sub":%s}'):format(
    math.floor(self.clock()) + TOKEN_SECONDS, self.instance_id, self.json.quote(user_id))
  local input = jwt.signing_input('{"alg":"HS256","typ":"JWT"}', claims)
  return { token = jwt.compact(input, self.token_mac:raw(input)) }
end

--- Forgets a user and all of his devices.
-- @tparam string user_id 1 to 164 bytes of UTF-8
-- @treturn table|nil an empty table; nil, message, details otherwise
function methods:delete_user(user_id)
  argument("delete_user", 1, user_id, "string")
  local ok, message, details = audience.check_user(user_id, "user_id")
  if not ok then
    return nil, message, details
  elseif user_id == "." or user_id == ".." then
    -- Escaping does not keep servers and proxies from reading these as steps in the path.
    return fail("invalid", "this user id cannot stand in a path", { field = "user_id" })
  end
  return call(self, "DELETE", ("/customer_api/v1/instances/%s/users/%s"):format(
    self.instance_id, url.escape(user_id)), nil, deleted)
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body the raw bytes as received
-- @treturn table|nil `{ payload =, metadata = { event_type =, … }, custom_data = }`; nil, message, details otherwise
function methods:webhook(headers, body)
  argument("webhook", 1, headers, "table or function")
  argument("webhook", 2, body, "string")
  if not self.transport then
    return fail("closed", "the Beams client is closed")
  elseif not self.webhook_mac then
    return fail("config", 'option "webhook_secret" is missing', { field = "webhook_secret" })
  end
  local signature, message, details = webhook.header(headers, "webhook-signature", "Webhook-Signature")
  if not signature then
    return nil, message, details
  elseif not self.webhook_mac:verify(signature, body) then
    return fail("unauthorized", "the webhook's signature is not valid")
  end
  local hook = self.json.decode(body)
  if type(hook) ~= "table" or type(hook.metadata) ~= "table" or type(hook.metadata.event_type) ~= "string" then
    return fail("invalid", "the webhook's body is not { metadata = { event_type }, payload }")
  end
  return hook
end

--- Ends the client: connections are closed, secrets are wiped, later calls fail with `closed`.
function methods:close()
  if not self.transport then
    return
  end
  if self.keeps_transport then
    self.transport:close()
  end
  self.transport, self.authorization = nil, nil
  self.token_mac:close()
  if self.webhook_mac then
    self.webhook_mac:close()
  end
end

return beams
