-- Every call of the client, over libcurl, against the local Channels server.

local cjson = require "cjson"
local encryption = require "pusher.channels.encryption"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local pusher = require "pusher"
local vectors = require "spec.helpers.vectors"

describe("a client and a Channels server", function()
  local server, client

  local function new(extra)
    local given = {
      app_id = server.app_id, key = server.key, secret = server.secret, host = server.host, port = server.port,
      secure = false, encryption_master_key_base64 = server.master_key_base64,
    }
    for name, value in pairs(extra or {}) do
      given[name] = value
    end
    return assert(pusher.new(given))
  end

  local function refused(code, value, message, details)
    assert.is_nil(value)
    assert.equal(code, details.code, message)
    return details, message
  end

  setup(function()
    server = local_server.start {}
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    client = new()
  end)

  after_each(function()
    client:close()
  end)

  it("publish an event, to one channel and to a hundred", function()
    assert(client:trigger("lobby", "greeting", { text = "héllo \"world\"" }))
    local event = server:events()[1]
    assert.equal("lobby", event.channel)
    assert.equal("greeting", event.name)
    assert.same({ text = "héllo \"world\"" }, cjson.decode(event.data))
    local many = {}
    for index = 1, 100 do
      many[index] = "c" .. index
    end
    assert(client:trigger(many, "e", "x", { socket_id = "1.2" }))
    assert.equal(101, #server:events())
    assert.equal("1.2", server:events()[101].socket_id)
  end)

  it("publish batches, mixed with encrypted channels", function()
    assert(client:trigger_batch {
      { channel = "a", name = "e", data = "open" },
      { channel = "private-encrypted-a", name = "e", data = { hidden = true } },
    })
    local events = server:events()
    assert.equal("open", events[1].data)
    local sealer = encryption.new(core.base64_decode(server.master_key_base64))
    assert.equal('{"hidden":true}', sealer:open("private-encrypted-a", cjson.decode(events[2].data)))
  end)

  it("count when asked to", function()
    local result = assert(client:trigger({ "a", "b" }, "e", "x", { info = "subscription_count" }))
    assert.same({ a = { subscription_count = 0 }, b = { subscription_count = 0 } }, result.channels)
    result = assert(client:trigger_batch { { channel = "a", name = "e", data = "x", info = { "subscription_count" } } })
    assert.same({ { subscription_count = 0 } }, result.batch)
  end)

  it("respond to queries", function()
    assert.same({ channels = {} }, assert(client:channels()))
    assert.same({ channels = {} }, assert(client:channels { filter_by_prefix = "presence-a b&=", info = "user_count" }))
    assert.same({ name = "presence-a=@,.;b", occupied = false },
      { name = assert(client:channel("presence-a=@,.;b")).name, occupied = client:channel("presence-a").occupied })
    assert.same({ users = {} }, assert(client:channel_users("presence-a")))
    refused("invalid", client:channels { info = "user_count" })
    refused("invalid", client:channel_users("lobby"))
    refused("not_found", client:get("/nothing"))
  end)

  it("reach users", function()
    assert(client:send_to_user("auth0|7", "e", "x"))
    assert.equal("#server-to-user-auth0|7", server:events()[1].channel)
    assert(client:terminate_user_connections("a/b c"))
    assert(client:terminate_user_connections("!$&'()*+,;=:@")) -- the path is signed as it is sent
  end)

  it("keep one connection for many calls", function()
    for index = 1, 20 do
      assert(client:trigger("lobby", "e", index))
    end
    assert.equal(1, server:inspect().open.http)
  end)

  it("speak TLS with a verified certificate", function()
    local secure = new { secure = true, port = server.tls_port, ca_file = server.ca_file }
    assert(secure:trigger("lobby", "e", "x"))
    secure:close()
    local distrusting = new { secure = true, port = server.tls_port }
    refused("tls", distrusting:trigger("lobby", "e", "x"))
    distrusting:close()
    local careless = new { secure = true, port = server.tls_port, tls_verify = false }
    assert(careless:trigger("lobby", "e", "x"))
    careless:close()
  end)

  it("agree on a path prefix, signed or not", function()
    for _, sign in ipairs { false, true } do
      server:set { path_prefix = "/pusher", sign_path_prefix = sign }
      local behind = new { path_prefix = "/pusher", sign_path_prefix = sign }
      assert(behind:trigger("lobby", "e", "x"))
      behind:close()
      local wrong = new { path_prefix = "/pusher", sign_path_prefix = not sign }
      local details = refused("unauthorized", wrong:trigger("lobby", "e", "x"))
      assert.truthy(details.hint:find("secret"))
      wrong:close()
    end
    server:set { path_prefix = "", sign_path_prefix = false }
  end)

  it("report a wrong clock, with the seconds", function()
    local late = new {
      clock = function()
        return os.time() - 3600
      end,
    }
    local details = refused("clock", late:trigger("lobby", "e", "x"))
    assert.is_true(math.abs(details.skew - 3600) <= 2, tostring(details.skew))
    late:close()
    server:set { clock_offset = -7200 }
    details = refused("clock", client:trigger("lobby", "e", "x"))
    assert.is_true(math.abs(details.skew + 7200) <= 2, tostring(details.skew))
    server:set { clock_offset = 0 }
  end)

  it("agree on the window of timestamps, as the known answers say", function()
    for _, vector in ipairs(vectors.of("timestamp_window")) do
      local offset = vector.inputs.server_time - vector.inputs.auth_timestamp
      server:set { clock_offset = offset, signature_grace = vector.inputs.grace_s }
      local second, result, details, _
      repeat -- until both clocks were read within one second
        second = os.time()
        result, _, details = client:trigger("lobby", "e", "x")
      until os.time() == second
      assert.equal(vector.expected.valid, result ~= nil, tostring(offset))
      assert.equal(not vector.expected.valid and "clock" or nil, details and details.code)
    end
    server:set { clock_offset = 0, signature_grace = 600 }
  end)

  it("report wrong credentials, with a hint, without the signature", function()
    for name, value in pairs { secret = "wrong", key = "unknown", app_id = "other" } do
      local wrong = new { [name] = value }
      local details, message = refused(name == "app_id" and "not_found" or "unauthorized",
        wrong:trigger("lobby", "e", "x"))
      assert.equal("string", type(details.hint))
      assert.is_nil((message .. details.body):find(("%x"):rep(64)))
      wrong:close()
    end
    server:set { enabled = false }
    refused("forbidden", client:trigger("lobby", "e", "x"))
    server:set { enabled = true }
  end)

  it("agree on what is too large", function()
    server:set { max_payload_bytes = 5000 }
    local details = refused("too_large", client:trigger("lobby", "e", ("x"):rep(5001)))
    assert.equal(413, details.status)
    server:set { max_payload_bytes = 10240 }
    assert(client:trigger("lobby", "e", ("x"):rep(10240)))
    assert(client:trigger("private-encrypted-a", "e", ("x"):rep(7619)))
  end)

  it("read the responses of other servers", function()
    local responses = {
      { 202, "{}" }, { 202, "202 ACCEPTED" }, { 200, '{"ok":true}' }, { 200, "[]" }, { 200, '{"batch":{}}' },
      { 200, '{"error":"The app is over quota","code":403}', "forbidden" }, { 401, "Not authorized", "unauthorized" },
      { 413, "Request too large.", "too_large" }, { 422, '{"message":"The data field is required."}', "invalid" },
      { 200, "<html>hello</html>", "response" }, { 302, "", "response" }, { 503, "", "server" },
    }
    for _, case in ipairs(responses) do
      server:answer { path = "/apps/", status = case[1], body = case[2] }
      if case[3] then
        refused(case[3], client:trigger("lobby", "e", "x"))
      else
        assert(client:trigger("lobby", "e", "x"))
      end
    end
    server:answer { path = "/apps/", status = 429, headers = { ["retry-after"] = "7" }, body = "" }
    assert.equal(7, refused("rate_limited", client:trigger("lobby", "e", "x")).retry_after)
    server:answer { path = "/apps/", status = 200, headers = { ["content-encoding"] = "gzip" }, body = "\31\139\8" }
    assert.is_truthy(refused("response", client:trigger("lobby", "e", "x")).hint:find("compression", 1, true))
  end)

  it("carry a built request by another client, byte for byte", function()
    local request = assert(client:build_request("POST", "/events", nil, { name = "e", channels = { "c" }, data = "x" }))
    local transport = assert(require("pusher.transport").resolve { transport = "curl" })
    assert(transport:send(request, function(status, body, headers)
      return client:parse_response(status, body, headers)
    end))
    transport:close()
    assert.equal("c", server:events()[1].channel)
    assert.equal(request.target, server:requests()[1].target)
  end)

  describe("repeat calls as the option retry allows:", function()
    local function retrying(extra)
      extra = extra or {}
      extra.retry = extra.retry or { attempts = 4, base = 0.001, max = 0.01 }
      client:close()
      client = new(extra)
      return client
    end

    -- The requests, and how often the event was published.
    local function seen()
      local inspected = server:inspect()
      return { inspected.requests, inspected.events }
    end

    after_each(function()
      server:set { key_seconds = 0 }
    end)

    it("queries, whatever may pass", function()
      retrying()
      server:misbehave { mode = "cut", times = 1 }
      server:misbehave { mode = "status", status = 500, times = 1 }
      server:misbehave { mode = "status", status = 429, retry_after = 0, times = 1 }
      assert.same({}, assert(client:channels()).channels)
      assert.equal(4, server:inspect().requests)
    end)

    it("publishes with a key, which arrive once", function()
      server:set { key_seconds = 60 }
      retrying { idempotency = true }
      for _, call in ipairs {
        function() return client:trigger("a", "e", "x", { info = "subscription_count" }) end,
        function() return client:trigger_batch { { channel = "a", name = "e", data = "x" } } end,
        function() return client:send_to_user("u", "e", "x") end,
      } do
        server:reset()
        server:misbehave { mode = "cut", times = 2 }
        assert.truthy(call())
        assert.same({ 3, 1 }, seen())
        local requests = server:requests()
        assert.equal(requests[1].body, requests[3].body)
      end
      server:reset()
      server:misbehave { mode = "cut", times = 1 }
      assert.truthy(client:trigger("a", "e", "x", { idempotency_key = "own" }))
      assert.truthy(client:trigger("a", "e", "x", { idempotency_key = "own" }))
      assert.same({ 3, 1 }, seen())
    end)

    it("no publish without a key whose response was lost, over a connection in use, either", function()
      retrying()
      assert(client:channels())
      for _, fault in ipairs { { mode = "lose_answer" }, { mode = "cut" }, { mode = "status", status = 503 } } do
        server:reset()
        fault.times = 1
        server:misbehave(fault)
        local details = refused(fault.mode == "status" and "server" or "network", client:trigger("a", "e", "x"))
        assert.equal(1, details.attempts)
        assert.equal(1, seen()[1])
        assert(client:channels())
      end
      server:reset()
      server:misbehave { mode = "status", status = 503, times = 1 }
      refused("server", client:trigger_batch {
        { channel = "a", name = "e", idempotency_key = "k" }, { channel = "a", name = "e" },
      })
      server:misbehave { mode = "status", status = 503, times = 1 }
      refused("server", client:terminate_user_connections("u"))
      server:misbehave { mode = "status", status = 503, times = 1 }
      refused("server", client:post("/events", { name = "e", channel = "a", data = "x" }))
      assert.same({ 3, 0 }, seen())
    end)

    it("any that the server surely did not carry out", function()
      retrying()
      server:misbehave { mode = "status", status = 429, retry_after = 0, times = 1 }
      server:misbehave { mode = "status", status = 503, retry_after = 0, times = 1 }
      assert(client:trigger("a", "e", "x"))
      assert.same({ 3, 1 }, seen())
      retrying { port = server.refusing_port }
      for _, call in ipairs {
        function() return client:trigger("a", "e", "x") end,
        function() return client:post("/events", "{}") end,
        function() return client:force_reconnect_user("u") end,
      } do
        local details = refused("network", call())
        assert.is_false(details.sent)
        assert.equal(4, details.attempts)
      end
    end)

    it("nothing that cannot pass", function()
      retrying { idempotency = true }
      for _, status in ipairs { 400, 401, 403, 404, 413 } do
        server:reset()
        server:misbehave { mode = "status", status = status }
        local _, _, details = client:trigger("a", "e", "x")
        assert.same({ status, 1, 1 }, { details.status, details.attempts, seen()[1] })
      end
    end)

    it("at most as often as it says, which is once by default", function()
      retrying { retry = { attempts = 2, base = 0.001 } }
      server:misbehave { mode = "status", status = 500 }
      local details = refused("server", client:channels())
      assert.same({ 2, 2 }, { details.attempts, seen()[1] })
      client:close()
      client = new()
      details = refused("server", client:channels())
      assert.same({ nil, 3 }, { details.attempts, seen()[1] })
      local made, message = pusher.new { app_id = "1", key = "k", secret = "s", retry = { attempts = 0 } }
      assert.is_nil(made)
      assert.truthy(message:find('option "retry.attempts" must be a whole number from 1', 1, true))
    end)
  end)

  it("have a user connect again", function()
    assert.same({}, client:force_reconnect_user("a/b"))
    assert.truthy(server:requests()[1].target:find("/users/a%2Fb/force_reconnect?", 1, true))
  end)
end)
