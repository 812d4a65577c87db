local beams = require "pusher.beams"
local cjson = require "cjson"
local core = require "pusher.core"
local fails = require "spec.helpers.fails"
local fake = require "spec.helpers.fake_transport"
local pusher = require "pusher"

local KEY = core.base64_encode(("m"):rep(32))

local function new(transport, extra)
  local given = {
    app_id = "3", key = "k", secret = "shhh", host = "h", transport = transport or fake.new(),
    encryption_master_key_base64 = KEY,
    clock = function()
      return 1353088179
    end,
  }
  for name, value in pairs(extra or {}) do
    given[name] = value
  end
  return assert(pusher.new(given)), given.transport
end

local function refused(code, value, message, details)
  assert.is_nil(value)
  assert.equal("string", type(message))
  assert.equal(code, details.code)
  return message
end

describe("pusher.client", function()
  it("triggers on one channel and on many", function()
    local client, transport = new()
    assert.same({}, client:trigger("a", "e", { x = 1 }))
    assert.equal("POST", transport.last.method)
    assert.equal("/apps/3/events?", transport.last.target:match("^[^?]*%?"))
    assert.equal('{"name":"e","channels":["a"],"data":"{\\"x\\":1}"}', transport.last.body)
    client:trigger({ "a", "b" }, "e", "x", { socket_id = "1.2" })
    assert.equal('{"name":"e","channels":["a","b"],"data":"x","socket_id":"1.2"}', transport.last.body)
  end)

  it("loads nothing after new: Luanti hides `require` from mods", function()
    local client = new(fake.new(200, "{}"))
    local beams_client = assert(beams.new { instance_id = "i", secret_key = "s", transport = fake.new(200, "{}") })
    local hidden = rawget(_G, "require")
    rawset(_G, "require", nil)
    local ok, message = pcall(function()
      local publisher = assert(client:publisher())
      assert(publisher:trigger("a", "e", "x"))
      assert(publisher:flush() and publisher:close())
      assert(client:trigger_batch { { channel = "a", name = "e" } })
      assert(client:read_form("a=b") and client:build_request("GET", "/channels"))
      client:notify({ "i" }, { fcm = {} })
      client:webhook({}, "{}")
      client:authorize_channel("socket_id=1.2&channel_name=private-encrypted-a")
      beams_client:publish_to_interests({ "i" }, { fcm = {} })
      client:close()
    end)
    rawset(_G, "require", hidden)
    assert.is_true(ok, message)
  end)

  it("refuses a prefix that is not UTF-8", function()
    local result, message, details = new(fake.new(200, "{}")):channels { filter_by_prefix = "\255" }
    assert.is_nil(result)
    assert.truthy(message:find("UTF-8", 1, true))
    assert.equal("invalid", details.code)
  end)

  it("gives the counts that were asked for", function()
    local client = new(fake.new(200, '{"channels":{"presence-a":{"user_count":2}}}'))
    local result = client:trigger("presence-a", "e", "x", { info = { "user_count" } })
    assert.same({ ["presence-a"] = { user_count = 2 } }, result.channels)
  end)

  it("sends batches", function()
    local client, transport = new()
    client:trigger_batch { { channel = "a", name = "e", data = "x" }, { channel = "b", name = "f", data = { 1 } } }
    assert.equal("/apps/3/batch_events?", transport.last.target:match("^[^?]*%?"))
    assert.equal(2, #cjson.decode(transport.last.body).batch)
  end)

  it("sends to a user and ends a user's connections, the id encoded in the path", function()
    local client, transport = new()
    client:send_to_user("auth0|7", "e", "x")
    assert.same({ "#server-to-user-auth0|7" }, cjson.decode(transport.last.body).channels)
    client:terminate_user_connections("a/b c?é")
    assert.equal("/apps/3/users/a%2Fb%20c%3F%C3%A9/terminate_connections", transport.last.target:match("^[^?]*"))
    assert.equal("{}", transport.last.body)
    client:terminate_user_connections("ada@example.com")
    assert.equal("/apps/3/users/ada@example.com/terminate_connections", transport.last.target:match("^[^?]*"))
    refused("invalid", client:send_to_user("", "e", "x"))
    refused("invalid", client:terminate_user_connections("a\nb"))
  end)

  it("sends nothing whose path has a step, in any call", function()
    local client, transport = new()
    for _, step in ipairs { ".", "..", "%2e%2e", "a/..", "..\\a" } do
      local message = refused("invalid", client:terminate_user_connections(step))
      assert.truthy(message:find("cannot be part of a path", 1, true))
    end
    for _, channel in ipairs { ".", "..", "..;a", ".;" } do
      refused("invalid", client:channel(channel))
      refused("invalid", client:channel_users(channel))
    end
    for _, path in ipairs { "/channels/..", "/channels/../x", "/./x", "/%2e%2e/x", "/users/%252e/x" } do
      refused("invalid", client:get(path))
      refused("invalid", client:post(path, "{}"))
      refused("invalid", client:build_request("GET", path))
    end
    assert.equal(0, #transport.requests)
    assert.truthy(client:terminate_user_connections("a.b/c"))
    assert.equal("/apps/3/users/a.b%2Fc/terminate_connections?", transport.last.target:match("^[^?]*%?"))
  end)

  it("fails when the codec closes the client, whatever the call", function()
    for _, call in ipairs {
      function(client) return client:trigger("a", "e", {}) end,
      function(client) return client:trigger_batch { { channel = "a", name = "e", data = {} } } end,
      function(client) return client:send_to_user("u", "e", {}) end,
      function(client) return client:notify({ "a" }, { fcm = {} }) end,
      function(client) return client:post("/x", {}) end,
      function(client) return client:build_request("POST", "/x", nil, {}) end,
      function(client) return client:authorize_channel("socket_id=1.2&channel_name=presence-a", { user_id = "u" }) end,
      function(client) return client:authenticate_user("socket_id=1.2", { id = "u" }) end,
    } do
      local client, transport
      client, transport = new(nil, { json = { decode = cjson.decode, encode = function(value)
        if type(value) == "table" then
          client:close()
        end
        return cjson.encode(value)
      end } })
      refused("closed", call(client))
      assert.equal(0, #transport.requests)
    end
  end)

  it("writes a user id with quotes safely", function()
    local client, transport = new()
    client:send_to_user('a","b', "e", "x")
    assert.same({ '#server-to-user-a","b' }, cjson.decode(transport.last.body).channels)
  end)

  it("asks about channels, a channel, users", function()
    local client, transport = new(fake.new(200, '{"channels":{"presence-a":{"user_count":2}}}'))
    assert.same({ channels = { ["presence-a"] = { user_count = 2 } } },
      client:channels { filter_by_prefix = "presence-", info = "user_count" })
    assert.equal("GET", transport.last.method)
    assert.truthy(transport.last.target:find("filter_by_prefix=presence-&info=user_count", 1, true))
    assert.truthy(client:channels())

    client, transport = new(fake.new(200, '{"occupied":true,"user_count":2}'))
    assert.same({ name = "presence-a", occupied = true, user_count = 2 },
      client:channel("presence-a", { info = { "user_count", "subscription_count" } }))
    assert.equal("/apps/3/channels/presence-a?", transport.last.target:match("^[^?]*%?"))
    assert.truthy(transport.last.target:find("info=user_count%2Csubscription_count", 1, true))

    client, transport = new(fake.new(200, '{"users":[{"id":"13"}]}'))
    assert.same({ users = { { id = "13" } } }, client:channel_users("presence-a"))
    assert.equal("/apps/3/channels/presence-a/users?", transport.last.target:match("^[^?]*%?"))
  end)

  it("gets and posts any other endpoint", function()
    local client, transport = new(fake.new(200, '{"x":1}'))
    assert.same({ x = 1 }, client:get("/channels", { info = { "a", "b" } }))
    assert.same({ x = 1 }, client:post("/other", '{"as":"it is"}'))
    assert.equal('{"as":"it is"}', transport.last.body)
    client:post("/other", { a = 1 })
    assert.equal('{"a":1}', transport.last.body)
    client:post("/other")
    assert.is_nil(transport.last.body)
    refused("invalid", client:get("other"))
    refused("invalid", client:get("/a", { auth_key = "x" }))
    refused("invalid", client:post("/a b"))
    refused("invalid", client:post("/a", { f = print }))
  end)

  it("builds requests for other HTTP clients and reads their responses", function()
    local client, transport = new()
    local request = client:build_request("POST", "/events", nil, { a = 1 })
    assert.equal(0, #transport.requests)
    assert.equal("https", request.scheme)
    assert.equal('{"a":1}', request.body)
    assert.equal("https://" .. request.host .. request.target, request.url)
    assert.equal("application/json", request.header_map["Content-Type"])
    local names = 0
    for _ in pairs(request.header_map) do
      names = names + 1
    end
    for _, pair in ipairs(request.headers) do
      assert.equal(pair[2], request.header_map[pair[1]])
    end
    assert.equal(#request.headers, names)
    request.headers[1][2], request.header_map["Content-Type"] = "changed", "changed"
    local another = client:build_request("POST", "/events", nil, "{}")
    assert.same({ "application/json", "application/json" }, { another.headers[1][2], another.header_map["Content-Type"] })
    local with_port = new(nil, { host = "[::1]", port = 8080, secure = false, path_prefix = "/ws" })
    assert.is_truthy(with_port:build_request("GET", "/channels").url:find("^http://%[::1%]:8080/ws/apps/3/channels%?auth_key="))
    assert.same({ x = 1 }, client:parse_response(200, '{"x":1}'))
    refused("unauthorized", client:parse_response(401, "no", "Date: x\r\n"))
    refused("unauthorized", client:parse_response(401, "timestamp signature"))
    refused("clock", client:parse_response(401, "timestamp"))
    assert.equal(7, select(3, client:parse_response(429, "", "Retry-After: 7\r\n")).retry_after)
    assert.equal(7, select(3, client:parse_response(429, "", { ["retry-after"] = "7" })).retry_after)
    assert.equal(7, select(3, client:parse_response(429, "", function(name) return name == "Retry-After" and "7" end)).retry_after)
    refused("response", client:parse_response(200, "\31\139\8\0", "Content-Encoding: br\r\n"))
    refused("invalid", client:build_request("post", "/events"))
    refused("invalid", client:build_request("GET", "events"))
  end)

  it("sends nothing that is not valid", function()
    local client, transport = new()
    local many, events = {}, {}
    for index = 1, 101 do
      many[index] = "c"
    end
    for index = 1, 11 do
      events[index] = { channel = "c", name = "e", data = "x" }
    end
    refused("invalid", client:trigger("a b", "e", "x"))
    refused("invalid", client:trigger(("a"):rep(201), "e", "x"))
    refused("invalid", client:trigger(many, "e", "x"))
    refused("invalid", client:trigger("a", "", "x"))
    refused("invalid", client:trigger("a", "e", { 1, nil, 3 }))
    refused("invalid", client:trigger("a", "e", print))
    refused("invalid", client:trigger("a", "e", "x", { socket_id = "1.1\n" }))
    refused("invalid", client:trigger("a", "e", "x", { nonsense = 1 }))
    refused("invalid", client:trigger_batch(events))
    refused("too_large", client:trigger("a", "e", ("x"):rep(10241)))
    refused("encryption", client:trigger({ "a", "private-encrypted-b" }, "e", "x"))
    refused("invalid", client:channels { filter = "x" })
    refused("invalid", client:channels { filter_by_prefix = 7 })
    refused("invalid", client:channels { info = "user count" })
    refused("invalid", client:channel("a b"))
    refused("invalid", client:channel_users("a/b"))
    assert.equal(0, #transport.requests)
  end)

  it("raises wrong types at the caller's line", function()
    local client = new()
    for _, call in ipairs {
      function() client:trigger(nil, "e", "x") end,
      function() client:trigger("a", 7, "x") end,
      function() client:trigger("a", "e", "x", "1.1") end,
      function() client:trigger_batch("x") end,
      function() client:send_to_user(7, "e", "x") end,
      function() client:terminate_user_connections() end,
      function() client:channels("x") end,
      function() client:channel({}) end,
      function() client:channel_users() end,
      function() client:get() end,
      function() client:post({}) end,
      function() client:build_request("GET") end,
      function() client:authorize_channel() end,
      function() client:authorize_channel("x", 7) end,
      function() client:authenticate_user("x") end,
      function() client:webhook("x", "y") end,
      function() client:webhook({}) end,
      function() pusher.new() end,
      function() pusher.from_url() end,
      function() pusher.from_env(7) end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find("client_spec.lua:%d+: bad argument #%d to '[%w_]+'"), message)
    end
  end)

  it("returns the transport's failure unchanged", function()
    local failing = { close = function() end }
    function failing.send()
      return require("pusher.base.errors").fail("timeout", "too slow")
    end
    refused("timeout", new(failing):trigger("a", "e", "x"))
  end)

  it("lets a transport return something else than results", function()
    local pending = {}
    local client = new { close = function() end, send = function() return pending end }
    assert.equal(pending, client:trigger("a", "e", "x"))
    assert.equal(pending, client:channels())
  end)

  it("shows no secret in text", function()
    local client = new()
    local text = tostring(client)
    assert.truthy(text:find("pusher.client %(app 3 at h%)"))
    for _, secret in ipairs { "shhh", KEY, ("m"):rep(32) } do
      assert.is_nil(text:find(secret, 1, true))
    end
    local seen = {}
    local function search(value)
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        for key, member in pairs(value) do
          search(key)
          search(member)
        end
      elseif type(value) == "string" then
        assert.is_nil(value:find("shhh", 1, true))
      end
    end
    search(client)
  end)

  it("keeps the caller's options", function()
    local given = { app_id = "3", key = "k", secret = "s", transport = fake.new(), keepalive = { idle = 3 } }
    assert(pusher.new(given))
    assert.equal("s", given.secret)
    assert.same({ idle = 3 }, given.keepalive)
    assert.is_nil(given.timeout)
  end)

  it("ends for good", function()
    local client, transport = new()
    client:close()
    client:close()
    assert.is_nil(transport.closed) -- it is the caller's
    assert.truthy(tostring(client):find("closed"))
    new({ send = function() end }):close() -- a transport without close
    refused("closed", client:trigger("a", "e", "x"))
    refused("closed", client:trigger("private-encrypted-a", "e", "x"))
    refused("closed", client:channels())
    refused("closed", client:build_request("GET", "/channels"))
    refused("closed", client:authorize_channel("socket_id=1.1&channel_name=private-a"))
    refused("closed", client:authenticate_user("socket_id=1.1", { id = "1" }))
    refused("closed", client:webhook({}, ""))
  end)

  it("closes the transport that it made", function()
    for _, name in ipairs { "curl", "async" } do
      local client = assert(pusher.new { app_id = "3", key = "k", secret = "s", transport = name })
      local made, closed = client.transport, false
      local close = made.close
      function made:close()
        closed = true
        return close(self)
      end
      client:close()
      assert.is_true(closed)
    end
  end)

  it("signs the path prefix only when asked to", function()
    local function target(extra)
      local client, transport = new(nil, extra)
      client:get("/channels")
      return transport.last.target
    end
    local bare = target()
    local unsigned = target { path_prefix = "/p" }
    local signed = target { path_prefix = "/p", sign_path_prefix = true }
    assert.equal("/p" .. bare, unsigned)
    assert.equal("/p/apps/3/channels?", signed:match("^[^?]*%?"))
    assert.not_equal(unsigned, signed)
    assert.equal("/apps/3/channels?", bare:match("^[^?]*%?"))
  end)

  it("sends push notifications to an endpoint of their own, without the prefix", function()
    local client, transport = new(fake.new(200, '{"number_of_subscribers":3}'),
      { path_prefix = "/p", push_notification_host = "push:8443" })
    assert.same({ number_of_subscribers = 3 }, client:notify({ "news" }, { fcm = {} }))
    local sent = transport.last
    assert.same({ "https", "push", 8443, "/server_api/v1/apps/3/notifications" },
      { sent.scheme, sent.host, sent.port, sent.target:match("^[^?]*") })
  end)

  -- What is refused before it is sent, by each call that a transport would send.
  local REFUSED = {
    trigger = { "a b", "e", "x" }, trigger_batch = { {} }, send_to_user = { "", "e", "x" },
    terminate_user_connections = { "" }, channels = { { nonsense = 1 } }, channel = { "a b" }, channel_users = { "a b" },
    notify = { {}, { fcm = {} } }, get = { "x" }, post = { "x" },
  }
  local ACCEPTED = {
    trigger = { "a", "e" }, trigger_batch = { { { channel = "a", name = "e" } } }, send_to_user = { "7", "e" },
    terminate_user_connections = { "7" }, channels = {}, channel = { "a" }, channel_users = { "a" },
    notify = { { "a" }, { fcm = {} } }, get = { "/x" }, post = { "/x" },
  }

  describe("over a transport with fail", function()
    local transport, client

    before_each(function()
      transport = fake.new()
      function transport:fail(message, details)
        self.failures = (self.failures or 0) + 1
        return { message = message, details = details }
      end
      client = new(transport)
    end)

    it("returns what that makes of a refused call", function()
      for name, given in pairs(REFUSED) do
        local got = client[name](client, given[1], given[2], given[3])
        assert.equal("invalid", got.details.code, name)
        assert.equal("string", type(got.message))
      end
      assert.equal("invalid", client:get("/x", { auth_key = "x" }).details.code)
      assert.equal("invalid", client:post("/x", { f = print }).details.code)
      assert.equal(12, transport.failures)
      assert.equal(0, #transport.requests)
    end)

    it("does so on a closed client, too", function()
      client:close()
      for name, given in pairs(ACCEPTED) do
        local got = client[name](client, given[1], given[2])
        assert.equal("closed", got.details.code, name)
      end
      assert.equal(10, transport.failures)
      for _, name in ipairs { "build_request", "parse_response", "read_form", "authorize_channel",
        "authenticate_user", "webhook", "publisher" } do
        refused("closed", client[name](client))
      end
      assert.equal(10, transport.failures)
    end)

    it("is not asked by methods that send nothing", function()
      refused("invalid", client:build_request("GET", "x"))
      refused("invalid", client:authorize_channel("x"))
      assert.is_nil(transport.failures)
    end)
  end)

  it("reads a form in each content type, with its codec", function()
    local fields = { socket_id = "1.2", channel_name = "private-a" }
    local client = new()
    assert.same(fields, client:read_form("socket_id=1.2&channel_name=private-a"))
    assert.same(fields, client:read_form('{"socket_id":"1.2","channel_name":"private-a"}', "application/json"))
    assert.same({ a = "1" }, client:read_form('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--',
      "multipart/form-data; boundary=b"))
    refused("invalid", client:read_form("a=b", "application/json"))
    refused("invalid", client:read_form("a=b", "text/plain"))
    assert.is_string(client:authorize_channel(client:read_form('{"socket_id":"1.2","channel_name":"private-a"}', "application/json")))
    local custom = new(nil, { json = { encode = cjson.encode, decode = function() return { socket_id = "9.9" } end } })
    assert.same({ socket_id = "9.9" }, custom:read_form("{}", "application/json"))
  end)

  it("returns a pending from every call over the async transport, done when the call is refused", function()
    local client = assert(pusher.new { app_id = "3", key = "k", secret = "s", transport = "async" })
    local function is_done(code, call, given)
      if not client.transport.fail then
        return refused(code, call(client, given[1], given[2], given[3]))
      end
      local seen
      call(client, given[1], given[2], given[3]):on_done(function(result, _, details)
        seen = result == nil and details.code
      end)
      assert.equal(code, seen)
    end
    for name, given in pairs(REFUSED) do
      is_done("invalid", client[name], given)
    end
    client:close()
    for name, given in pairs(ACCEPTED) do
      is_done("closed", client[name], given)
    end
  end)

  it("sends null where no data is given", function()
    local client, transport = new()
    client:trigger("a", "e")
    assert.equal('{"name":"e","channels":["a"],"data":"null"}', transport.last.body)
    client:send_to_user("7", "e")
    assert.equal("null", cjson.decode(transport.last.body).data)
  end)

  it("says that it is closed, whatever is asked of it", function()
    local client = new()
    client:close()
    for _, name in ipairs { "trigger", "trigger_batch", "send_to_user", "terminate_user_connections", "channels", "channel",
      "channel_users", "notify", "get", "post", "build_request", "parse_response", "read_form", "authorize_channel",
      "authenticate_user", "webhook", "publisher" } do
      fails("the client is closed", { code = "closed" }, client[name](client))
    end
    local codec
    codec = { decode = cjson.decode, encode = function(value)
      if type(value) == "table" then
        codec.client:close()
      end
      return cjson.encode(value)
    end }
    for _, call in ipairs {
      function(one) return one:trigger("a", "e", {}) end,
      function(one) return one:build_request("POST", "/x", nil, {}) end,
      function(one) return one:notify({ "a" }, { fcm = {} }) end,
    } do
      codec.client = new(nil, { json = codec })
      fails("the client is closed", { code = "closed" }, call(codec.client))
    end
  end)
end)
