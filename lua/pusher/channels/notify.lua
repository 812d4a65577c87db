--- Native push notifications of Channels, as in pusher-http-go v1.3.0: arguments in, body bytes out. Pure.
-- The service's successor is Beams (pusher.beams).

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local errors = require "pusher.base.errors"

local notify = {}

local fail = errors.fail

notify.MAX_INTERESTS = 10

--- The endpoint's path, before the app's id; its requests are signed like any other.
notify.PATH = "/server_api/v1/apps/"

local MEMBERS = { webhook_url = true, webhook_level = true, apns = true, gcm = true, fcm = true }
local ORDER = { "webhook_url", "webhook_level", "apns", "gcm", "fcm" } -- Go's order
local LEVELS = { INFO = true, DEBUG = true }

local function interests_text(json, interests)
  local quoted = {}
  local list, message, details = arguments.entries(interests, notify.MAX_INTERESTS, "interests", "names")
  for index, name in ipairs(list or {}) do
    if type(name) ~= "string" or name == "" or not core.utf8_valid(name) then
      return fail("invalid", ("interest %d must be a name in UTF-8, got %s"):format(index, arguments.show(name)),
        { field = "interests", index = index })
    end
    quoted[index] = json.quote(name)
  end
  return list and '"interests":[' .. table.concat(quoted, ",") .. "]", message, details
end

local function read_notification(given)
  local notification, message, details = arguments.read(given, MEMBERS, "notification member")
  if not notification then
    return nil, message, details
  end
  local url, level = notification.webhook_url, notification.webhook_level
  if notification.apns == nil and notification.gcm == nil and notification.fcm == nil then
    return fail("invalid", "a notification needs at least one of apns, gcm and fcm", { field = "notification" })
  elseif url ~= nil and (type(url) ~= "string" or url:find(ascii.CONTROL_OR_SPACE)) then
    return fail("invalid", "webhook_url must be a URL as a string, without spaces", { field = "webhook_url" })
  elseif level ~= nil and not LEVELS[level] then
    return fail("invalid", 'webhook_level must be "INFO" or "DEBUG", got ' .. arguments.show(level),
      { field = "webhook_level" })
  end
  return notification
end

--- The body of a notification request.
-- @tparam table json as json.new returns
-- @tparam table interests list of 1 to 10 names
-- @tparam table notification `{ apns =, gcm =, fcm =, webhook_url =, webhook_level = }`
-- @treturn string|nil body
function notify.body(json, interests, notification)
  local first, message, details = interests_text(json, interests)
  local read
  if first then
    read, message, details = read_notification(notification)
  end
  if not read then
    return nil, message, details
  end
  local members = { first }
  for _, name in ipairs(ORDER) do
    if read[name] ~= nil then
      local text
      text, message, details = json.encode(read[name])
      if not text then
        return nil, message, details
      end
      members[#members + 1] = '"' .. name .. '":' .. text
    end
  end
  return "{" .. table.concat(members, ",") .. "}"
end

--- Result of notify.
-- @tparam table decoded response
-- @treturn table|nil `{ number_of_subscribers = }`, 0 when the service gives none; nil, message otherwise
function notify.result(decoded)
  local count = decoded.number_of_subscribers
  if count ~= nil and type(count) ~= "number" then
    return nil, "the server's response has no number_of_subscribers"
  end
  return { number_of_subscribers = count or 0 }
end

return notify
