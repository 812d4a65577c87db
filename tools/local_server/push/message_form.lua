--- The form of an FCM message, as the API's description has it: names, types, one target, sizes. Names that the API
-- does not know are refused, as Google's JSON reader refuses them.

local message_form = {}

local MAX_BYTES, MAX_TOPIC_BYTES, MAX_TTL = 4096, 2048, 2419200

local function text(value)
  return type(value) == "string"
end

local function flag(value)
  return type(value) == "boolean"
end

local function whole(value)
  return type(value) == "number" and value % 1 == 0
end

local function strings(value)
  if type(value) ~= "table" then
    return false
  end
  for key, member in pairs(value) do
    if type(key) ~= "string" or type(member) ~= "string" then
      return false
    end
  end
  return true
end

local function list(value)
  return type(value) == "table" and (next(value) == nil or #value > 0)
end

local function object(value)
  return type(value) == "table" and #value == 0
end

local function one_of(...)
  local allowed = {}
  for _, word in ipairs { ... } do
    allowed[word] = true
  end
  return function(value)
    return type(value) == "string" and allowed[value:upper()] ~= nil
  end
end

local function duration(value)
  local seconds = type(value) == "string" and tonumber(value:match("^(%d+%.?%d*)s$"))
  return seconds and seconds <= MAX_TTL
end

local function color(value)
  return type(value) == "string" and value:find("^#%x%x%x%x%x%x$") ~= nil
end

local OPTIONS = { analytics_label = text, link = text, image = text }

local ANDROID_NOTIFICATION = {
  title = text, body = text, icon = text, color = color, sound = text, tag = text, click_action = text,
  body_loc_key = text, body_loc_args = list, title_loc_key = text, title_loc_args = list, channel_id = text,
  ticker = text, sticky = flag, local_only = flag, notification_count = whole, image = text,
  notification_priority = text, visibility = one_of("PRIVATE", "PUBLIC", "SECRET"),
}

local FORM = {
  name = text, token = text, fid = text, topic = text, condition = text,
  data = strings,
  notification = { title = text, body = text, image = text },
  android = {
    collapse_key = text, priority = one_of("NORMAL", "HIGH"), ttl = duration, restricted_package_name = text,
    data = strings, notification = ANDROID_NOTIFICATION, fcm_options = OPTIONS, direct_boot_ok = flag,
  },
  webpush = { headers = strings, data = strings, notification = object, fcm_options = OPTIONS },
  apns = { headers = strings, payload = object, fcm_options = OPTIONS, live_activity_token = text },
  fcm_options = OPTIONS,
}

-- The path of the first member that is unknown or has the wrong type, or nil.
local function find_fault(value, form, path)
  if type(value) ~= "table" then
    return path
  end
  for name, member in pairs(value) do
    local rule, here = form[name], path .. "." .. tostring(name)
    local fault
    if rule == nil then
      fault = here
    elseif type(rule) == "table" then
      fault = find_fault(member, rule, here)
    elseif not rule(member) then
      fault = here
    end
    if fault then
      return fault
    end
  end
end

local function count_bytes(map)
  local bytes = 0
  for key, value in pairs(map or {}) do
    bytes = bytes + #key + #value
  end
  return bytes
end

local RESERVED = { from = true, message_type = true }

local function check_data(data)
  for key in pairs(data or {}) do
    if RESERVED[key] or key:find("^google%.") or key:find("^gcm%.notification") then
      return "message.data[" .. key .. "]"
    end
  end
end

--- Checks a message.
-- @return nil when it is valid, else a message and the name of the wrong field
function message_form.check(message)
  local fault = find_fault(message, FORM, "message")
  if fault then
    return "Invalid JSON payload received. Wrong or unknown: " .. fault, fault
  end
  local targets = 0
  for _, name in ipairs { "token", "fid", "topic", "condition" } do
    targets = targets + (message[name] and 1 or 0)
  end
  if targets ~= 1 then
    return "Exactly one of token, topic or condition is required", "message"
  end
  fault = check_data(message.data)
  if fault then
    return "Invalid data payload key", fault
  end
  local limit = (message.topic or message.condition) and MAX_TOPIC_BYTES or MAX_BYTES
  if count_bytes(message.data) + count_bytes(message.notification) > limit then
    return "Message is too big", "message"
  end
end

return message_form
