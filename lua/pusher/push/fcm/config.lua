--- The configuration of the FCM handler: JSON-like values in, a checked and complete table out. Pure.

local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local message = require "pusher.push.fcm.message"
local options = require "pusher.base.options"

local config = {}
local is_null = json_codec.is_null

config.FCM_URL = "https://fcm.googleapis.com"

local DEFAULT_BUFFER = 32
local MAX_BUFFER = 1000000

-- The numbers: default, least, most.
local NUMBERS = {
  max_in_flight = { 8, 1, 1000 },
  timeout = { 10, 0.001, 3600 }, -- seconds; Google asks for no less than 10
  token_early = { 120, 0, 1800 }, -- seconds before its end at which an access token is renewed
}

local RETRY = {
  attempts = { 8, 1, 100 }, -- of one message, the first one counted
  base = { 10, 0, 3600 }, -- seconds before the first repetition, doubled each time; Google asks for 10
  max = { 600, 0, 3600 }, -- seconds, the longest wait
  quota = { 60, 0, 3600 }, -- seconds after QUOTA_EXCEEDED when no Retry-After says more
  deadline = { 3600, 0, 86400 }, -- seconds after which a message is given up; Google says an hour
}

local ANDROID_TEXTS = { "title_loc_key", "title", "body_loc_key", "body", "icon", "icon_color", "click_action" }

-- Read by pusher.push.fcm.credentials; what transports read comes on top.
local ELSEWHERE = { credentials = true, credentials_file = true, project_id = true, token_url = true }
local HERE = {
  enabled = true, buffer = true, time_to_live = true, android = true, validate_only = true, dry_run = true,
  fcm_url = true, retry = true,
}

local function bad(name, text)
  return errors.fail("config", ("failed to parse config: %s %s"):format(name, text), { field = name })
end

local function number(given, name, rule)
  local value = given[name]
  if is_null(value) then
    return rule[1]
  elseif type(value) ~= "number" or not (value >= rule[2] and value <= rule[3]) then
    return bad(name, ("must be a number from %g to %g"):format(rule[2], rule[3]))
  end
  return value
end

local function boolean(given, name)
  local value = given[name]
  if is_null(value) then
    return false
  elseif type(value) ~= "boolean" then
    return bad(name, "must be a boolean")
  end
  return value
end

local function section(given, name)
  local value = given[name]
  if is_null(value) then
    return {}
  elseif type(value) ~= "table" or value[1] ~= nil then
    return bad(name, "must be an object")
  end
  return value
end

-- As upstream: what is not above 0 means the default.
local function buffer(given)
  local value = given.buffer
  if is_null(value) then
    return DEFAULT_BUFFER
  elseif type(value) ~= "number" or value % 1 ~= 0 or value > MAX_BUFFER then
    return bad("buffer", ("must be a whole number, at most %d"):format(MAX_BUFFER))
  end
  return value > 0 and value or DEFAULT_BUFFER
end

local function time_to_live(given, checked)
  local value = given.time_to_live
  if is_null(value) then
    return true
  elseif type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > message.MAX_TTL then
    return bad("time_to_live", ("must be whole seconds from 0 to %d"):format(message.MAX_TTL))
  end
  checked.time_to_live, checked.ttl = value, ("%.0fs"):format(value)
  return true
end

local function android_texts(given, name)
  local texts = {}
  for _, key in ipairs(ANDROID_TEXTS) do
    local value = given[key]
    if not is_null(value) then
      if type(value) ~= "string" then
        return bad(name .. "." .. key, "must be a string")
      elseif key == "icon_color" and value ~= "" and not message.is_color(value) then
        return bad(name .. "." .. key, "must be in the #RRGGBB form")
      end
      texts[key] = value
    end
  end
  return texts
end

-- The common texts, and those of each kind of push, which win where they are not empty.
local function android(given)
  local block, problem, details = section(given, "android")
  if not block then
    return nil, problem, details
  end
  local checked
  checked, problem, details = android_texts(block, "android")
  if not checked then
    return nil, problem, details
  end
  checked.enabled, problem, details = boolean(block, "enabled")
  if checked.enabled == nil then
    return nil, problem, details
  end
  for _, kind in ipairs { "msg", "sub" } do
    local texts
    texts, problem, details = section(block, kind)
    if texts then
      texts, problem, details = android_texts(texts, "android." .. kind)
    end
    if not texts then
      return nil, problem, details
    end
    checked[kind] = texts
  end
  return checked
end

local function retry(given)
  local block, problem, details = section(given, "retry")
  if not block then
    return nil, problem, details
  end
  local checked = {}
  for name, rule in pairs(RETRY) do
    checked[name], problem, details = number(block, name, rule)
    if not checked[name] then
      return nil, problem, details
    end
  end
  return checked
end

-- In the order in which a reader of the configuration meets them; each sets one member.
local READERS = {
  { "enabled", boolean }, { "buffer", buffer }, { "validate_only", boolean }, { "dry_run", boolean },
  { "android", android }, { "retry", retry },
}
for name, rule in pairs(NUMBERS) do
  READERS[#READERS + 1] = { name, function(given)
    return number(given, name, rule)
  end }
end

--- Checks a configuration.
-- @tparam table given see README "FCM"
-- @tparam[opt] function unknown called with the name of each member that nothing reads
-- @treturn table|nil a fresh, complete table; nil, message, details (code `config`) otherwise
function config.check(given, unknown)
  if type(given) == "userdata" then
    given = {}
  elseif type(given) ~= "table" or given[1] ~= nil then
    return bad("the configuration", "must be an object, got " .. type(given))
  end
  local checked = {}
  for _, reader in ipairs(READERS) do
    local name, read = reader[1], reader[2]
    local value, problem, details = read(given, name)
    if value == nil then
      return nil, problem, details
    end
    checked[name] = value
  end
  checked.validate_only = checked.validate_only or checked.dry_run
  local ok, problem, details = time_to_live(given, checked)
  if ok then
    checked.endpoint, problem, details =
      endpoint.parse(is_null(given.fcm_url) and config.FCM_URL or given.fcm_url, "fcm_url")
  end
  if not checked.endpoint then
    return nil, problem, details
  end
  for name in pairs(given) do
    if unknown and not (HERE[name] or ELSEWHERE[name] or NUMBERS[name] or options.TRANSPORT[name]) then
      unknown(tostring(name))
    end
  end
  return checked
end

return config
