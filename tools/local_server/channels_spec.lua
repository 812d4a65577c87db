-- The local Channels server responds to servers and subscribers as pusher.com does. The official clients of npm test
-- it, too: spec/system/interop.

local cjson = require "cjson"
local curl = require "pusher.transport.curl"
local local_server = require "tools.local_server"
local pusher = require "pusher"
local websocket_subscriber = require "tools.local_server.subscriber"

describe("The local Channels server", function()
  local server, client, http
  local opened = {}

  local function new_client(options)
    local settings = {
      app_id = server.app_id,
      key = server.key,
      secret = server.secret,
      host = server.host,
      port = server.port,
      secure = false,
      max_payload_kb = 100,
      encryption_master_key_base64 = server.master_key_base64,
    }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    return assert(pusher.new(settings))
  end

  local function connect(options)
    local settings = { port = server.port }
    for name, value in pairs(options or {}) do
      settings[name] = value
    end
    local subscriber = websocket_subscriber.start(settings)
    opened[#opened + 1] = subscriber
    return subscriber
  end

  local function subscribe(subscriber, channel, member)
    local request = {}
    if member or channel:find("^private") then
      local params = { socket_id = subscriber.socket_id, channel_name = channel }
      request = cjson.decode((assert(client:authorize_channel(params, member))))
    end
    request.channel = channel
    return subscriber:subscribe(request)
  end

  -- Subscribes and returns the decoded data of the success.
  local function join(...)
    local reply = subscribe(...)
    assert.equal("pusher_internal:subscription_succeeded", reply.event)
    return cjson.decode(reply.data)
  end

  local function sign_in(subscriber, user)
    local request = assert(client:authenticate_user({ socket_id = subscriber.socket_id }, user))
    return subscriber:sign_in(cjson.decode(request))
  end

  -- A signed request that a careful client would not make; change(request) may break it.
  local function send(method, path, params, body, change)
    local request = assert(client:build_request(method, path, params, body))
    if change then
      change(request)
    end
    return http:send(request, function(status, text)
      return { status = status, body = text }
    end)
  end

  local function post(path, body)
    return send("POST", path, nil, body)
  end

  local function kinds_of_webhooks(count)
    server:wait { webhooks = count }
    local kinds = {}
    for index, hook in ipairs(server:webhooks()) do
      local headers = { ["X-Pusher-Key"] = hook.key, ["X-Pusher-Signature"] = hook.signature }
      kinds[index] = assert(client:webhook(headers, hook.body)).events[1].name
    end
    return kinds
  end

  setup(function()
    server = local_server.start()
    http = curl.new {}
    client = new_client()
  end)

  teardown(function()
    client:close()
    http:close()
    server:stop()
  end)

  after_each(function()
    for _, subscriber in ipairs(opened) do
      subscriber:stop()
    end
    opened = {}
    server:set { clock_offset = 0, enabled = true, announce_counts = false, client_events_per_second = 0, path_prefix = "" }
    server:reset()
  end)

  describe("checks a request:", function()
    local function refusal(status, text, change)
      local response = send("POST", "/events", nil, '{"name":"e","channel":"c","data":"d"}', change)
      assert.equal(status, response.status, response.body)
      assert.is_truthy(response.body:find(text, 1, true), response.body)
      assert.equal(0, server:inspect().events)
    end

    local function change_target(pattern, replacement)
      return function(request)
        local changed, count = request.target:gsub(pattern, replacement)
        assert(count == 1, request.target)
        request.target = changed
      end
    end

    it("parameters", function()
      for _, name in ipairs { "auth_key", "auth_timestamp", "auth_version", "auth_signature" } do
        refusal(401, "Missing parameter: " .. name, change_target(name .. "=", "x" .. name .. "="))
      end
      refusal(401, "Version not supported", change_target("auth_version=1.0", "auth_version=2.0"))
    end)

    it("key and app", function()
      refusal(401, "Unknown auth_key: other", change_target("auth_key=app%-key", "auth_key=other"))
      refusal(404, "Did you forget to specify the cluster?", change_target("/apps/[^/]+", "/apps/99"))
    end)

    it("time, naming both clocks", function()
      server:set { clock_offset = 600 }
      refusal(401, "not within 600s of server time (")
      server:set { clock_offset = -600 }
      refusal(401, "Timestamp expired: Given timestamp (")
      server:set { clock_offset = 590 }
      assert.equal(200, post("/events", '{"name":"e","channel":"c","data":"d"}').status)
    end)

    it("body", function()
      refusal(401, "Invalid body_md5", function(request)
        request.body = request.body:gsub('"d"', '"D"')
      end)
      refusal(401, "Missing parameter: body_md5", change_target("body_md5=", "xody_md5="))
    end)

    it("signature, showing what had to be signed", function()
      refusal(401, 'HmacSHA256Hex("POST\\n/apps/app-id/events\\nauth_key=app-key&', change_target("auth_signature=", "auth_signature=0"))
    end)

    it("whether the app is enabled", function()
      server:set { enabled = false }
      refusal(403, "Application disabled")
    end)

    it("path and method", function()
      assert.equal(404, send("GET", "/nothing").status)
      assert.equal(405, send("GET", "/events").status)
    end)

    it("below a path prefix, signed or not", function()
      server:set { path_prefix = "/pusher" }
      local prefixed = new_client { path_prefix = "/pusher" }
      assert.is_table((prefixed:trigger("a", "b", "c")))
      server:set { sign_path_prefix = true }
      assert.is_nil((prefixed:trigger("a", "b", "c")))
      local signed = new_client { path_prefix = "/pusher", sign_path_prefix = true }
      assert.is_table((signed:trigger("a", "b", "c")))
      assert.is_nil((client:trigger("a", "b", "c")))
      server:set { sign_path_prefix = false }
    end)
  end)

  describe("checks an event:", function()
    for body, expected in pairs {
      ['{"name":"e","channels":["a"],"data":"d"'] = "400 Invalid JSON",
      ['["a"]'] = "400 Invalid JSON",
      ['{"channels":["a"],"data":"d"}'] = "400 Missing parameter: name",
      ['{"name":"e","channels":["a"]}'] = "400 Missing parameter: data",
      ['{"name":"e","channels":["a"],"data":{}}'] = "400 Missing parameter: data",
      ['{"name":"e","data":"d"}'] = "400 Missing parameter: channels",
      ['{"name":"e","channels":[],"data":"d"}'] = "400 Missing parameter: channels",
      ['{"name":"e","channels":["a b"],"data":"d"}'] = "400 Invalid channel name: a b",
      ['{"name":"e","channels":[1],"data":"d"}'] = "400 Invalid channel name: 1",
      ['{"name":"e","channel":"a","data":"d","socket_id":"1.1x"}'] = "400 Invalid socket id",
      ['{"name":"e","channel":"a","data":"d","info":"weather"}'] = "400 Unknown info attribute: weather",
      ['{"name":"' .. ("e"):rep(201) .. '","channel":"a","data":"d"}'] = "400 Event name too long",
      ['{"name":"e","channel":"' .. ("c"):rep(201) .. '","data":"d"}'] = "400 Invalid channel name",
      ['{"name":"e","channel":"a","data":"' .. ("d"):rep(10241) .. '"}'] = "413 The data content of this event exceeds",
      ['{"name":"e","channels":["a"' .. (',"a"'):rep(100) .. '],"data":"d"}'] = "400 Cannot trigger to more than 100",
      ['{"name":"e","channel":"a","data":"d"'] = "400 Invalid JSON",
    } do
      it(expected .. " for " .. body:sub(1, 50), function()
        local response = post("/events", body)
        assert.equal(expected, (response.status .. " " .. response.body):sub(1, #expected))
        assert.equal(0, server:inspect().events)
      end)
    end

    it("a batch, as a whole", function()
      local event = '{"name":"e","channel":"a","data":"d"}'
      local eleven = post("/batch_events", '{"batch":[' .. event .. ("," .. event):rep(10) .. "]}")
      assert.equal("400 Batch too large", (eleven.status .. " " .. eleven.body):sub(1, 19))
      assert.equal(400, post("/batch_events", '{"batch":[]}').status)
      assert.equal(400, post("/batch_events", '{"batch":[' .. event .. ',{"name":"e"}]}').status)
      assert.equal(0, server:inspect().events)
      assert.equal(200, post("/batch_events", '{"batch":[' .. event .. "]}").status)
      assert.equal(1, server:inspect().batches)
    end)

    it("the size of the body", function()
      assert.equal(413, post("/events", ("x"):rep(1024 * 1024 + 1)).status)
    end)
  end)

  it("accepts a native push notification", function()
    local function notify(body)
      return send("POST", "/notifications", nil, body, function(request)
        request.target = request.target:gsub("^/apps", "/server_api/v1/apps")
      end)
    end
    -- Signed for another path.
    assert.equal(401, notify('{"interests":["a"],"fcm":{}}').status)
    assert.equal(400, post("/notifications", '{"interests":[],"fcm":{}}').status)
    assert.equal(400, post("/notifications", '{"interests":["a"]}').status)
    local response = post("/notifications", '{"interests":["a","b"],"fcm":{}}')
    assert.equal(202, response.status)
    assert.equal('{"number_of_subscribers":2}', response.body)
    assert.same({ '{"interests":["a","b"],"fcm":{}}' }, server:notifications())
  end)

  it("records events in order, and which of them got no response", function()
    client:trigger({ "a", "b" }, "first", "1")
    server:misbehave { mode = "lose_answer", times = 2 } -- the second for a client that retries
    client:trigger("c", "second", "2")
    server:behave()
    client:trigger("c", "third", "3", { socket_id = "1.2" })
    local events = server:events()
    local names = {}
    for index, event in ipairs(events) do
      names[index] = event.channel .. ":" .. event.name .. (event.lost and " lost" or "")
    end
    assert.equal("a:first b:first c:second lost", table.concat(names, " ", 1, 3))
    assert.equal("c:third", names[#names])
    assert.equal("1.2", events[#events].socket_id)
    assert.same({ events[2] }, server:events { from = 2, limit = 1 })
  end)

  describe("serves subscribers:", function()
    it("greets with a socket id and the time after which to ping", function()
      local one, two = connect(), connect()
      assert.is_truthy(one.socket_id:find("^%d+%.%d+$"))
      assert.not_equal(one.socket_id, two.socket_id)
      assert.equal(120, one.activity_timeout)
      one:send { event = "pusher:ping" }
      assert.equal("{}", one:next_event({ event = "pusher:pong" }).data)
    end)

    it("refuses a wrong key or protocol, and closes with the code", function()
      for code, options in pairs { [4001] = { key = "no" }, [4007] = { protocol = 3 }, [4006] = { protocol = "x" } } do
        local subscriber = connect(options)
        assert.equal(code, subscriber.refused.code)
        assert.equal(code, subscriber:ended().code)
      end
    end)

    it("private channels open with a signature only", function()
      local subscriber = connect()
      assert.equal("pusher:error", subscriber:subscribe({ channel = "private-a" }).event)
      local auth = server.key .. ":" .. ("0"):rep(64)
      assert.equal("pusher:error", subscriber:subscribe({ channel = "private-a", auth = auth }).event)
      assert.equal(0, server:inspect().occupied)
      join(subscriber, "private-a")
      client:trigger("private-a", "hello", "x")
      assert.equal("x", subscriber:next_event({ event = "hello" }).data)
    end)

    it("a signature for one channel or socket opens no other", function()
      local one, two = connect(), connect()
      local text = assert(client:authorize_channel { socket_id = one.socket_id, channel_name = "private-a" })
      local auth = cjson.decode(text).auth
      assert.equal("pusher:error", one:subscribe({ channel = "private-b", auth = auth }).event)
      assert.equal("pusher:error", two:subscribe({ channel = "private-a", auth = auth }).event)
    end)

    it("invalid names and a second subscription are errors", function()
      local subscriber = connect()
      assert.equal("pusher:error", subscriber:subscribe({ channel = "a b" }).event)
      join(subscriber, "a")
      assert.equal("pusher:error", subscriber:subscribe({ channel = "a" }).event)
      subscriber:send_text { text = "{" }
      assert.is_truthy(subscriber:next_event { event = "pusher:error" })
    end)

    it("forwards events byte for byte, also over TLS", function()
      local subscriber = connect { port = server.tls_port, host = "localhost", ca_file = server.ca_file }
      join(subscriber, "a")
      local data = '{"n":12345678901234567890, "e": [], "s": "\226\130\172"}'
      client:trigger("a", "raw", data)
      assert.equal(data, subscriber:next_event({ event = "raw" }).data)
    end)

    it("leaves out the socket named, and whoever has unsubscribed", function()
      local one, two = connect(), connect()
      join(one, "a")
      join(two, "a")
      client:trigger("a", "first", "1", { socket_id = one.socket_id })
      assert.is_truthy(two:next_event { event = "first" })
      two:unsubscribe { channel = "a" }
      server:wait { requests = 1 }
      two:send { event = "pusher:ping" }
      two:next_event { event = "pusher:pong" } -- by now it is unsubscribed
      client:trigger("a", "second", "2")
      assert.is_truthy(one:next_event { event = "second" })
      assert.is_false(one:next_event { event = "first", timeout = 0 })
      assert.is_false(two:next_event { event = "second", timeout = 0 })
    end)

    it("keeps a roster of presence channels, where a user counts once", function()
      local one, two, three = connect(), connect(), connect()
      join(one, "presence-a", { user_id = "1", user_info = { tags = cjson.decode("[1]") } })
      local roster = join(two, "presence-a", { user_id = "2" }).presence
      assert.equal(2, roster.count)
      assert.same({ "1", "2" }, roster.ids)
      assert.same({ tags = { 1 } }, roster.hash["1"])
      assert.equal('{"user_id":"2"}', one:next_event({ event = "pusher_internal:member_added" }).data)
      assert.equal(2, join(three, "presence-a", { user_id = "2" }).presence.count)
      assert.equal(2, assert(client:channel("presence-a", { info = "user_count" })).user_count)
      assert.equal(3, assert(client:channel("presence-a", { info = "subscription_count" })).subscription_count)
      three:close()
      two:close()
      assert.equal('{"user_id":"2"}', one:next_event({ event = "pusher_internal:member_removed" }).data)
      assert.is_false(one:next_event { event = "pusher_internal:member_added", timeout = 0 })
      assert.same({ users = { { id = "1" } } }, (client:channel_users("presence-a")))
    end)

    it("forwards client events unchanged, with the user's id, and not to their sender", function()
      local one, two = connect(), connect()
      join(one, "presence-a", { user_id = "1" })
      join(two, "presence-a", { user_id = "2" })
      local text = '{"event":"client-x","channel":"presence-a","data":{"list":[],"n":0.10000000000000001}}'
      one:send_text { text = text }
      local event = two:next_event { event = "client-x" }
      assert.equal("1", event.user_id)
      assert.is_truthy(event.raw:find('"data":{"list":[],"n":0.10000000000000001}', 1, true), event.raw)
      assert.is_false(one:next_event { event = "client-x", timeout = 0 })
    end)

    it("refuses client events on public channels, from strangers, and too many", function()
      local one = connect()
      join(one, "a")
      one:send { event = "client-x", channel = "a", data = "d" }
      assert.is_truthy(one:next_event({ event = "pusher:error" }).data.message:find("only supported on private"))
      one:send { event = "client-x", channel = "private-a", data = "d" }
      assert.is_truthy(one:next_event({ event = "pusher:error" }).data.message:find("not subscribed"))
      join(one, "private-a")
      server:set { client_events_per_second = 1 }
      for _ = 1, 3 do
        one:send { event = "client-x", channel = "private-a", data = "d" }
      end
      assert.equal(4301, one:next_event({ event = "pusher:error" }).data.code)
    end)

    it("keeps the last event of a cache channel", function()
      local one = connect()
      for _, channel in ipairs { "cache-a", "private-cache-a", "private-encrypted-cache-a" } do
        join(one, channel)
        assert.is_truthy(one:next_event { event = "pusher:cache_miss", channel = channel }, channel)
        client:trigger(channel, "state", "1")
        client:trigger(channel, "state", "2")
        local two = connect()
        join(two, channel)
        assert.equal("2", two:next_event({ event = "state", channel = channel }).data)
        assert.is_false(two:next_event { event = "pusher:cache_miss", timeout = 0 })
      end
      local cache = assert(client:channel("cache-a", { info = "cache" })).cache
      assert.equal("2", cache.data)
      assert.is_truthy(cache.ttl > 0 and cache.ttl <= 1800)
    end)

    it("signs users in, sends to them, and sends them away", function()
      local one, two, stranger = connect(), connect(), connect()
      assert.equal("pusher:signin_success", sign_in(one, { id = "u", user_info = { name = "U" } }).event)
      sign_in(two, { id = "u" })
      join(one, "#server-to-user-u")
      join(two, "#server-to-user-u")
      assert.equal("pusher:error", stranger:subscribe({ channel = "#server-to-user-u" }).event)
      client:send_to_user("u", "note", "hello")
      assert.equal("hello", one:next_event({ event = "note" }).data)
      assert.equal("hello", two:next_event({ event = "note" }).data)
      client:terminate_user_connections("u")
      assert.equal(4009, one:ended().code)
      assert.equal(4009, two:ended().code)
      stranger:send { event = "pusher:ping" }
      assert.is_truthy(stranger:next_event { event = "pusher:pong" })
    end)

    it("has a user connect again when asked to", function()
      local one = connect()
      sign_in(one, { id = "u" })
      assert.same({}, client:force_reconnect_user("u"))
      assert.equal(4200, one:ended().code)
    end)

    it("sends a forged sign-in away", function()
      local one = connect()
      one:sign_in { auth = server.key .. ":00", user_data = '{"id":"u"}' }
      assert.equal(4009, one:ended().code)
    end)

    it("notifies a user when those on the watchlist come and go", function()
      local one, two = connect(), connect()
      sign_in(one, { id = "1", watchlist = { "2" } })
      local function next_watched()
        return cjson.decode(one:next_event({ event = "pusher_internal:watchlist_events" }).data).events[1]
      end
      assert.same({ name = "offline", user_ids = { "2" } }, next_watched())
      sign_in(two, { id = "2" })
      assert.same({ name = "online", user_ids = { "2" } }, next_watched())
      two:close()
      assert.same({ name = "offline", user_ids = { "2" } }, next_watched())
    end)

    it("sends them subscription counts when configured to", function()
      server:set { announce_counts = true }
      local one, two = connect(), connect()
      join(one, "a")
      join(two, "a")
      local data = '{"subscription_count":2}'
      assert.is_truthy(one:next_event { event = "pusher_internal:subscription_count", data = data })
    end)

    it("disconnects all on command", function()
      local one = connect()
      server:disconnect { code = 4200 }
      assert.equal(4200, one:ended().code)
    end)
  end)

  describe("signs webhooks", function()
    it("of each kind, in order", function()
      local one = connect()
      join(one, "presence-cache-a", { user_id = "1" })
      one:send { event = "client-x", channel = "presence-cache-a", data = { n = 1 } }
      one:unsubscribe { channel = "presence-cache-a" }
      assert.same({
        "channel_occupied", "member_added", "cache_miss", "client_event", "member_removed", "channel_vacated",
      }, kinds_of_webhooks(6))
      local event = cjson.decode(server:webhooks()[4].body).events[1]
      assert.same({
        name = "client_event", channel = "presence-cache-a", event = "client-x", data = '{"n":1}',
        socket_id = one.socket_id, user_id = "1",
      }, event)
    end)

    it("and posts them to the given address, repeatedly until they are accepted", function()
      local receiver = local_server.start()
      local sender = local_server.start { webhook_url = ("http://127.0.0.1:%d/hook"):format(receiver.port) }
      receiver:misbehave { mode = "status", status = 500, path = "/hook", times = 1 }
      receiver:misbehave { mode = "answer", status = 200, path = "/hook" }
      local one = connect { port = sender.port }
      join(one, "a")
      sender:wait { webhooks = 1 }
      local sent = sender:webhooks()[1]
      assert.equal(200, sent.status)
      assert.equal(2, sent.attempts)
      local request = receiver:requests()[2]
      assert.equal(sent.body, request.body)
      assert.equal("channel_occupied", assert(client:webhook(request.headers, request.body)).events[1].name)
      sender:stop()
      receiver:stop()
    end)
  end)

  describe("keeps idempotency keys, when it is to,", function()
    before_each(function()
      server:set { key_seconds = 60 }
    end)

    after_each(function()
      server:set { key_seconds = 0, publish_seconds = 0 }
    end)

    local function trigger(key, channel)
      return client:trigger(channel or "a", "e", "x", { idempotency_key = key, info = "subscription_count" })
    end

    local function item(key, data)
      return { channel = "a", name = "e", data = data or "x", idempotency_key = key, info = "subscription_count" }
    end

    it("and gives a known one the first response again", function()
      local first = assert(trigger("k"))
      local one = connect()
      one:subscribe { channel = "a" }
      assert.same(first, assert(trigger("k")))
      assert.equal(1, assert(trigger("other")).channels.a.subscription_count)
      assert.equal(2, #server:events())
      assert.equal(1, server:inspect().repetitions)
    end)

    it("and judges each event of a batch by its own", function()
      assert(trigger("1"))
      local result = assert(client:trigger_batch { item("1"), item("2"), item("2"), item(nil, "y"), item(nil, "y") })
      assert.equal(5, #result.batch)
      assert.equal(4, #server:events()) -- 1, 2, and the two without
      assert(client:trigger_batch { item("2"), item("1") })
      assert(trigger("2"))
      assert.equal(4, #server:events())
    end)

    it("and refuses empty and long ones", function()
      for _, key in ipairs { "", ("k"):rep(129) } do
        local text = cjson.encode { name = "e", channels = { "a" }, data = "x", idempotency_key = key }
        local _, message, details = client:post("/events", text)
        assert.equal(400, details.status)
        assert.truthy(message:find("idempotency_key must", 1, true))
      end
      assert(trigger(("k"):rep(128)))
    end)

    it("and asks for a pause while an event with the same one is being published", function()
      server:set { publish_seconds = 0.3 }
      local over = new_client { transport = "async" }
      local first = over:trigger("a", "e", "x", { idempotency_key = "k" })
      over.transport:step(0.01)
      server:wait { requests = 1 }
      for _, call in ipairs { function() return trigger("k") end, function() return client:trigger_batch { item("k") } end } do
        local _, _, details = call()
        assert.same({ 503, 1 }, { details.status, details.retry_after })
      end
      assert.same({}, first:wait())
      server:set { publish_seconds = 0 }
      assert.same({}, client:trigger("a", "e", "x", { idempotency_key = "k" }))
      assert.equal(1, #server:events())
      over:close()
    end)

    it("for as long as it is to, and forgets them at a reset", function()
      server:set { key_seconds = 1e-9 }
      assert(trigger("k"))
      server:set { key_seconds = 60 }
      assert(trigger("k"))
      assert(trigger("k"))
      assert.equal(2, #server:events())
      server:reset()
      assert(trigger("k"))
      assert.equal(1, #server:events())
    end)

    it("else each call publishes", function()
      server:set { key_seconds = 0 }
      assert(trigger("k"))
      assert(trigger("k"))
      assert.equal(2, #server:events())
    end)
  end)

  it("has no batch_events when it is not to", function()
    server:set { has_batches = false }
    local _, _, details = client:trigger_batch { { channel = "a", name = "e", data = "x" } }
    server:set { has_batches = true }
    assert.equal(404, details.status)
    assert(client:trigger("a", "e", "x"))
  end)
end)
