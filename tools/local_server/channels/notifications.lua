--- POST /server_api/v1/apps/ID/notifications: the native push that came before Beams.

local json = require "tools.local_server.channels.json"

local notifications = {}

local MAX_INTERESTS = 10
local PLATFORMS = { "apns", "gcm", "fcm" }

local function refuse(text)
  return { status = 400, body = text .. "\n" }
end

--- Checks a notification and keeps it for inspection; every interest has one subscriber.
function notifications.publish(state, exchange)
  local body = json.decode_object(exchange.body)
  local interests = body and body.interests
  if type(interests) ~= "table" or #interests < 1 or #interests > MAX_INTERESTS then
    return refuse(("Interests must contain between 1 and %d interests"):format(MAX_INTERESTS))
  end
  local has_payload = false
  for _, platform in ipairs(PLATFORMS) do
    has_payload = has_payload or type(body[platform]) == "table"
  end
  if not has_payload then
    return refuse("The notification must contain a GCM, FCM or APNS payload")
  end
  state.record.notifications[#state.record.notifications + 1] = exchange.body
  return {
    status = 202,
    type = "application/json",
    body = ('{"number_of_subscribers":%d}'):format(#interests),
  }
end

return notifications
