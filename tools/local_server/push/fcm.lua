--- FCM's messages:send. The response for a registration token can be planned, or is drawn at random by a seed.

local json = require "tools.local_server.channels.json"
local message_form = require "tools.local_server.push.message_form"
local tokens = require "tools.local_server.push.tokens"

local fcm = {}

local FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
local BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"

-- HTTP status and google.rpc status of each of FCM's codes.
local ERRORS = {
  UNSPECIFIED_ERROR = { 500, "UNKNOWN" },
  INVALID_ARGUMENT = { 400, "INVALID_ARGUMENT" },
  UNREGISTERED = { 404, "NOT_FOUND" },
  SENDER_ID_MISMATCH = { 403, "PERMISSION_DENIED" },
  QUOTA_EXCEEDED = { 429, "RESOURCE_EXHAUSTED" },
  UNAVAILABLE = { 503, "UNAVAILABLE" },
  INTERNAL = { 500, "INTERNAL" },
  THIRD_PARTY_AUTH_ERROR = { 401, "UNAUTHENTICATED" },
  -- Not FCM's own: the access token is refused; the token is malformed.
  UNAUTHENTICATED = { 401, "UNAUTHENTICATED", bare = true },
  BAD_TOKEN = { 400, "INVALID_ARGUMENT", message = "The registration token is not a valid FCM registration token" },
}
fcm.ERRORS = ERRORS

local function error_response(name, message, extra, retry_after)
  local rule = ERRORS[name]
  local details = extra or {}
  if not rule.bare then
    details[#details + 1] = { ["@type"] = FCM_ERROR, errorCode = name == "BAD_TOKEN" and "INVALID_ARGUMENT" or name }
  end
  return {
    status = rule[1],
    type = "application/json; charset=UTF-8",
    headers = retry_after and { { "retry-after", tostring(retry_after) } } or nil,
    body = json.encode { error = {
      code = rule[1], message = message or rule.message or name, status = rule[2],
      details = #details > 0 and details or nil,
    } },
  }
end

local function invalid(text, field)
  return error_response("INVALID_ARGUMENT", text,
    { { ["@type"] = BAD_REQUEST, fieldViolations = { { field = field, description = text } } } })
end

-- Park and Miller's generator, as in tools/local_server/http/misbehave.lua.
local function draw(state)
  state.random = state.random * 16807 % 2147483647
  return state.random / 2147483647
end

-- The error for this token now: its name, or nil.
local function next_error(state, target)
  local planned = state.plans[target]
  if type(planned) == "table" then
    planned = table.remove(planned, 1)
  end
  if planned then
    return planned ~= "sent" and planned or nil
  elseif state.dead[target] then
    return "UNREGISTERED"
  elseif state.chance and draw(state) < state.chance.probability then
    return state.chance.errors[math.floor(draw(state) * #state.chance.errors) + 1]
  end
end

local function deliver(state, message, validate_only)
  local target = message.token or message.fid or message.topic or message.condition
  local failure = next_error(state, target)
  if failure then
    state.counts.errors = state.counts.errors + 1
    state.by_error[failure] = (state.by_error[failure] or 0) + 1
    state.dead[target] = state.dead[target] or failure == "UNREGISTERED" or nil
    return error_response(failure, nil, nil, state.options.retry_after)
  end
  if validate_only then
    return { status = 200, type = "application/json", body = '{"name":"projects/p/messages/fake_message_id"}' }
  end
  state.counts.messages = state.counts.messages + 1
  state.delivered[target] = (state.delivered[target] or 0) + 1
  if #state.messages < state.options.keep then
    state.messages[#state.messages + 1] = message
  end
  return {
    status = 200,
    type = "application/json; charset=UTF-8",
    body = ('{"name":"projects/%s/messages/0:%d"}'):format(state.account.project_id, state.counts.messages),
  }
end

--- Responds to a send request.
function fcm.send(state, exchange, project)
  local body = exchange:read_body()
  if not tokens.holds(state, exchange:header("authorization")) then
    state.counts.unauthenticated = state.counts.unauthenticated + 1
    return error_response("UNAUTHENTICATED", "Request had invalid authentication credentials.")
  elseif project ~= state.account.project_id then
    return error_response("SENDER_ID_MISMATCH", "SenderId mismatch")
  elseif exchange:header("content-type") ~= "application/json" then
    return invalid("wrong content type", "header")
  end
  local request = json.decode_object(body or "")
  if not request then
    return invalid("Invalid JSON payload received.", "body")
  end
  for name in pairs(request) do
    if name ~= "message" and name ~= "validate_only" then
      return invalid("Unknown name " .. name, name)
    end
  end
  local message, field = message_form.check(request.message)
  if message then
    state.counts.malformed = state.counts.malformed + 1
    return invalid(message, field)
  end
  return deliver(state, request.message, request.validate_only)
end

return fcm
