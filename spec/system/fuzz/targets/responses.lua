-- What services respond: the Channels server, FCM, the token endpoint, Beams; and webhooks.

local beams = require "pusher.beams"
local core = require "pusher.core"
local fcm = require "pusher.push.fcm.response"
local json = require "pusher.base.json"
local mutate = require "spec.system.fuzz.mutate"
local oracle = require "spec.system.fuzz.oracle"
local pusher = require "pusher"
local token = require "pusher.push.fcm.token"

local NOW = 1700000000
local SECRET = "secret"
local STATUSES = { 200, 200, 200, 202, 204, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503, 599, 100, 999 }
local HEADERS = {
  "", "", "Retry-After: 5\r\n", "Retry-After: Sun, 06 Nov 2033 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
  "Content-Encoding: gzip\r\n",
}
local LONG_SECRET = ("k3Y"):rep(20)

local BODIES = {
  "{}", "[]", "null", "1", '"x"', "", '{"error":"x","code":401}', '{"message":"Invalid signature"}',
  "Timestamp expired: Given timestamp (2023-11-14T22:13:20Z) not within 600s of server time (2023-11-14T23:13:20Z)",
  '{"channels":{"a":{"user_count":3},"b":[]},"event_ids":{"a":"b"}}', '{"batch":[{"user_count":1},{}]}',
  '{"users":[{"id":"1"},{"id":2},{"id":9007199254740993}]}', '{"occupied":true,"user_count":42}', '{"number_of_subscribers":3}',
  '{"publishId":"p"}', '{"error":"Bad Request","description":"d"}',
  '{"error":{"code":404,"message":"m","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError",'
    .. '"errorCode":"UNREGISTERED"},{"retryDelay":"30s"},{"fieldViolations":[{"field":"message.token"}]}]}}',
  '{"name":"projects/x/messages/1"}', '{"access_token":"' .. LONG_SECRET .. '","expires_in":3599,"token_type":"Bearer"}',
  '{"error":"invalid_grant","error_description":"Token must be a short-lived token ' .. LONG_SECRET .. '"}',
}

local current -- what the fake transport responds

local transport = { send = function(_, _, parse)
  return parse(current.status, current.body, current.headers)
end }

local function clock()
  return NOW
end

local client = assert(pusher.new {
  app_id = "3", key = "key", secret = SECRET, transport = transport, clock = clock,
  encryption_master_key_base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
})
local push = assert(beams.new {
  instance_id = "i", secret_key = SECRET, webhook_secret = SECRET, transport = transport, clock = clock,
})
local codec = assert(json.new())
local parse_fcm, parse_token = fcm.parser(codec, clock), token.parser(codec, clock)
local sha256, sha1 = core.mac(SECRET), core.mac(SECRET, "sha1")

local CALLS = {
  function() return client:trigger("a", "e", "d") end,
  function() return client:trigger_batch { { channel = "a", name = "e", data = "d" } } end,
  function() return client:channels() end,
  function() return client:channel("a") end,
  function() return client:channel_users("presence-a") end,
  function() return client:notify({ "i" }, { fcm = {} }) end,
  function() return client:get("/channels") end,
  function() return client:send_to_user("u", "e", "d") end,
  function() return client:terminate_user_connections("u") end,
  function() return client:parse_response(current.status, current.body, current.headers) end,
}

local function respond(body)
  current = { status = mutate.pick(STATUSES), body = body, headers = mutate.short(HEADERS) }
end

-- Status 202 may come without JSON, and an object under 200 may be an error.
local function check_success(value)
  assert(not value or (current.status >= 200 and current.status < 300), "a result of status " .. current.status)
  return value
end

local function run_channels(body)
  respond(body)
  for _, call in ipairs(CALLS) do
    local result = check_success(oracle.result(call()))
    for _, user in ipairs(result and call == CALLS[5] and result.users or {}) do
      assert(type(user.id) == "string", "an id that is no string")
    end
  end
end

local function run_fcm(body)
  respond(body)
  local result, message, details = parse_fcm(current.status, current.body, current.headers)
  check_success(oracle.result(result, message, details))
  assert(not result or type(result.name) == "string", "the name")
  assert(result or not details.dead or details.code == "not_found" or details.code == "invalid", "a token counts as dead")
end

-- The server may repeat the assertion.
local function hides_secrets(text)
  for word in text:gmatch("[%w%-_.+/=]+") do
    assert(#word < 40, "a secret in the message: " .. text)
  end
end

local function run_token(body)
  respond(body)
  local result, message, details = parse_token(current.status, current.body, current.headers)
  if check_success(oracle.result(result, message, details)) then
    assert(not result.text:find("[%c%s]") and result.expires_in > 0 and result.expires_in <= 3600, "the token")
  else
    hides_secrets(message:gsub(" %(.*$", ""))
    assert(details.body == nil, "details show the body")
  end
end

local function run_beams(body)
  respond(body)
  local result = check_success(oracle.result(push:publish_to_interests({ "a" }, { fcm = {} })))
  assert(not result or type(result.publish_id) == "string", "publish_id")
  check_success(oracle.result(push:publish_to_users({ "a" }, { fcm = {} })))
  check_success(oracle.result(push:delete_user("x")))
end

local function run_beams_webhook(body)
  local hook = oracle.result_or("invalid", push:webhook({ ["webhook-signature"] = sha1:hex(body) }, body))
  assert(not hook or type(hook.metadata.event_type) == "string", "event_type")
  local wrong = mutate.text { sha1:hex(body) }
  hook = oracle.result(push:webhook({ ["Webhook-Signature"] = wrong }, body))
  assert(not hook or wrong == sha1:hex(body), "a wrong signature")
end

local ENCRYPTED = "private-encrypted-x"
local SEALED = core.seal_event('{"a":1}', ENCRYPTED, "0123456789abcdef0123456789abcdef", ("n"):rep(core.NONCE_BYTES), "", "")

local function check_event(event)
  assert(type(event.name) == "string", "an event without a name")
  if event.name == "client_event" and event.channel == ENCRYPTED then
    assert((event.data == nil) == (type(event.error) == "string"), "data or an error")
    assert(event.data == nil or event.data == '{"a":1}', "forged data")
  end
end

local function run_webhook(body)
  local headers = { ["X-Pusher-Key"] = "key", ["x-pusher-signature"] = sha256:hex(body) }
  local hook = oracle.result_or("invalid", client:webhook(headers, body))
  for _, event in ipairs(hook and hook.events or {}) do
    check_event(event)
  end
  hook = oracle.result(client:webhook(headers, body, { max_age = 300 }))
  assert(not hook or math.abs(NOW - hook.time_ms / 1000) <= 300, "an old webhook")
  headers["x-pusher-signature"] = mutate.text { headers["x-pusher-signature"] }
  hook = oracle.result(client:webhook(headers, body))
  assert(not hook or headers["x-pusher-signature"] == sha256:hex(body), "a wrong signature")
end

return {
  channels = { texts = BODIES, run = run_channels },
  fcm = { texts = BODIES, run = run_fcm },
  token = { texts = BODIES, run = run_token },
  beams = { texts = BODIES, run = run_beams },
  beams_webhook = {
    texts = { '{"metadata":{"event_type":"v1.UserNotificationOpen","created_at":"2020-01-01T00:00:00Z"},"payload":{"a":[1]}}' },
    run = run_beams_webhook,
  },
  webhook = {
    texts = {
      '{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"a"},{"name":"member_added","channel":"presence-a",'
        .. '"user_id":7},{"name":"client_event","channel":"private-a","event":"client-x","data":"{}","socket_id":"1.2"}]}',
      '{"time_ms":1700000000000,"events":[{"name":"client_event","channel":"private-encrypted-x","data":'
        .. SEALED .. '},{"name":"client_event","channel":"private-encrypted-x","data":' .. codec.decode(SEALED) .. "}]}",
      '{"time_ms":"1700000000000","events":{}}', '{"time_ms":1.5e12,"events":[]}',
    },
    run = run_webhook,
  },
}
