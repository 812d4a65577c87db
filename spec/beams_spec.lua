local async = require "pusher.transport.async"
local beams = require "pusher.beams"
local cjson = require "cjson"
local core = require "pusher.core"
local fails = require "spec.helpers.fails"
local fake = require "spec.helpers.fake_transport"
local standard = require "pusher.base.headers"
local vectors = require("spec.helpers.push_vectors").beams

local NOW = 1600000000
local PUBLISH = { fcm = { notification = { title = "Hello", body = "Hello, world" } } }

local function new(changes)
  local options = {
    instance_id = "i-123", secret_key = "k-456", webhook_secret = vectors.webhook_signature.secret,
    transport = fake.new(200, '{"publishId":"pub-123"}'),
    clock = function()
      return NOW
    end,
  }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return beams.new(options)
end

local function headers_of(request)
  local headers = {}
  for _, pair in ipairs(request.headers) do
    headers[pair[1]] = pair[2]
  end
  return headers
end

describe("pusher.beams", function()
  describe("known answers: requests", function()
    local known = vectors.requests
    local to_interests, to_users, delete, delete_odd = known[1], known[2], known[3], known[4]

    it(to_interests.call, function()
      local transport = fake.new(200, '{"publishId":"p"}')
      assert(assert(new { transport = transport }):publish_to_interests({ "hell-o" }, PUBLISH))
      local request = transport.last
      assert.are.equal("POST", request.method)
      -- The Go library posts to an older path, which is not documented.
      assert.are.equal(to_interests.documented_path, request.target)
      assert.are.same(cjson.decode(to_interests.body), cjson.decode(request.body))
      local headers = headers_of(request)
      assert.are.equal(to_interests.headers.Authorization, headers.Authorization)
      assert.are.equal(to_interests.headers["Content-Type"], headers["Content-Type"])
      assert.are.equal(standard.LIBRARY[2], headers["X-Pusher-Library"])
      assert.are.same({ "application/json", "identity", "pusher-http-lua/" .. standard.VERSION },
        { headers.Accept, headers["Accept-Encoding"], headers["User-Agent"] })
      assert.are.equal("https", request.scheme)
      assert.are.equal("i-123.pushnotifications.pusher.com", request.host)
      assert.are.equal(443, request.port)
      assert.are.equal(5, request.timeout)
    end)

    it(to_users.call, function()
      local transport = fake.new(200, '{"publishId":"p"}')
      assert(assert(new { transport = transport }):publish_to_users({ "user-1" }, PUBLISH))
      assert.are.equal(to_users.path, transport.last.target)
      assert.are.same(cjson.decode(to_users.body), cjson.decode(transport.last.body))
    end)

    for _, case in ipairs { delete, delete_odd } do
      it(case.call, function()
        local transport = fake.new(200, "")
        local user = case.call:match("^delete user (.*)$")
        assert.are.same({}, assert(new { transport = transport }):delete_user(user))
        assert.are.equal(case.request_line, transport.last.method .. " " .. transport.last.target)
        assert.is_nil(transport.last.body)
        assert.is_nil(headers_of(transport.last)["Content-Type"])
        assert.are.equal("identity", headers_of(transport.last)["Accept-Encoding"])
      end)
    end
  end)

  it("escapes a user id as one segment of the path", function()
    local transport = fake.new(200, "")
    local client = assert(new { transport = transport })
    for user, escaped in pairs { ["a/b"] = "a%2Fb", ["a?b#c"] = "a%3Fb%23c", ["a+b c"] = "a%2Bb%20c",
      ["юзер"] = "%D1%8E%D0%B7%D0%B5%D1%80", ["a.b~c_d-e"] = "a.b~c_d-e", ["..."] = "..." } do
      assert(client:delete_user(user))
      assert.are.equal("/customer_api/v1/instances/i-123/users/" .. escaped, transport.last.target)
    end
    local sent = #transport.requests
    for _, user in ipairs { ".", "..", "a/../b", "..\\a", "%2e%2e", "%2e" } do
      local _, message, details = client:delete_user(user)
      assert.matches("cannot be part of a path", message)
      assert.are.equal("invalid", details.code)
    end
    assert.are.equal(sent, #transport.requests)
  end)

  it("does not modify the caller's table", function()
    local publish = { fcm = { a = 1 }, webhookUrl = "http://h" }
    local transport = fake.new(200, '{"publishId":"p"}')
    assert(assert(new { transport = transport }):publish_to_interests({ "i" }, publish))
    assert.are.same({ fcm = { a = 1 }, webhookUrl = "http://h" }, publish)
    assert.are.same({ fcm = { a = 1 }, webhookUrl = "http://h", interests = { "i" } }, cjson.decode(transport.last.body))
  end)

  it("refuses members that no publish request has, the audience too", function()
    local transport = fake.new(200, '{"publishId":"p"}')
    for _, name in ipairs { "interests", "users", "fmc" } do
      local result, message, details = assert(new { transport = transport }):publish_to_users({ "u" },
        { fcm = {}, [name] = { "x" } })
      assert.is_nil(result)
      assert.are.equal(('unknown member of a publish request "%s"'):format(name), message)
      assert.are.same({ "invalid", name }, { details.code, details.field })
    end
    assert.are.equal(0, #transport.requests)
  end)

  describe("refuses", function()
    local function refused(code, result, message, details)
      assert.is_nil(result)
      assert.is_string(message)
      assert.are.equal(code, details.code)
      return message
    end

    it("audiences beyond the limits, before anything is sent", function()
      local transport = fake.new()
      local client = assert(new { transport = transport })
      refused("invalid", client:publish_to_interests({}, PUBLISH))
      refused("invalid", client:publish_to_interests({ "a b" }, PUBLISH))
      refused("invalid", client:publish_to_users({}, PUBLISH))
      refused("invalid", client:publish_to_users({ ("é"):rep(83) }, PUBLISH))
      refused("invalid", client:delete_user(""))
      refused("invalid", client:delete_user("\192"))
      assert.are.equal(0, #transport.requests)
    end)

    it("what its codec encodes while it closes the client", function()
      local client
      local transport = fake.new()
      client = assert(new { transport = transport, json = { decode = cjson.decode, encode = function(value)
        if type(value) == "table" then
          client:close()
        end
        return cjson.encode(value)
      end } })
      refused("closed", client:publish_to_interests({ "a" }, PUBLISH))
      assert.are.equal(0, #transport.requests)
    end)

    it("a request without a payload, or with a value that JSON does not have", function()
      local client = assert(new())
      refused("invalid", client:publish_to_interests({ "a" }, {}))
      refused("invalid", client:publish_to_users({ "a" }, { web = print }))
    end)

    it("bodies over 10 KiB to interests and 200 KiB to users", function()
      local client = assert(new())
      local function sized(bytes)
        return { web = { data = ("x"):rep(bytes) } }
      end
      assert(client:publish_to_interests({ "a" }, sized(10000)))
      refused("too_large", client:publish_to_interests({ "a" }, sized(10240)))
      assert(client:publish_to_users({ "a" }, sized(200000)))
      refused("too_large", client:publish_to_users({ "a" }, sized(204800)))
    end)

    it("options that are missing or wrong", function()
      assert.are.equal('option "instance_id" is missing', refused("config", new { instance_id = "" }))
      assert.are.equal('option "secret_key" is missing', refused("config", new { secret_key = "" }))
      assert.are.equal('option "instance_id" is missing', refused("config", beams.new {}))
      refused("config", new { instance_id = "evil.example/" })
      refused("config", new { secret_key = "a\r\nX: y" })
      refused("config", new { webhook_secret = "" })
      for _, name in ipairs { "secret_key", "webhook_secret" } do
        for _, value in ipairs { "hunter2\n", " hunter2", "hunter2\r\n", "hunt\0er2" } do
          assert.are.equal(('option "%s" must not contain spaces or control characters'):format(name),
            refused("config", new { [name] = value }))
        end
      end
      refused("config", new { base_url = "https://h/../x" })
      refused("config", new { base_url = "nowhere" })
      refused("config", new { timeout = 0 })
      refused("config", new { timeout = 0 / 0 })
      refused("config", new { transport = "pigeon" })
      refused("config", new { json = {} })
      assert.matches('did you mean "secret_key"', refused("config", new { secretkey = "x" }))
    end)

    it("arguments of a wrong type, by raising", function()
      local client = assert(new())
      assert.has_error(function()
        client:publish_to_interests("a", PUBLISH)
      end, "bad argument #1 to 'publish_to_interests' (table expected, got string)")
      assert.has_error(function()
        client:publish_to_users({ "a" })
      end, "bad argument #2 to 'publish_to_users' (table expected, got no value)")
      for _, call in ipairs { "generate_token", "delete_user" } do
        assert.has_error(function()
          client[call](client, 5)
        end, ("bad argument #1 to '%s' (string expected, got number)"):format(call))
      end
      assert.has_error(function()
        client:webhook({})
      end, "bad argument #2 to 'webhook' (string expected, got no value)")
      assert.has_error(function()
        beams.new()
      end, "bad argument #1 to 'new' (table expected, got no value)")
    end)
  end)

  describe("known answers: responses", function()
    local function publish(case)
      local transport = fake.new(case.status, case.body, "Content-Type: " .. (case.content_type or "text/plain") .. "\r\n")
      return assert(new { transport = transport }):publish_to_interests({ "a" }, PUBLISH)
    end

    for _, case in ipairs(vectors.responses_go) do
      it(("Go's: %d %s"):format(case.status, case.body), function()
        local result, message, details = publish(case)
        if case.publish_id then
          assert.are.same({ publish_id = case.publish_id }, result)
          return
        end
        assert.is_nil(result)
        assert.are.equal(case.status, details.status)
        if case.error then
          local text = case.error:match("^Failed to publish notification: (.*)$")
          assert.matches(text, message, 1, true)
        end
      end)
    end

    local codes = { [401] = "unauthorized", [404] = "not_found", [422] = "invalid", [400] = "invalid" }
    for _, case in ipairs(vectors.responses_recorded.cases) do
      it(("recorded: %s %d %s"):format(case.call or "publish", case.status, case.body:gsub("%c", "")), function()
        local result, message, details
        if case.call then
          local transport = fake.new(case.status, case.body)
          result, message, details = assert(new { transport = transport }):delete_user("u")
        else
          result, message, details = publish(case)
        end
        if case.status == 200 then
          assert.are.same(case.call and {} or { publish_id = case.body:match('"publishId":"([^"]+)"') }, result)
          return
        end
        assert.is_nil(result)
        assert.are.equal(codes[case.status], details.code)
        assert.is_nil(details.hint)
        local ok, decoded = pcall(cjson.decode, case.body)
        assert.matches(ok and decoded.error .. ": " .. decoded.description or "404 page not found", message, 1, true)
      end)
    end
  end)

  it("has a code for every other response", function()
    for status, code in pairs { [402] = "forbidden", [413] = "too_large", [429] = "rate_limited", [500] = "server",
      [503] = "server", [302] = "response" } do
      local client = assert(new { transport = fake.new(status, "oops", "Retry-After: 7\r\n") })
      local result, message, details = client:publish_to_users({ "a" }, PUBLISH)
      assert.is_nil(result)
      assert.are.equal(code, details.code)
      assert.are.equal(status, details.status)
      assert.are.equal("oops", details.body)
      assert.is_nil(details.hint)
      assert.are.equal(7, details.retry_after)
      assert.are.equal(("the server responded with status %d: %s"):format(status,
        status == 302 and "redirects are not followed" or "oops"), message)
    end
    local encoded = fake.new(200, "\31\139\8\0", "Content-Encoding: gzip\r\n")
    assert.are.equal("response", select(3, assert(new { transport = encoded }):publish_to_users({ "a" }, PUBLISH)).code)
    for _, body in ipairs { "", "oops", "null", "5" } do
      local result, _, details = assert(new { transport = fake.new(200, body) }):publish_to_users({ "a" }, PUBLISH)
      assert.is_nil(result)
      assert.are.equal("response", details.code)
    end
  end)

  describe("generate_token", function()
    for _, case in ipairs(vectors.tokens) do
      it("known answer for " .. case.user_id .. " of " .. (case.sdk or "Go"), function()
        local client = assert(new { instance_id = case.instance_id, secret_key = case.secret, clock = function()
          return case.now + 0.5
        end })
        local token = assert(client:generate_token(case.user_id)).token
        local expected = cjson.decode(case.claims_json)
        expected.iat = nil -- Node's addition
        local claims = cjson.decode(core.base64url_decode(token:match("%.(.-)%.")))
        assert.are.same(expected, claims)
        if not case.sdk then
          assert.are.equal(case.token, token)
        end
      end)
    end

    it("is signed with the secret key", function()
      local token = assert(assert(new()):generate_token('a"\\/\1ü')).token
      local input, signature = token:match("^(.*)%.(.-)$")
      assert.are.equal(core.base64url_encode(core.mac("k-456"):raw(input)), signature)
      assert.are.equal('a"\\/\1ü', cjson.decode(core.base64url_decode(input:match("%.(.*)"))).sub)
    end)

    it("refuses ids that the service refuses, invalid UTF-8 too, which Go lets pass", function()
      local client = assert(new())
      for _, user in ipairs { "", ("a"):rep(165), "\192" } do
        local token, message, details = client:generate_token(user)
        assert.is_nil(token)
        assert.is_string(message)
        assert.are.equal("invalid", details.code)
      end
      assert(client:generate_token(("a"):rep(164)))
    end)
  end)

  describe("webhook", function()
    local known = vectors.webhook_signature

    it("known answer", function()
      local hook = assert(assert(new()):webhook({ [known.header] = known.value }, known.body))
      assert.are.equal("v1.UserNotificationOpen", hook.metadata.event_type)
      assert.are.equal("user-001", hook.payload.user_id)
    end)

    it("finds the header in any case, or by a function", function()
      local client = assert(new())
      assert(client:webhook({ ["webhook-signature"] = known.value }, known.body))
      assert(client:webhook({ ["WEBHOOK-SIGNATURE"] = known.value }, known.body))
      assert(client:webhook(function(name)
        return name == known.header and known.value or nil
      end, known.body))
    end)

    it("refuses a signature that is missing, wrong, or given twice", function()
      local client = assert(new())
      for _, value in ipairs { "", ("0"):rep(40), known.value .. "0", "x", { known.value, known.value },
        core.mac(known.secret):hex(known.body) } do
        local hook, message, details = client:webhook({ [known.header] = value }, known.body)
        assert.is_nil(hook)
        assert.is_nil(message:find(known.value, 1, true))
        assert.are.equal("unauthorized", details.code)
      end
      assert.are.equal("unauthorized", select(3, client:webhook({}, known.body)).code)
      assert.are.equal("unauthorized", select(3, client:webhook({ [known.header] = known.value }, known.body .. " ")).code)
    end)

    it("refuses a body that is not an event, though signed", function()
      local client = assert(new())
      local mac = core.mac(known.secret, "sha1")
      for _, body in ipairs { "", "null", "[]", "{}", '{"metadata":{}}', '{"metadata":{"event_type":5}}', "oops" } do
        local hook, message, details = client:webhook({ [known.header] = mac:hex(body) }, body)
        assert.is_nil(hook)
        assert.is_string(message)
        assert.are.equal("invalid", details.code)
      end
    end)

    it("needs its secret", function()
      local client = assert(beams.new { instance_id = "i", secret_key = "k", transport = fake.new() })
      assert.are.equal("config", select(3, client:webhook({}, "{}")).code)
    end)
  end)

  describe("close", function()
    it("by a finalizer in the middle of a call makes the call fail", function()
      local client = assert(new())
      client.token_mac:close()
      client.webhook_mac:close()
      fails("the Beams client is closed", { code = "closed" }, client:generate_token("u"))
      fails("the Beams client is closed", { code = "closed" }, client:webhook({ ["Webhook-Signature"] = "0" }, ""))
    end)

    it("ends everything, and may be called again", function()
      local client = assert(new())
      client:close()
      client:close()
      for _, result in ipairs {
        { client:publish_to_interests({ "a" }, PUBLISH) }, { client:publish_to_users({ "a" }, PUBLISH) },
        { client:generate_token("u") }, { client:delete_user("u") }, { client:webhook({}, "") },
      } do
        assert.is_nil(result[1])
        assert.are.equal("closed", result[3].code)
      end
    end)

    it("closes the transport that it made, and no other", function()
      local given = fake.new()
      local client = assert(new { transport = given })
      client:close()
      assert.is_nil(given.closed)
      client = assert(beams.new { instance_id = "i", secret_key = "k", transport = "curl", base_url = "http://127.0.0.1:1" })
      local own = client.transport
      client:close()
      assert.are.equal("closed", select(3, own:send({}, print)).code)
    end)
  end)

  describe("over a transport that does not block", function()
    local function assert_pending(code, call)
      local reported
      call:on_done(function(result, message, details)
        assert.is_nil(result)
        assert.is_string(message)
        reported = details.code
      end)
      assert.are.equal(code, reported)
    end

    it("returns a done pending from a call that is refused, as the client does", function()
      local transport = assert(async.new())
      local client = assert(new { transport = transport })
      assert_pending("invalid", client:publish_to_interests({}, PUBLISH))
      assert_pending("invalid", client:publish_to_users({ "a" }, {}))
      assert_pending("invalid", client:delete_user(""))
      assert_pending("invalid", client:delete_user(".."))
      client:close()
      assert_pending("closed", client:publish_to_interests({ "a" }, PUBLISH))
      assert_pending("closed", client:publish_to_users({ "a" }, PUBLISH))
      assert_pending("closed", client:delete_user("u"))
      assert.are.equal(0, transport:step())
      transport:close()
    end)

    it("returns the failure itself where nothing would be sent", function()
      local transport = assert(async.new())
      local client = assert(new { transport = transport })
      assert.are.equal("invalid", select(3, client:generate_token("")).code)
      assert.are.equal("unauthorized", select(3, client:webhook({}, "")).code)
      client:close()
      assert.are.equal("closed", select(3, client:generate_token("u")).code)
      assert.are.equal("closed", select(3, client:webhook({}, "")).code)
      transport:close()
    end)

    it("returns a done pending from a closed client whose own transport is closed, too", function()
      local client = assert(beams.new { instance_id = "i", secret_key = "k", transport = "async" })
      client:close()
      assert_pending("closed", client:delete_user("u"))
    end)
  end)

  it("shows no secret", function()
    local secret = "the-secret-key"
    local client = assert(new { secret_key = secret, transport = fake.new(401, "no: " .. secret:rep(1)) })
    assert.are.equal("pusher.beams (instance i-123)", tostring(client))
    local _, message = new { secret_key = secret .. "\n" }
    assert.is_nil(message:find(secret, 1, true))
    client:close()
    assert.are.equal("pusher.beams (instance i-123, closed)", tostring(client))
  end)

  it("shows 2 KiB of a body that it cannot use", function()
    local client = assert(new { transport = fake.new(500, ("x"):rep(3000)) })
    assert.equal(2048, #select(3, client:publish_to_interests({ "a" }, PUBLISH)).body)
  end)

  it("says what is wrong, and which option or argument it is", function()
    local function option(name)
      return { code = "config", field = name }
    end
    fails('option "instance_id" is missing', option("instance_id"), new { instance_id = "" })
    fails('option "instance_id" is part of a host name and may have only letters, digits and "-"', option("instance_id"),
      new { instance_id = "a.b" })
    fails('option "base_url" must be a URL of the form http[s]://HOST[:PORT][/PATH]', option("base_url"),
      new { base_url = "x" })
    local client = assert(new { transport = fake.new(200, "[") })
    fails("a publish request must have at least one of apns, fcm and web", { code = "invalid", field = "publish" },
      client:publish_to_interests({ "a" }, {}))
    fails("the option clock must return Unix seconds", { code = "config", field = "clock" },
      assert(new { clock = print }):generate_token("a"))
    for _, name in ipairs { "apns", "fcm", "web" } do
      for _, wrong in ipairs { "x", 5, true, { 1, 2 } } do
        fails(name .. " must be a table with named fields", { code = "invalid", field = name },
          client:publish_to_users({ "a" }, { [name] = wrong }))
      end
    end
    for _, wrong in ipairs { 5, {}, "", "a b", "a\n" } do
      fails("webhookUrl must be a URL as a string, without spaces", { code = "invalid", field = "webhookUrl" },
        client:publish_to_users({ "a" }, { web = {}, webhookUrl = wrong }))
    end
    fails("the request's body must have at most 10240 bytes, got 10241", { code = "too_large", limit = 10240 },
      client:publish_to_interests({ "a" }, { web = { x = ("x"):rep(10207) } }))
    assert.equal(0, #client.transport.requests)
    fails("the server's response is not a JSON object", { code = "response", status = 200 },
      client:publish_to_interests({ "a" }, { web = { x = ("x"):rep(10206) } }))
    fails('user id ".." cannot be part of a path: "." and ".." are steps there', { code = "invalid", field = "user_id" },
      client:delete_user(".."))
    fails("the webhook's signature is not valid", { code = "unauthorized" },
      client:webhook({ ["Webhook-Signature"] = "00" }, "{}"))
    local signature = core.mac(vectors.webhook_signature.secret, "sha1"):hex("{}")
    fails("the webhook's body must be an object with metadata.event_type", { code = "invalid" },
      client:webhook({ ["webhook-signature"] = signature }, "{}"))
    client:close()
    fails("the Beams client is closed", { code = "closed" }, client:generate_token("a"))
    fails("the Beams client is closed", { code = "closed" }, client:delete_user("a"))
    client = beams.new { instance_id = "i", secret_key = "s", transport = fake.new() }
    fails('option "webhook_secret" is missing', option("webhook_secret"), client:webhook({}, ""))
  end)
end)
