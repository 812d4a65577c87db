-- FCM messages beside firebase-admin's encoder, service accounts' assertions beside google-auth, Beams' tokens beside
-- PyJWT, all from PyPI.

local account = require "tools.local_server.account"
local beams = require "pusher.beams"
local cjson = require "cjson"
local peers = require "spec.system.interop.peers"
local world = require "spec.helpers.fcm_world"

local DEVICES = { CAcGBQQDAgE = {
  { device_id = "token-android", platform = "android" },
  { device_id = "token-ios", platform = "ios" },
  { device_id = "fid-web", platform = "web", kind = "fid" },
} }

local CONFIGS = {
  {},
  { time_to_live = 3600, android = { enabled = true, icon = "ic_logo_push", icon_color = "#3949AB", body = "$content",
    click_action = ".MessageActivity", title_loc_key = "new_message", msg = { title = "New message" } } },
  { time_to_live = 0, android = { enabled = true, sub = { body_loc_key = "new_chat", title = "New chat" } } },
}

local PAYLOADS = {
  { content = "h\195\169llo \240\159\142\137" },
  { content = { txt = "bold text", fmt = { { at = 0, len = 4, tp = "ST" } } }, silent = true },
  { what = "sub" },
}

-- Messages of the caller's own.
local OWN = {
  { topic = "news", data = { score = "5" }, notification = { title = "Goal", body = "1:0", image = "https://x.example/a.png" } },
  { condition = "'a' in topics && !('b' in topics)", fcm_options = { analytics_label = "label" },
    android = { priority = "normal", ttl = "60s", collapse_key = "k", restricted_package_name = "com.example",
      data = { a = "b" }, notification = { title = "t", channel_id = "c", body_loc_key = "k", body_loc_args = { "1", "2" } } } },
  { token = "t", apns = { headers = { ["apns-priority"] = "5" }, payload = { custom = "x",
    aps = { alert = { title = "t", body = "b" }, badge = 3, category = "c", ["thread-id"] = "th" } } } },
  { token = "t", webpush = { headers = { Urgency = "high" }, data = { a = "b" },
    notification = { title = "t", body = "b", icon = "https://x.example/i.png", tag = "g" },
    fcm_options = { link = "https://x.example/" } } },
}

local INSTANCE, SECRET = "8a070eaa-033f", "the-secret-key-of-the-instance-0"
local USERS = { "user-001", "ada@example.com", 'h\195\169llo "quoted" \\ / <b> \240\159\142\137' }

-- What the handler sends for each configuration and payload, and for messages of one's own.
local function send_all()
  local messages, assertion = {}, nil
  for _, config in ipairs(CONFIGS) do
    local fcm = world.new()
    local handler = fcm:handler(DEVICES, config, { clock = os.time })
    for _, payload in ipairs(PAYLOADS) do
      handler:push(world.receipt({ CAcGBQQDAgE = { unread = 3 } }, payload))
    end
    for _, message in ipairs(OWN) do
      assert(handler:send(message))
    end
    assert(handler:flush(10))
    handler:stop()
    for _, call in ipairs(fcm.calls) do
      messages[#messages + 1] = call.message
    end
    assertion = fcm.token_calls[1].request.body:match("assertion=([^&]+)")
  end
  return messages, assertion
end

local function make_tokens()
  local service = assert(beams.new { instance_id = INSTANCE, secret_key = SECRET })
  local tokens = {}
  for index, user in ipairs(USERS) do
    tokens[index] = { token = assert(service:generate_token(user)).token, key = SECRET,
      issuer = ("https://%s.pushnotifications.pusher.com"):format(INSTANCE) }
  end
  service:close()
  return tokens
end

describe("What others read:", function()
  local sent, read, now

  setup(function()
    now = os.time()
    local assertion
    sent, assertion = send_all()
    read = peers.read_tokens {
      messages = sent, assertion = assertion, account = account.new(), public_key = account.public_key,
      tokens = make_tokens(),
    }
  end)

  it("firebase-admin encodes the same messages", function()
    assert.equal(#CONFIGS * (#PAYLOADS * 3 + #OWN), #sent)
    for index, message in ipairs(sent) do
      assert.same(read.messages[index], message, cjson.encode(message))
    end
  end)

  it("google-auth verifies the assertion, and signs the same claims", function()
    local ours, googles = read.assertion, read.googles_own
    assert.same(googles.header, ours.header)
    for _, claims in ipairs { ours.claims, googles.claims } do
      assert.equal(3600, claims.exp - claims.iat)
      assert.is_true(math.abs(claims.iat - now) <= 60)
      claims.exp, claims.iat = nil, nil
    end
    assert.same(googles.claims, ours.claims)
  end)

  it("PyJWT verifies the tokens of Beams", function()
    for index, user in ipairs(USERS) do
      local token = read.beams[index]
      assert.same({ alg = "HS256", typ = "JWT" }, token.header)
      assert.equal(user, token.claims.sub)
      assert.is_true(math.abs(token.claims.exp - now - 24 * 3600) <= 60)
    end
  end)
end)
