--- Messages of the FCM HTTP v1 API: made from a receipt, one per device, and checked before any is sent. Pure.
--
-- Rule: Firebase reference `projects.messages`; a receipt's messages have the form that tinode gives them.

local access_mode = require "pusher.push.tinode.access_mode"
local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local drafty = require "pusher.push.tinode.drafty"
local errors = require "pusher.base.errors"

local messages = {}

messages.MAX_BYTES = 4096 -- keys and values of data and notification
messages.MAX_TOPIC_BYTES = 2048 -- the same, to a topic or a condition
messages.MAX_TTL = 2419200 -- seconds, four weeks

local MAX_TEXT = 80 -- code points of content that are shown
local ELLIPSIS = "\226\128\166"
local TITLE = "New message" -- on iOS; it cannot be configured

local fail, show = errors.fail, arguments.show

local TARGETS = { "token", "fid", "topic", "condition" }
local PRIORITIES = { normal = true, high = true }

local function invalid(text, field)
  return fail("invalid", "FCM message: " .. text, { field = field })
end

-- Cuts after so many code points; `text` is valid UTF-8.
local function cut(text, limit)
  if #text <= limit then
    return text
  end
  local count = 0
  for position in text:gmatch("()[^\128-\191]") do
    count = count + 1
    if count > limit then
      return text:sub(1, position - 1) .. ELLIPSIS
    end
  end
  return text
end

--- The data in the messages to all devices of a receipt.
-- @tparam table receipt as receipt.check returns
-- @treturn table|nil names to strings
function messages.data(receipt)
  local payload = receipt.payload
  local data = { what = payload.what, topic = payload.topic, ts = payload.ts, xfrom = payload.from }
  if payload.silent then
    data.silent = "true"
  end
  if payload.what == "msg" then
    local text, message, details = drafty.to_text(payload.content)
    if not text then
      return nil, message, details
    end
    data.seq, data.mime, data.content = ("%.0f"):format(payload.seq), payload.mime, cut(text, MAX_TEXT)
  elseif payload.what == "sub" then
    data.modeWant = access_mode.format(payload.want)
    data.modeGiven = access_mode.format(payload.given)
  else
    return fail("invalid", 'payload.what must be "msg" or "sub", got ' .. show(payload.what),
      { field = "payload.what" })
  end
  return data
end

-- An empty string counts as absent.
local function filled(text)
  return text ~= "" and text or nil
end

local function android(settings, data, config)
  local block = { priority = "high", ttl = config.ttl }
  if not settings.enabled then
    return block
  end
  local section = settings[data.what] or {}
  local function pick(name)
    return filled(section[name]) or filled(settings[name])
  end
  local body = pick("body")
  if body == "$content" then
    body = filled(data.content)
  end
  block.notification = {
    tag = data.topic,
    title_loc_key = pick("title_loc_key"), title = pick("title"),
    body_loc_key = pick("body_loc_key"), body = body,
    icon = pick("icon"), color = pick("icon_color"), click_action = pick("click_action"),
  }
  return block
end

local function ios(data, unread, config, now)
  local content = filled(data.content)
  local block = { payload = { aps = {
    alert = { title = TITLE, body = content }, badge = unread, sound = "default",
    ["content-available"] = 1, ["mutable-content"] = 1,
  } } }
  if config.time_to_live then
    block.headers = { ["apns-expiration"] = ("%.0f"):format(
      config.time_to_live == 0 and 0 or math.floor(now) + config.time_to_live) }
  end
  return block, { title = TITLE, body = content }
end

--- The message for one device.
-- @tparam table data as message.data returns
-- @tparam table device `{ device_id =, platform = "android" | "ios" | anything, kind = "token" | "fid" }`
-- @tparam number unread the number on the badge
-- @tparam table config as config.check returns
-- @tparam number now Unix seconds
function messages.build(data, device, unread, config, now)
  local built = { data = data }
  built[device.kind == "fid" and "fid" or "token"] = device.device_id
  if device.platform == "android" then
    built.android = android(config.android, data, config)
  elseif device.platform == "ios" then
    built.apns, built.notification = ios(data, unread, config, now)
  end
  return built
end

local function is_reserved(key)
  return key == "from" or key == "message_type" or key:find("^google%.") or key:find("^gcm%.notification")
end

-- The bytes of keys and values, all of which must be strings of valid UTF-8.
local function count_strings(map, name)
  if map == nil then
    return 0
  elseif type(map) ~= "table" then
    return invalid(name .. " must be a table, got " .. type(map), name)
  end
  local bytes = 0
  for key, value in next, map do
    if type(key) ~= "string" or type(value) ~= "string" then
      return invalid(("%s must map strings to strings, got %s under %s"):format(
        name, type(value), show(key)), name)
    elseif not core.utf8_valid(key) or not core.utf8_valid(value) then
      return invalid(name .. " is not valid UTF-8", name)
    elseif name == "data" and is_reserved(key) then
      return invalid("data has the reserved key " .. show(key), name)
    end
    bytes = bytes + #key + #value
  end
  return bytes
end

local function find_target(given)
  local found
  for _, name in ipairs(TARGETS) do
    local value = rawget(given, name)
    if value ~= nil then
      if type(value) ~= "string" or value == "" or not core.utf8_valid(value) then
        return invalid(name .. " must be a string of valid UTF-8, not empty", name)
      elseif found then
        return invalid(("must have one target, got %s and %s"):format(found, name), name)
      end
      found = name
    end
  end
  if not found then
    return invalid("must have one target: a token, fid, topic or condition", "token")
  end
  return found
end

local MAX_FRACTION = #".123456789s"

--- The seconds of a google.protobuf.Duration, "3.5s".
-- @treturn number|nil
function messages.seconds(text)
  local whole, rest = (type(text) == "string" and text or ""):match("^(%d+)(.*)$")
  local fraction = rest and #rest <= MAX_FRACTION and rest:match("^%.(%d+)s$")
  if rest ~= "s" and not fraction then
    return nil
  end
  return tonumber(whole) + (fraction and tonumber(fraction) / 10 ^ #fraction or 0) -- in any locale
end

--- Whether a text is a colour as FCM accepts it.
function messages.is_color(text)
  return text:find("^#%x%x%x%x%x%x$") ~= nil
end

local function check_android(given)
  if given == nil then
    return true
  elseif type(given) ~= "table" then
    return invalid("android must be a table, got " .. type(given), "android")
  end
  local priority, ttl = rawget(given, "priority"), rawget(given, "ttl")
  if priority ~= nil and not (type(priority) == "string" and PRIORITIES[ascii.lower(priority)]) then
    return invalid('android.priority must be "normal" or "high"', "android.priority")
  elseif ttl ~= nil and (messages.seconds(ttl) or math.huge) > messages.MAX_TTL then
    return invalid('android.ttl must be seconds such as "3600s", at most four weeks', "android.ttl")
  end
  local notification = rawget(given, "notification")
  local color = type(notification) == "table" and rawget(notification, "color") or nil
  if color ~= nil and not (type(color) == "string" and messages.is_color(color)) then
    return invalid("android.notification.color must be in the #RRGGBB form", "android.notification.color")
  end
  return true
end

local function check_strings(given, target)
  local bytes = 0
  for _, name in ipairs { "data", "notification" } do
    local count, message, details = count_strings(rawget(given, name), name)
    if not count then
      return nil, message, details
    end
    bytes = bytes + count
  end
  local limit = (target == "topic" or target == "condition") and messages.MAX_TOPIC_BYTES or messages.MAX_BYTES
  if bytes > limit then
    return fail("too_large", ("FCM message: data and notification must have at most %d bytes, got %d"):format(
      limit, bytes), { field = "data", limit = limit })
  end
  return true
end

--- Checks a message before it is sent; what FCM alone can know is left to FCM.
-- @tparam table given
-- @treturn string|nil its target: "token", "fid", "topic" or "condition"
function messages.check(given)
  local target, message, details = find_target(given)
  local ok = target
  if ok then
    ok, message, details = check_strings(given, target)
  end
  if ok then
    ok, message, details = check_android(rawget(given, "android"))
  end
  return ok and target, message, details
end

--- The body of a send request.
-- @tparam table given message
-- @tparam boolean validate_only
-- @tparam table json as json.new returns
-- @treturn string|nil JSON
function messages.encode(given, validate_only, json)
  local text, message, details = json.encode(given)
  if not text then
    return nil, message, details
  end
  return (validate_only and '{"validate_only":true,"message":' or '{"message":') .. text .. "}"
end

return messages
