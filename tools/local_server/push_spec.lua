-- The local push server refuses what Google refuses: otherwise the specs that send to it would prove little.

local account = require "tools.local_server.account"
local cjson = require "cjson"
local credentials = require "pusher.push.fcm.credentials"
local curl = require "pusher.transport.curl"
local json = assert(require("pusher.base.json").new())
local message_form = require "tools.local_server.push.message_form"
local push_server = require "tools.local_server.push"
local token = require "pusher.push.fcm.token"

describe("the local push server", function()
  local server, transport

  setup(function()
    server = push_server.start()
    transport = assert(curl.new {})
  end)

  teardown(function()
    transport:close()
    server:stop()
  end)

  local function send(request)
    local result, message = transport:send(request, function(status, body)
      return { status = status, body = body }
    end)
    return assert(result, message)
  end

  local function account_with(changes)
    local config = push_server.config(server)
    config.credentials = account.new(changes)
    return assert(credentials.load(config, function() end, json))
  end

  local function ask(made, now)
    return send(assert(token.request(made, now or os.time(), 5)))
  end

  local function granted()
    return cjson.decode(ask(account_with()).body).access_token
  end

  local function post(body, bearer, path)
    return send {
      method = "POST", scheme = "http", host = server.host, port = server.port,
      target = path or "/v1/projects/proj-1/messages:send", timeout = 5,
      headers = { { "Authorization", "Bearer " .. bearer }, { "Content-Type", "application/json" } },
      body = type(body) == "table" and cjson.encode(body) or body,
    }
  end

  it("grants a token for a valid assertion", function()
    assert.are.equal(200, ask(account_with()).status)
  end)

  it("refuses assertions with another signature, account or time", function()
    local forger = account_with()
    local sign = forger.sign
    function forger.sign(text)
      return sign(text .. " ")
    end
    assert.matches("Signature", ask(forger).body)
    assert.matches("issuer", ask(account_with { client_email = "mallory@example.com" }).body)
    assert.matches("header", ask(account_with { private_key_id = "another" }).body)
    assert.matches("audience", ask(account_with { token_uri = "https://elsewhere.example/token" }).body)
    assert.matches("short%-lived", ask(account_with(), os.time() - 7200).body)
    assert.matches("short%-lived", ask(account_with(), os.time() + 7200).body)
  end)

  it("accepts messages only with a token that it granted and did not revoke", function()
    local bearer = granted()
    local message = { message = { token = "t", data = { a = "b" } } }
    assert.are.equal(200, post(message, bearer).status)
    assert.are.equal(401, post(message, "made-up").status)
    assert.are.equal(403, post(message, bearer, "/v1/projects/another/messages:send").status)
    server:revoke()
    assert.are.equal(401, post(message, bearer).status)
  end)

  it("responds as planned, in order or each time", function()
    local bearer = granted()
    local function send_to(target)
      return post({ message = { token = target } }, bearer).status
    end
    server:plan { token = "once", responses = { "UNAVAILABLE", "sent" } }
    server:plan { token = "always", responses = "UNAVAILABLE" }
    assert.are.same({ 503, 200, 200 }, { send_to("once"), send_to("once"), send_to("once") })
    assert.are.same({ 503, 503, 503 }, { send_to("always"), send_to("always"), send_to("always") })
  end)

  it("refuses messages that FCM refuses", function()
    local bearer = granted()
    local bad = {
      "", "[]", '{"message":5}', '{"message":{}}', '{"message":{"token":"t","topic":"x"}}',
      '{"message":{"token":"t","data":{"n":5}}}', '{"message":{"token":"t","data":{"from":"x"}}}',
      '{"message":{"token":"t","dta":{}}}', '{"mesage":{"token":"t"}}',
      '{"message":{"token":"t","android":{"ttl":3600}}}', '{"message":{"token":"t","android":{"priority":"urgent"}}}',
      '{"message":{"token":"t","android":{"notification":{"color":"red"}}}}',
      '{"message":{"token":"t","apns":{"headers":{"apns-expiration":5}}}}',
      '{"message":{"token":"t","data":{"a":"' .. ("x"):rep(4096) .. '"}}}', '{"message":{"token":"\255"}}',
    }
    for _, body in ipairs(bad) do
      assert.are.equal(400, post(body, bearer).status, body:sub(1, 60))
    end
  end)

  it("names the field that is wrong", function()
    assert.is_nil(message_form.check { token = "t", android = { ttl = "3.5s", priority = "high" } })
    assert.is_string((message_form.check { token = "t", android = { ttl = "9999999s" } }))
    assert.are.equal("message.android.notification.titel",
      select(2, message_form.check { token = "t", android = { notification = { titel = "x" } } }))
  end)
end)
