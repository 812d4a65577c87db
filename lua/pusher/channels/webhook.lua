--- Webhooks: verified first, then decoded, then decrypted where need be. No I/O.
--
-- Rule: Channels docs "Webhooks": X-Pusher-Key names the token, X-Pusher-Signature is the hex HMAC-SHA256 of the raw
-- body under its secret.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local credential = require "pusher.base.credential"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local kind = require "pusher.channels.kind"
local options = require "pusher.base.options"

local webhook = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.webhook" }

local fail = errors.fail

-- Keys and secrets older than the client's own; a copy of the list.
local function read_tokens(given)
  local tokens = given == nil and {} or arguments.list(given)
  for index, token in ipairs(tokens or {}) do
    local read = type(token) == "table" and { key = rawget(token, "key"), secret = rawget(token, "secret") }
    if not read or credential.fault(read.key) or credential.fault(read.secret) then
      tokens = nil
      break
    end
    tokens[index] = read
  end
  if tokens then
    return tokens
  end
  return fail("config", 'option "extra_tokens" must be a list of { key =, secret = }, both of them strings without '
    .. "spaces and control characters", { field = "extra_tokens" })
end

local OPTIONS = {
  extra_tokens = { "table", make = read_tokens },
  max_age = { "number" },
}

-- The documented events. Their members are strings, but for those that read_events looks at.
local DOCUMENTED = {
  channel_occupied = true, channel_vacated = true, member_added = true, member_removed = true,
  client_event = true, cache_miss = true,
}

--- Makes a reader of webhooks.
-- @tparam table parts `{ key =, mac = keyed HMAC-SHA256, json =, sealer =, clock = }`
function webhook.new(parts)
  return setmetatable({
    key = parts.key, mac = parts.mac, json = parts.json, sealer = parts.sealer, clock = parts.clock,
  }, metatable)
end

-- The HMAC under the secret of the key that the sender names; nil for an unknown key.
local function find_mac(self, key, tokens)
  if key == self.key then
    return self.mac
  end
  for _, token in ipairs(tokens) do
    if token.key == key then
      return core.mac(token.secret)
    end
  end
end

local function verify(self, headers, body, extra_tokens)
  local signature
  local key, message, details = http.request_header(headers, "x-pusher-key", "X-Pusher-Key")
  if key then
    signature, message, details = http.request_header(headers, "x-pusher-signature", "X-Pusher-Signature")
  end
  if not signature then
    return nil, message, details
  end
  local mac = find_mac(self, key, extra_tokens)
  if not mac then
    return fail("unauthorized", "the webhook was signed for another key")
  elseif not mac:verify(signature, body) then
    return fail("unauthorized", "the webhook's signature is not valid")
  end
  return true
end

-- Decrypts a client event of an encrypted channel. One that cannot be decrypted becomes an event with `error`; the
-- others of the same webhook survive.
local function decrypt_event(self, event)
  local envelope = event.data
  if type(envelope) == "string" then
    envelope = self.json.decode(envelope)
  end
  local plaintext, message = nil, "the encrypted data has no valid nonce and ciphertext"
  if type(envelope) == "table" then
    plaintext, message = self.sealer:open(event.channel, envelope)
  end
  event.data, event.error = plaintext, message
end

local function read_events(self, events)
  for index = 1, #events do
    local event = events[index]
    local name = type(event) == "table" and event.name
    if type(name) ~= "string" then
      return fail("invalid", "the webhook has an event without a name")
    end
    -- Looking at every member costs as much as decoding them, so it is done where there may be numbers.
    if not DOCUMENTED[name] or type(event.data) == "table" or type(event.user_id) == "number" then
      self.json.restore(event)
    end
    if name == "client_event" and type(event.channel) == "string" and kind.is_encrypted(event.channel) then
      decrypt_event(self, event)
    end
  end
  return true
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body raw bytes as received
-- @tparam[opt] table opts `{ extra_tokens = { { key =, secret = }, … }, max_age = seconds }`
-- @treturn table|nil `{ time_ms = integer, events = { { name =, channel =, … }, … } }`
function methods:read(headers, body, opts)
  local ok
  local given, message, details = options.check(opts or {}, OPTIONS)
  if given then
    ok, message, details = verify(self, headers, body, given.extra_tokens)
  end
  if not ok then
    return nil, message, details
  end
  local hook = self.json.parse(body)
  if type(hook) ~= "table" or type(hook.time_ms) ~= "number" or type(hook.events) ~= "table" then
    return fail("invalid", "the webhook's body must be an object with time_ms and events")
  end
  hook.time_ms = self.json.restore(hook.time_ms)
  local max_age = given.max_age
  local age = max_age and math.abs(self.clock() - hook.time_ms / 1000)
  if age and age > max_age then
    return fail("unauthorized", ("the webhook's time must be within %.0f seconds of this clock, got %.0f"):format(
      max_age, age))
  end
  ok, message, details = read_events(self, hook.events)
  if not ok then
    return nil, message, details
  end
  return hook
end

return webhook
