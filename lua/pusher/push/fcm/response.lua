--- FCM's response to one message: accepted, or what failed and whether to try again. Pure.
--
-- Rule: Firebase reference `ErrorCode`, "Manage tokens", "Best practices when sending at scale".

local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local messages = require "pusher.push.fcm.message"

local response = {}

local fail = errors.fail

local ERROR_TYPES = {
  ["type.googleapis.com/google.firebase.fcm.v1.FcmError"] = true,
  ["type.googleapis.com/google.firebase.fcm.v1.FcmErrorCode"] = true, -- of 2018
}
local DEAD_TOKEN = "not a valid FCM registration token"

-- What each of FCM's codes means. `dead`: the device's token will never work again. `reauth`: the access token is
-- refused. `quota`: without a Retry-After, `retry.quota` is the wait.
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

-- google.rpc statuses, for responses without FCM's own code.
local MEANING_OF_STATUS = {
  INVALID_ARGUMENT = MEANING.INVALID_ARGUMENT,
  -- Not a dead token without FCM's own UNREGISTERED: a wrong project is not found, either. Go's, Python's and Java's
  -- SDKs judge alike.
  NOT_FOUND = { code = "not_found", hint = "check project_id and fcm_url" },
  PERMISSION_DENIED = { code = "forbidden",
    hint = "the service account may not send (cloudmessaging.messages.create) or the API is off" },
  RESOURCE_EXHAUSTED = MEANING.QUOTA_EXCEEDED,
  UNAVAILABLE = MEANING.UNAVAILABLE,
  INTERNAL = MEANING.INTERNAL,
  UNAUTHENTICATED = { code = "unauthorized", reauth = true },
}

-- Non-FCM responses (a proxy's, a wrong URL's) never mark a token as dead.
local MEANING_OF_HTTP = {
  [400] = MEANING.INVALID_ARGUMENT,
  [401] = MEANING_OF_STATUS.UNAUTHENTICATED,
  [403] = { code = "forbidden" },
  [404] = MEANING_OF_STATUS.NOT_FOUND,
  [408] = { code = "timeout" },
  [413] = { code = "too_large" },
  [429] = MEANING.QUOTA_EXCEEDED,
}

local function members(value)
  return type(value) == "table" and value or {}
end

-- What an error says beside its status: FCM's own code, the seconds of a google.rpc.RetryInfo ("30s"), and whether the
-- device's token is at fault.
local function read_details(error)
  local code, delay
  local blames_token = type(error.message) == "string" and error.message:find(DEAD_TOKEN, 1, true) ~= nil
  for _, entry in ipairs(members(error.details)) do
    local detail = members(entry)
    if not code and ERROR_TYPES[detail["@type"]] and type(detail.errorCode) == "string" then
      code = detail.errorCode
    end
    delay = delay or messages.seconds(detail.retryDelay)
    for _, violation in ipairs(members(detail.fieldViolations)) do
      blames_token = blames_token or members(violation).field == "message.token"
    end
  end
  return code, delay, blames_token
end

local function meaning_of(status, fcm_code, rpc_status)
  local meaning = MEANING[fcm_code]
  if not fcm_code then
    meaning = MEANING_OF_STATUS[rpc_status] or MEANING_OF_HTTP[status]
  end
  return meaning or { code = status >= 500 and "server" or "response", retryable = status >= 500 }
end

--- Makes the parser of FCM's responses.
-- @tparam table json as json.new returns
-- @tparam function clock Unix seconds
-- @treturn function parse(status, body, headers) -> `{ name = message id }` | nil, message, details; details has
--   `status`, `fcm_code`, `retryable`, `retry_after` (seconds), `dead`, `reauth`, `quota`, `hint` where they apply
function response.parser(json, clock)
  return http.check_encoding(function(status, body, headers)
    local decoded = members(json.decode(body))
    if status >= 200 and status < 300 then
      if type(decoded.name) ~= "string" then
        return fail("response", "FCM's response has no message name", { status = status })
      end
      return { name = decoded.name }
    end
    local error = members(decoded.error)
    local code, delay, blames_token = read_details(error)
    local meaning = meaning_of(status, code, error.status)
    code = code or (type(error.status) == "string" and error.status or nil)
    local shown = code and " " .. http.one_line(code) or ""
    local text = type(error.message) == "string" and ": " .. http.one_line(http.without_tokens(error.message)) or ""
    return fail(meaning.code, ("FCM responded with status %d%s%s"):format(status, shown, text), {
      status = status,
      fcm_code = code,
      retryable = meaning.retryable,
      retry_after = http.retry_after(headers, clock()) or http.clamp_wait(delay),
      -- An invalid argument is the token only when FCM says so.
      dead = meaning.dead or (meaning == MEANING.INVALID_ARGUMENT and blames_token) or nil,
      reauth = meaning.reauth,
      quota = meaning.quota,
      hint = meaning.hint,
    })
  end)
end

return response
