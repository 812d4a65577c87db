--- Native push notifications of Channels, as pusher-http-go v1.3.0 has them: checked
-- arguments in, body bytes out. Pure. The service's successor is Beams (pusher.beams).

local errors = require "pusher.base.errors"
local arguments = require "pusher.base.arguments"

local notify = {}

local fail = errors.fail

notify.MAX_INTERESTS = 10

--- Path before the request's own; the rest is signed like any other request.
notify.BASE = "/server_api/v1/apps/"

local MEMBERS = { webhook_url = true, webhook_level = true, apns = true, gcm = true, fcm = true }
local ORDER = { "webhook_url", "webhook_level", "apns", "gcm", "fcm" } -- Go's order
local LEVELS = { INFO = true, DEBUG = true }

local function check_interests(interests)
  local count = arguments.list_length(interests)
  if not count or count < 1 or count > notify.MAX_INTERESTS then
    return fail("invalid", ("interests must be a list of 1 to %d names"):format(notify.MAX_INTERESTS),
      { field = "interests", limit = notify.MAX_INTERESTS })
  end
  for index = 1, count do
    if type(interests[index]) ~= "string" or interests[index] == "" then
      return fail("invalid", ("interest %d is not a name"):format(index), { field = "interests", index = index })
    end
  end
  return true
end

local function check_notification(notification)
  local ok, message, details = arguments.members(notification, MEMBERS, "notification member")
  if not ok then
    return nil, message, details
  end
  local url, level = notification.webhook_url, notification.webhook_level
  if notification.apns == nil and notification.gcm == nil and notification.fcm == nil then
    return fail("invalid", "a notification needs at least one of apns, gcm and fcm", { field = "notification" })
  elseif url ~= nil and (type(url) ~= "string" or url:find("[%c%s]")) then
    return fail("invalid", "webhook_url must be a URL", { field = "webhook_url" })
  elseif level ~= nil and not LEVELS[level] then
    return fail("invalid", 'webhook_level must be "INFO" or "DEBUG"', { field = "webhook_level" })
  end
  return true
end

--- The body of a notification request.
-- @tparam table json as json.new returns
-- @tparam table interests list of 1 to 10 names
-- @tparam table notification `{ apns =, gcm =, fcm =, webhook_url =, webhook_level = }`
-- @treturn string|nil
function notify.body(json, interests, notification)
  local ok, message, details = check_interests(interests)
  if ok then
    ok, message, details = check_notification(notification)
  end
  if not ok then
    return nil, message, details
  end
  local quoted = {}
  for index, interest in ipairs(interests) do
    quoted[index] = json.quote(interest)
  end
  local members = { '"interests":[' .. table.concat(quoted, ",") .. "]" }
  for _, name in ipairs(ORDER) do
    if notification[name] ~= nil then
      local text
      text, message, details = json.encode(notification[name])
      if not text then
        return nil, message, details
      end
      members[#members + 1] = '"' .. name .. '":' .. text
    end
  end
  return "{" .. table.concat(members, ",") .. "}"
end

--- Result of notify.
-- @tparam table decoded answer
-- @treturn table|nil `{ number_of_subscribers = }`; 0 when the service says nothing of it
function notify.result(decoded)
  local count = decoded.number_of_subscribers
  if count ~= nil and type(count) ~= "number" then
    return nil, "the server's answer has no number_of_subscribers"
  end
  return { number_of_subscribers = count or 0 }
end

return notify
