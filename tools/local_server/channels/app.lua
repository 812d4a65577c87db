--- The one app of the local server: its credentials, limits and defaults.

local app = {}

app.DEFAULTS = {
  app_id = "app-id",
  key = "app-key",
  secret = "app-secret",
  enabled = true, -- false: every request gets 403
  path_prefix = "", -- "/pusher": the API is below it
  sign_path_prefix = false, -- whether signatures cover it
  clock_offset = 0, -- how many seconds the server's clock is ahead
  signature_grace = 600, -- timestamps this far off are refused, in seconds
  max_payload_bytes = 10240, -- of one event's data
  max_body_bytes = 1024 * 1024, -- of a request
  max_channels = 100, -- of one trigger
  max_batch = 10, -- events of one batch
  max_members = 100, -- of a presence channel
  max_connections = 0, -- subscribers at a time; 0 is no limit
  max_watchlist = 100, -- ids a user watches
  activity_timeout = 120, -- seconds of silence before a ping is due
  pong_timeout = 30, -- seconds the reply to it may take
  sign_in_timeout = 0, -- seconds until a subscriber must have signed in; 0 is no limit
  client_events_per_second = 0, -- of one subscriber; 0 is no limit
  cache_ttl = 1800, -- seconds a cache channel keeps its last event
  key_seconds = 0, -- how long idempotency keys are kept; 0 keeps none, as most servers do
  publish_seconds = 0, -- how long it takes to publish the events of a call
  has_batches = true, -- false: batch_events gets 404, as with ipe, poxa and slanger
  subscription_count = true, -- whether queries may ask how many subscribe
  announce_counts = false, -- send each change of that count to subscribers and webhooks
  webhook_url = "", -- where webhooks go; "" only records them
  webhook_batch = false, -- put waiting webhook events into one request
  webhook_retry_seconds = 300, -- how long a webhook is tried again
  record_limit = 200000, -- events kept for inspection
}

-- For end-to-end encrypted channels in tests; the server itself never needs it.
app.MASTER_KEY_BASE64 = "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="

--- Completes the options given at start.
-- @tparam table options
-- @treturn table the app; an unknown or mistyped option raises
function app.new(options)
  local self = {}
  for name, default in pairs(app.DEFAULTS) do
    local value = options[name]
    assert(value == nil or type(value) == type(default), "option " .. name .. " has the wrong type")
    if value == nil then
      value = default
    end
    self[name] = value
  end
  return self
end

local CHANNEL = "^[%w_%-=@,.;]+$"
local USER_CHANNEL = "^#server%-to%-user%-(.+)$"

local function find_kind(name)
  local user = name:match(USER_CHANNEL)
  if user then
    return { user = user }
  elseif not name:find(CHANNEL) then
    return nil
  end
  local presence = name:find("^presence%-") ~= nil
  return {
    presence = presence,
    private = presence or name:find("^private%-") ~= nil,
    encrypted = name:find("^private%-encrypted%-") ~= nil,
    cache = name:find("^cache%-") ~= nil or name:find("^private%-cache%-") ~= nil
      or name:find("^presence%-cache%-") ~= nil or name:find("^private%-encrypted%-cache%-") ~= nil,
  }
end

-- A cache: few names are used, many times.
local KINDS_KEPT = 10000
local kinds, kinds_count = {}, 0

--- The kind of a channel, by its name; nil when the name is not valid.
-- @treturn table `{ private =, presence =, encrypted =, cache =, user = id }`
function app.channel_kind(name)
  if type(name) ~= "string" or #name > 200 then
    return nil
  end
  local kind = kinds[name]
  if not kind then
    kind = find_kind(name)
    if kinds_count >= KINDS_KEPT then
      kinds, kinds_count = {}, 0
    end
    kinds[name], kinds_count = kind, kinds_count + 1
  end
  return kind
end

--- Whether a value is a socket id.
function app.is_socket_id(value)
  return type(value) == "string" and value:find("^%d+%.%d+$") ~= nil
end

return app
