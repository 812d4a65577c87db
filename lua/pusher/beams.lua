--- Pusher Beams: push notifications to devices by interest or by user, and the tokens that tie a device to a user.
--
-- Rule: Beams docs, "Publish API", "Customer API", "Webhooks".

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local audience = require "pusher.beams.audience"
local closed = require "pusher.base.closed"
local core = require "pusher.core"
local credential = require "pusher.base.credential"
local driver = require "pusher.driver.choose"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local json_codec = require "pusher.base.json"
local jwt = require "pusher.base.jwt"
local observer = require "pusher.base.observer"
local options = require "pusher.base.options"
local sources = require "pusher.base.sources"
local standard_headers = require "pusher.base.headers"
local transports = require "pusher.transport"
local url = require "pusher.base.url"

local beams = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.beams" }

local TOKEN_SECONDS = 24 * 60 * 60
local SHOWN_BODY_BYTES = 2048
local CLOSED = "the Beams client is closed"

local PUBLISH_MEMBERS = { apns = true, fcm = true, web = true, webhookUrl = true }

local fail, argument = errors.fail, arguments.check

local OPTIONS = options.with_transport {
  instance_id = { "string" },
  secret_key = { "string" },
  webhook_secret = { "string" },
  base_url = { "string" },
  transport = { "string", "table" },
  json = json_codec.OPTION,
  log = { "function" },
  observe = { "function" },
  clock = sources.CLOCK,
}

-- The secret key is not shown.
function metatable.__tostring(self)
  return ("pusher.beams (instance %s)"):format(self.instance_id)
end

local function check_options(checked)
  if not checked.instance_id or checked.instance_id == "" then
    return fail("config", 'option "instance_id" is missing', { field = "instance_id" })
  elseif not checked.instance_id:find("^[A-Za-z0-9%-]+$") then
    return fail("config", 'option "instance_id" is part of a host name and may have only letters, digits and "-"',
      { field = "instance_id" })
  end
  for _, name in ipairs { "secret_key", checked.webhook_secret and "webhook_secret" } do
    local fault = credential.fault(checked[name])
    if fault then
      return fail("config", ('option "%s" %s'):format(name, fault), { field = name })
    end
  end
  return endpoint.parse(checked.base_url or ("https://%s.pushnotifications.pusher.com"):format(checked.instance_id),
    "base_url")
end

local function publish_path(instance_id, name)
  return ("/publish_api/v1/instances/%s/publishes/%s"):format(instance_id, name)
end

-- The endpoint of a call, for `observe`.
local function labeller(instance_id, at)
  local names = {}
  for _, name in ipairs { "interests", "users" } do
    names[at.path .. publish_path(instance_id, name)] = "/publishes/" .. name
  end
  return function(path)
    return names[path] or "/users/:id"
  end
end

--- Makes a Beams client.
-- @tparam table given `instance_id`, `secret_key`; `webhook_secret` for `webhook`; `base_url`; `timeout` (5 s) and the
--   other options of transports; `transport`, `json`, `log`, `observe`, `clock`
-- @treturn table|nil client
-- @fails config, network
-- @source push-notifications-go: New
function beams.new(given)
  argument("new", 1, given, "table")
  local checked, message, details = options.check(given, OPTIONS)
  local at, transport
  if checked then
    at, message, details = check_options(checked)
  end
  if at then
    transport, message, details = transports.resolve(checked)
  end
  if not transport then
    return nil, message, details
  end
  return setmetatable({
    instance_id = checked.instance_id, at = at, json = checked.json, clock = checked.clock, timeout = checked.timeout,
    transport = transport, owns_transport = transport ~= checked.transport,
    observed = observer.wrap(transport, checked.observe, checked.log or driver.log_errors,
      labeller(checked.instance_id, at)),
    authorization = { "Authorization", "Bearer " .. checked.secret_key },
    token_mac = core.mac(checked.secret_key),
    webhook_mac = checked.webhook_secret and core.mac(checked.webhook_secret, "sha1"),
  }, metatable)
end

-- {"error":"Bad Request","description":"…"}, or any other text.
local function error_text(decoded, body)
  if type(decoded) ~= "table" or type(decoded.error) ~= "string" then
    return body
  end
  local description = decoded.description
  return decoded.error .. (type(description) == "string" and ": " .. description or "")
end

local function parser(self, shape)
  return http.check_encoding(function(status, body, headers)
    -- The live service labels its JSON as text/plain; the header is ignored.
    local decoded = self.json.decode(body)
    if status >= 200 and status < 300 then
      return shape(decoded, status)
    end
    local shown = http.without_tokens(body:sub(1, SHOWN_BODY_BYTES))
    local redirect = status >= 300 and status < 400
    local text = redirect and "redirects are not followed"
      or http.one_line(http.without_tokens(error_text(decoded, body)))
    return fail(status == 402 and "forbidden" or http.code(status),
      ("the server responded with status %d%s"):format(status, text ~= "" and ": " .. text or ""),
      { status = status, body = shown, retry_after = http.retry_after(headers, self.clock()) })
  end)
end

local function published(decoded, status)
  if type(decoded) ~= "table" then
    return fail("response", "the server's response is not a JSON object", { status = status })
  end
  return { publish_id = type(decoded.publishId) == "string" and decoded.publishId or "" }
end

local function deleted()
  return {}
end

local function call(self, method, path, body, shape)
  if not self.authorization then
    return transports.refuse(self.transport, select(2, fail("closed", CLOSED))) -- by the codec
  end
  local headers = { self.authorization, standard_headers.LIBRARY, body and { "Content-Type", "application/json" } }
  return self.observed:send(endpoint.request(self.at, method, path, headers, body, self.timeout), parser(self, shape))
end

local function check_members(publish)
  for _, name in ipairs { "apns", "fcm", "web" } do
    if publish[name] ~= nil and not arguments.is_map(publish[name]) then
      return fail("invalid", name .. " must be a table with named fields", { field = name })
    end
  end
  local hook = publish.webhookUrl
  if hook ~= nil and (type(hook) ~= "string" or hook == "" or hook:find(ascii.CONTROL_OR_SPACE)) then
    return fail("invalid", "webhookUrl must be a URL as a string, without spaces", { field = "webhookUrl" })
  elseif publish.apns == nil and publish.fcm == nil and publish.web == nil then
    return fail("invalid", "a publish request must have at least one of apns, fcm and web", { field = "publish" })
  end
  return true
end

-- A copy of the caller's table, with the audience in it, as JSON.
local function encode(self, name, list, publish)
  local entries, limit, details = audience.check(name, list)
  if not entries then
    return nil, limit, details
  end
  local ok
  local copy, message
  copy, message, details = arguments.read(publish, PUBLISH_MEMBERS, "member of a publish request")
  if copy then
    ok, message, details = check_members(copy)
  end
  if not ok then
    return nil, message, details
  end
  copy[name] = entries
  local body
  body, message, details = self.json.encode(copy)
  if not body then
    return nil, message, details
  elseif #body > limit then
    return fail("too_large", ("the request's body must have at most %d bytes, got %d"):format(limit, #body),
      { limit = limit })
  end
  return body
end

local function publish_to(self, name, list, publish)
  local body, message, details = encode(self, name, list, publish)
  if not body then
    return transports.refuse(self.transport, message, details)
  end
  return call(self, "POST", publish_path(self.instance_id, name), body, published)
end

--- Publishes to all devices that are subscribed to one of the interests.
-- @tparam table interests list of 1 to 100 names, each 1 to 164 bytes of `A-Za-z0-9_-=@,.;`
-- @tparam table publish `{ apns =, fcm =, web =, webhookUrl = }`, at least one of the first three; the table is not
--   changed
-- @treturn table|nil `{ publish_id = }`
-- @fails invalid, too_large, and those of every call
-- @source Beams Publish API: Publishing a notification to interests
function methods:publish_to_interests(interests, publish)
  argument("publish_to_interests", 1, interests, "table")
  argument("publish_to_interests", 2, publish, "table")
  return publish_to(self, "interests", interests, publish)
end

--- Publishes to all devices of users.
-- @tparam table users list of 1 to 1000 ids, each 1 to 164 bytes of UTF-8
-- @tparam table publish as for publish_to_interests
-- @treturn table|nil `{ publish_id = }`
-- @fails invalid, too_large, and those of every call
-- @source Beams Publish API: Publishing a notification to users
function methods:publish_to_users(users, publish)
  argument("publish_to_users", 1, users, "table")
  argument("publish_to_users", 2, publish, "table")
  return publish_to(self, "users", users, publish)
end

--- Makes the token that ties a device to a user. Check the id against the session before you hand out the token.
-- No I/O.
-- @tparam string user_id 1 to 164 bytes of UTF-8
-- @treturn table|nil `{ token = JSON Web Token }`, valid for a day, which the client SDK expects as JSON
-- @fails invalid, config, closed
-- @source Beams authenticated users: Beams Token
function methods:generate_token(user_id)
  argument("generate_token", 1, user_id, "string")
  local ok, message, details = audience.check_user(user_id)
  if not ok then
    return nil, message, details
  end
  local now = self.clock()
  if now ~= now then
    return sources.no_time()
  end
  local claims = ('{"exp":%.0f,"iss":"https://%s.pushnotifications.pusher.com","sub":%s}'):format(
    math.floor(now) + TOKEN_SECONDS, self.instance_id, self.json.quote(user_id))
  local input = jwt.signing_input('{"alg":"HS256","typ":"JWT"}', claims)
  local signature = self.token_mac:raw(input)
  if not signature then
    return fail("closed", CLOSED) -- by a finalizer
  end
  return { token = jwt.compact(input, signature) }
end

--- Deletes a user and all of their devices.
-- @tparam string user_id 1 to 164 bytes of UTF-8
-- @treturn table|nil an empty table
-- @fails invalid, and those of every call
-- @source Beams Customer API: Deleting a User
function methods:delete_user(user_id)
  argument("delete_user", 1, user_id, "string")
  local ok, message, details = audience.check_user(user_id)
  if ok and url.has_step(user_id) then
    ok, message, details = fail("invalid", ('user id %s cannot be part of a path: "." and ".." are steps there'):format(
      arguments.show(user_id)), { field = "user_id" })
  end
  if not ok then
    return transports.refuse(self.transport, message, details)
  end
  return call(self, "DELETE", ("/customer_api/v1/instances/%s/users/%s"):format(
    self.instance_id, url.escape(user_id)), nil, deleted)
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body the raw bytes as received
-- @treturn table|nil `{ payload =, metadata = { event_type =, … }, custom_data = }`
-- @fails unauthorized, invalid, config, closed
-- @source Beams webhooks: Verification
function methods:webhook(headers, body)
  argument("webhook", 1, headers, "table or function")
  argument("webhook", 2, body, "string")
  if not self.webhook_mac then
    return fail("config", 'option "webhook_secret" is missing', { field = "webhook_secret" })
  end
  local signature, message, details = http.request_header(headers, "webhook-signature", "Webhook-Signature")
  local valid = signature and self.webhook_mac:verify(signature, body)
  if not signature then
    return nil, message, details
  elseif valid == nil then
    return fail("closed", CLOSED) -- by a finalizer
  elseif not valid then
    return fail("unauthorized", "the webhook's signature is not valid")
  end
  local hook = self.json.decode(body)
  if type(hook) ~= "table" or type(hook.metadata) ~= "table" or type(hook.metadata.event_type) ~= "string" then
    return fail("invalid", "the webhook's body must be an object with metadata.event_type")
  end
  return hook
end

local SENDS_NOTHING = { generate_token = true, webhook = true }

local function refuse_closed(self, method)
  local _, message, details = fail("closed", CLOSED)
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
  self.authorization = nil
  self.token_mac:close()
  if self.webhook_mac then
    self.webhook_mac:close()
  end
  closed.set(self, refuse_closed)
end

return beams
