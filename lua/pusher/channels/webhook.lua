--- Webhooks: verify first, then decode, then open what is encrypted. No I/O.
--
-- Rule: Channels docs "Webhooks": X-Pusher-Key names the token, X-Pusher-Signature
-- is the hex HMAC-SHA256 of the raw body under its secret.

local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local arguments = require "pusher.base.arguments"

local webhook = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.webhook" }

local fail = errors.fail

local OPTIONS = { extra_tokens = true, max_age = true }

-- Kinds of events that hold nothing but strings, as a rule.
local TEXTS = {
  channel_occupied = true, channel_vacated = true, member_added = true, member_removed = true,
  client_event = true, cache_miss = true,
}

--- @tparam table parts `{ key =, mac = keyed HMAC-SHA256, json =, sealer =, clock = }`
function webhook.new(parts)
  return setmetatable({
    key = parts.key,
    mac = parts.mac,
    json = parts.json,
    sealer = parts.sealer,
    clock = parts.clock,
  }, metatable)
end

-- Frameworks give header names in any case; two values for one header are refused.
local function header(headers, name, canonical)
  local value
  if type(headers) == "function" then
    value = headers(canonical)
  else
    value = headers[canonical] or headers[name]
    if value == nil then
      for key, found in pairs(headers) do
        if type(key) == "string" and key:lower() == name then
          value = found
        end
      end
    end
  end
  if type(value) == "string" and value ~= "" then
    return value
  end
  return fail("unauthorized", ("the header %s is %s"):format(canonical,
    (value == nil or value == "") and "missing" or "given more than once"), { field = canonical })
end

webhook.header = header

-- Which secret the sender claims to have used.
local function signed_by(self, key, tokens)
  if key == self.key then
    return self.mac
  end
  for _, token in ipairs(tokens or {}) do
    if type(token) == "table" and token.key == key and type(token.secret) == "string" then
      return core.mac(token.secret)
    end
  end
end

--- Whether a body carries a valid signature.
-- @tparam table|function headers
-- @tparam string body raw bytes
-- @tparam[opt] table extra_tokens list of `{ key =, secret = }`
-- @treturn true|nil
function methods:verify(headers, body, extra_tokens)
  local key, message, details = header(headers, "x-pusher-key", "X-Pusher-Key")
  if not key then
    return nil, message, details
  end
  local signature
  signature, message, details = header(headers, "x-pusher-signature", "X-Pusher-Signature")
  if not signature then
    return nil, message, details
  end
  local mac = signed_by(self, key, extra_tokens)
  if not mac then
    return fail("unauthorized", "the webhook was signed for another key")
  elseif not mac:verify(signature, body) then
    return fail("unauthorized", "the webhook's signature is not valid")
  end
  return true
end

-- Data of a client event on an encrypted channel. One that does not open
-- becomes an event with `error`; the others of the same webhook survive.
local function open_event(self, event)
  local envelope = event.data
  if type(envelope) == "string" then
    envelope = self.json.decode(envelope)
  end
  local plaintext, message
  if type(envelope) == "table" then
    plaintext, message = self.sealer:open(event.channel, envelope)
  else
    message = "the encrypted data has no valid nonce and ciphertext"
  end
  event.data, event.error = plaintext, message
end

local function check_events(self, events)
  for index = 1, #events do
    local event = events[index]
    local name = type(event) == "table" and event.name
    if type(name) ~= "string" then
      return fail("invalid", "the webhook has an event without a name")
    end
    -- Looking at every member costs as much as decoding them, so it is done where there may be numbers.
    if not TEXTS[name] or type(event.data) == "table" or type(event.user_id) == "number" then
      self.json.restore(event)
    end
    if name == "client_event" and type(event.channel) == "string"
      and encryption.is_encrypted(event.channel) then
      open_event(self, event)
    end
  end
  return true
end

local function check_age(self, time_ms, max_age)
  local age = math.abs(self.clock() - time_ms / 1000)
  if age > max_age then
    return fail("unauthorized", ("the webhook is %.0f seconds off, at most %.0f are allowed"):format(age, max_age))
  end
  return true
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body raw bytes as received
-- @tparam[opt] table opts `{ extra_tokens = { { key =, secret = }, … }, max_age = seconds }`
-- @treturn table|nil `{ time_ms = integer, events = { { name =, channel =, … }, … } }`
function methods:read(headers, body, opts)
  local ok, message, details = true, nil, nil
  if opts then
    ok, message, details = arguments.members(opts, OPTIONS, "webhook option")
  end
  if ok then
    ok, message, details = self:verify(headers, body, opts and opts.extra_tokens)
  end
  if not ok then
    return nil, message, details
  end
  local hook = self.json.parse(body)
  if type(hook) ~= "table" or type(hook.time_ms) ~= "number" or type(hook.events) ~= "table" then
    return fail("invalid", "the webhook's body is not { time_ms, events }")
  end
  hook.time_ms = self.json.restore(hook.time_ms)
  if opts and opts.max_age then
    ok, message, details = check_age(self, hook.time_ms, opts.max_age)
  end
  if ok then
    ok, message, details = check_events(self, hook.events)
  end
  if not ok then
    return nil, message, details
  end
  return hook
end

return webhook
