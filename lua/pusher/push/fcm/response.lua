--- FCM's answer to one send: taken, or what is wrong and what to do about it. Pure.
--
-- Rule: Firebase reference `ErrorCode`, "Manage tokens", "Best practices when sending at scale".

local errors = require "pusher.base.errors"
local http = require "pusher.base.http"

local answer = {}

local fail = errors.fail

local ERROR_TYPES = {
  ["type.googleapis.com/google.firebase.fcm.v1.FcmError"] = true,
  ["type.googleapis.com/google.firebase.fcm.v1.FcmErrorCode"] = true, -- of 2018
}
local DEAD_TOKEN = "not a valid FCM registration token"
local MAX_WORDS = 200

-- What each of FCM's codes means. `dead`: the device's token will never work again. `reauth`: the access
-- token is refused. `wait`: seconds until the next attempt when the server names none.
local MEANING = {
  UNSPECIFIED_ERROR = { code = "server", retryable = false },
  INVALID_ARGUMENT = { code = "invalid" },
  UNREGISTERED = { code = "not_found", dead = true },
  SENDER_ID_MISMATCH = { code = "forbidden", hint = "the token belongs to another Firebase project" },
  QUOTA_EXCEEDED = { code = "rate_limited", quota = true },
  UNAVAILABLE = { code = "server" },
  INTERNAL = { code = "server" },
  THIRD_PARTY_AUTH_ERROR = { code = "unauthorized",
    hint = "the APNs or web push credentials of the Firebase project are missing or wrong" },
}
MEANING.APNS_AUTH_ERROR = MEANING.THIRD_PARTY_AUTH_ERROR

-- google.rpc statuses, for answers without FCM's own code.
local MEANING_OF_STATUS = {
  INVALID_ARGUMENT = MEANING.INVALID_ARGUMENT,
  NOT_FOUND = MEANING.UNREGISTERED,
  PERMISSION_DENIED = { code = "forbidden",
    hint = "the service account may not send (cloudmessaging.messages.create) or the API is off" },
  RESOURCE_EXHAUSTED = MEANING.QUOTA_EXCEEDED,
  UNAVAILABLE = MEANING.UNAVAILABLE,
  INTERNAL = MEANING.INTERNAL,
  UNAUTHENTICATED = { code = "unauthorized", reauth = true },
}

-- Answers that are not FCM's at all (a proxy's, a wrong base URL's) condemn no device.
local MEANING_OF_HTTP = {
  [400] = MEANING.INVALID_ARGUMENT,
  [401] = MEANING_OF_STATUS.UNAUTHENTICATED,
  [403] = { code = "forbidden" },
  [404] = { code = "not_found", hint = "check project_id and fcm_url" },
  [408] = { code = "timeout" },
  [413] = { code = "too_large" },
  [429] = MEANING.QUOTA_EXCEEDED,
}

local function members(value)
  return type(value) == "table" and value or {}
end

local function fcm_code(error)
  for _, detail in ipairs(members(error.details)) do
    if type(detail) == "table" and ERROR_TYPES[detail["@type"]] and type(detail.errorCode) == "string" then
      return detail.errorCode
    end
  end
end

-- The seconds of a google.rpc.RetryInfo, "30s".
local function retry_delay(error)
  for _, detail in ipairs(members(error.details)) do
    local delay = type(detail) == "table" and detail.retryDelay
    if type(delay) == "string" and delay:find("^%d+%.?%d*s$") then
      return tonumber(delay:sub(1, -2))
    end
  end
end

-- INVALID_ARGUMENT speaks of the device's token only when it says so.
local function blames_token(error)
  if type(error.message) == "string" and error.message:find(DEAD_TOKEN, 1, true) then
    return true
  end
  for _, detail in ipairs(members(error.details)) do
    for _, violation in ipairs(members(members(detail).fieldViolations)) do
      if members(violation).field == "message.token" then
        return true
      end
    end
  end
  return false
end

local function one_line(text)
  return (text:gsub("[%c\127]+", " "):sub(1, MAX_WORDS))
end

local function meaning_of(status, error)
  local code = fcm_code(error)
  local meaning = MEANING[code] or (not code and MEANING_OF_STATUS[error.status])
  if not meaning and not code then
    meaning = MEANING_OF_HTTP[status]
  end
  if not meaning then
    meaning = { code = status >= 500 and "server" or "response", retryable = status >= 500 }
  end
  return meaning, code or error.status
end

--- Reads an answer.
-- @tparam table json as json.new returns
-- @tparam function clock Unix seconds
-- @treturn function parse(status, body, headers) -> `{ name = message id }` | nil, message, details; details has
--   `status`, `fcm_code`, `retryable`, `retry_after` (seconds), `dead`, `reauth`, `quota`, `hint` where they apply
function answer.parser(json, clock)
  return function(status, body, headers)
    local decoded = members(json.decode(body))
    if status >= 200 and status < 300 then
      if type(decoded.name) ~= "string" then
        return fail("response", "FCM's answer has no message name", { status = status })
      end
      return { name = decoded.name }
    end
    local error = members(decoded.error)
    local meaning, code = meaning_of(status, error)
    local text = type(error.message) == "string" and ": " .. one_line(error.message) or ""
    local shown = type(code) == "string" and " " .. one_line(code) or ""
    return fail(meaning.code, ("FCM answered %d%s%s"):format(status, shown, text), {
      status = status,
      fcm_code = type(code) == "string" and code or nil,
      retryable = meaning.retryable,
      retry_after = http.retry_after(headers, clock()) or retry_delay(error),
      dead = meaning.dead or (meaning == MEANING.INVALID_ARGUMENT and blames_token(error)) or nil,
      reauth = meaning.reauth,
      quota = meaning.quota,
      hint = meaning.hint,
    })
  end
end

return answer
