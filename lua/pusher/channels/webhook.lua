--- Webhooks: verified first, then decoded, then decrypted where need be. No I/O.
--
-- Rule: Channels docs "Webhooks": X-Pusher-Key names the token, X-Pusher-Signature is the hex HMAC-SHA256 of the raw
-- body under its secret.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local credential = require "pusher.base.credential"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local json = require "pusher.base.json"
local kind = require "pusher.channels.kind"
local options = require "pusher.base.options"
local sources = require "pusher.base.sources"

local webhook = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.webhook" }

local fail = errors.fail
local type = type
local tointeger = math.tointeger or tonumber -- codecs may read whole numbers as floats

local function refuse_tokens(message)
  return fail("config", 'option "extra_tokens"' .. message, { field = "extra_tokens" })
end

local function read_token(given, index)
  if type(given) ~= "table" then
    return refuse_tokens((": token %d must be { key =, secret = }, got %s"):format(index, type(given)))
  end
  local token = { key = rawget(given, "key"), secret = rawget(given, "secret") }
  for _, name in ipairs { "key", "secret" } do
    local fault = credential.fault(token[name])
    if fault then
      return refuse_tokens((": %s of token %d %s"):format(name, index, fault))
    end
  end
  return token
end

-- Keys and secrets older than the client's own; a copy of the list.
local function read_tokens(given)
  local tokens = given == nil and {} or arguments.list(given)
  if not tokens then
    return refuse_tokens " must be a list of { key =, secret = }, got a table with other keys"
  end
  for index = 1, #tokens do
    local token, message, details = read_token(tokens[index], index)
    if not token then
      return nil, message, details
    end
    tokens[index] = token
  end
  return tokens
end

local OPTIONS = {
  extra_tokens = { "table", make = read_tokens },
  max_age = { "number" },
}

local NO_OPTIONS = { extra_tokens = {} }

-- The documented events. Their members are strings, but for those that read_events looks at.
local DOCUMENTED = {
  channel_occupied = true, channel_vacated = true, member_added = true, member_removed = true,
  client_event = true, cache_miss = true,
}

local function read_nothing() end

--- Makes a reader of webhooks.
-- @tparam table parts `{ key =, mac = keyed HMAC-SHA256, json =, sealer =, clock = }`
function webhook.new(parts)
  local own_decode = parts.json.own_decode
  return setmetatable({
    key = parts.key, mac = parts.mac, json = parts.json, sealer = parts.sealer, clock = parts.clock,
    -- function(headers, body), in C: the hook of a webhook of the common shape, false when it is forged; returns
    -- nothing for anything else.
    read_common = own_decode and core.webhook_reader(parts.mac, parts.key, own_decode) or read_nothing,
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

-- The HMAC and the signature from headers of any kind and under any names; nil, message, details otherwise.
local function read_headers(self, headers, extra_tokens)
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
  end
  return mac, signature
end

local function forged()
  return fail("unauthorized", "the webhook's signature is not valid")
end

-- Returns the signature in lower case.
local function verify(self, headers, body, extra_tokens)
  local mac, signature, details = read_headers(self, headers, extra_tokens)
  if not mac then
    return nil, signature, details
  end
  local valid = mac:verify(signature, body)
  if not valid and signature:find("[A-Z]") then -- few senders write upper case
    signature = ascii.lower(signature)
    valid = mac:verify(signature, body)
  end
  if valid then
    return signature
  elseif valid == nil then
    return fail("closed", "the client is closed") -- by a finalizer
  end
  return forged()
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

-- Returns the hook.
local function read_events(self, hook)
  local events = hook.events
  for index = 1, #events do
    local event = events[index]
    local name = type(event) == "table" and event.name
    local documented = DOCUMENTED[name]
    if not documented and type(name) ~= "string" then
      return fail("invalid", "the webhook has an event without a name")
    end
    -- Looking at every member costs as much as decoding them, so it is done where there may be numbers.
    local user_id = event.user_id
    if not documented or type(event.data) == "table" or user_id and type(user_id) == "number" then
      self.json.restore(event)
    end
    if name == "client_event" and type(event.channel) == "string" and kind.is_encrypted(event.channel) then
      decrypt_event(self, event)
    end
  end
  return hook
end

-- ipe sends seconds. In milliseconds these would be days of 1970 to 1973, in seconds they are 2001 to 5138.
local SECONDS_FROM, SECONDS_TO, MAX_TIME = 1e9, 1e11, 2 ^ 53

local function is_time(value)
  return type(value) == "number" and value >= 0 and value < MAX_TIME
end

local function in_milliseconds(time)
  if type(time) == "number" and time >= SECONDS_FROM and time < SECONDS_TO then
    return time * 1000
  end
  return time
end

-- The object of a body, which slanger and old servers write in their own ways: `time_ms` as text, no events at all.
local function read_body(self, body)
  local hook = body == "" and {} or self.json.parse(body)
  if type(hook) ~= "table" then
    return nil
  end
  local time, events = hook.time_ms, hook.events
  if type(time) == "string" and #time < 16 and time:find("^[0-9]+$") then
    time = tonumber(time)
  end
  if body == "" or (json.is_null(events) and is_time(time)) then
    events = {}
  elseif not is_time(time) or not json.is_list(events) then
    return nil
  end
  time = in_milliseconds(time)
  hook.time_ms, hook.events = tointeger(time) or time, events
  return hook
end

-- Whether a webhook is as young as its receiver wants it.
local function check_age(self, time_ms, max_age)
  local now = self.clock()
  local age = math.abs(now - (time_ms or 0) / 1000)
  if now ~= now then
    return sources.no_time()
  elseif age > max_age then
    return fail("unauthorized", ("the webhook's time must be within %s seconds of this clock, got %s"):format(
      json.format_number("%g", max_age), json.format_number("%.1f", age)))
  end
  return true
end

-- As `methods:read`, of any shape.
local function read_any(self, headers, body, opts)
  local id, ok
  local given, message, details = NO_OPTIONS, nil, nil
  if opts ~= nil then
    given, message, details = options.check(opts, OPTIONS)
  end
  if given then
    id, message, details = verify(self, headers, body, given.extra_tokens)
  end
  if not id then
    return nil, message, details
  end
  local hook = read_body(self, body)
  if not hook then
    return fail("invalid", "the webhook's body must be an object with time_ms and events")
  end
  ok = true
  if given.max_age then
    ok, message, details = check_age(self, hook.time_ms, given.max_age)
  end
  if not ok then
    return nil, message, details
  end
  hook.id = id
  return read_events(self, hook)
end

--- Verifies and reads a webhook.
-- @tparam table|function headers names in any case, or function(name)
-- @tparam string body raw bytes as received
-- @tparam[opt] table opts `{ extra_tokens = { { key =, secret = }, … }, max_age = seconds }`
-- @treturn table|nil `{ id = string, time_ms = integer, events = { { name =, channel =, … }, … } }`; `id` is the same
--   for each retry of a webhook, `time_ms` has milliseconds also where the sender has seconds
function methods:read(headers, body, opts)
  local hook
  if opts == nil then
    hook = self.read_common(headers, body)
  end
  if hook then
    return read_events(self, hook)
  elseif hook == false then
    return forged()
  end
  return read_any(self, headers, body, opts)
end

return webhook
