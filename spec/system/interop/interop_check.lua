-- The library between a Channels server and the real pusher-js: once with soketi, a third-party server, and once with
-- the local server, so that the second cannot drift from the first. `make test-interop` installs both from npm.

local calls = require "spec.system.interop.calls"
local node = require "spec.system.interop.node"
local server = require "tools.local_server"

local WEBHOOK_SECONDS = 30 -- in which the next one comes

local subscribe, next_event = calls.subscribe, calls.next_event

-- Each returns the server and the app whose users sign in.
local servers = {
  ["soketi"] = function(webhook_url)
    local soketi = node.start("soketi.js", { webhook_url = webhook_url })
    return soketi, soketi.users
  end,
  ["the local server"] = function(webhook_url)
    local channels = server.start { webhook_url = webhook_url }
    return channels, channels
  end,
}

for name, start in pairs(servers) do
  describe("With " .. name .. " and pusher-js,", function()
    local hooks, channels, users, client, ada, bob

    -- The first webhook with this kind of event, checked by the library; waits for it.
    local function next_webhook(kind, channel, user_id)
      repeat
        local responses = hooks:inspect().responses
        for _, request in ipairs(hooks:requests()) do
          local hook = request.status and assert(client:webhook(request.headers, request.body))
          for _, event in ipairs(hook and hook.events or {}) do
            if event.name == kind and event.channel == channel and (not user_id or event.user_id == user_id) then
              return event
            end
          end
        end
      until not hooks:wait({ responses = responses + 1, timeout = WEBHOOK_SECONDS }).reached
      error("no webhook " .. kind .. " for " .. channel)
    end

    setup(function()
      hooks = server.start()
      hooks:misbehave { mode = "answer", path = "/hooks" }
      channels, users = start(("http://127.0.0.1:%d/hooks"):format(hooks.port))
      client = calls.client(channels)
      ada, bob = node.subscriber(channels), node.subscriber(channels)
    end)

    teardown(function()
      node.stop(ada, bob, channels, hooks)
      client:close()
    end)

    it("an event arrives", function()
      subscribe(client, ada, "public-1")
      assert.is_table((client:trigger("public-1", "greeting", { text = "h\195\169llo", list = { 1, 2, 3 } })))
      assert.same({ text = "h\195\169llo", list = { 1, 2, 3 } }, next_event(ada, "public-1", "greeting"))
    end)

    it("a string arrives unchanged", function()
      subscribe(client, ada, "public-2")
      client:trigger("public-2", "raw", "just text")
      assert.equal("just text", next_event(ada, "public-2", "raw"))
    end)

    it("one call reaches many channels, and leaves a socket out", function()
      subscribe(client, ada, "public-3")
      subscribe(client, bob, "public-3")
      subscribe(client, ada, "public-4")
      assert.is_table((client:trigger({ "public-3", "public-4" }, "many", { n = 1 }, { socket_id = bob.socket_id })))
      assert.same({ n = 1 }, next_event(ada, "public-3", "many"))
      assert.same({ n = 1 }, next_event(ada, "public-4", "many"))
      -- The next event that bob gets is the one after it.
      client:trigger("public-3", "many", { n = 2 })
      assert.same({ n = 2 }, next_event(bob, "public-3", "many"))
    end)

    it("a batch arrives in order", function()
      subscribe(client, ada, "public-5")
      local batch = {}
      for index = 1, 10 do
        batch[index] = { channel = "public-5", name = "item", data = { n = index } }
      end
      assert.is_table((client:trigger_batch(batch)))
      for index = 1, 10 do
        assert.same({ n = index }, next_event(ada, "public-5", "item"))
      end
    end)

    it("a private channel opens with our signature, and with no other", function()
      subscribe(client, ada, "private-1")
      client:trigger("private-1", "greeting", { to = "ada" })
      assert.same({ to = "ada" }, next_event(ada, "private-1", "greeting"))
      local forged = { auth = channels.key .. ":" .. ("0"):rep(64) }
      local refused = ada:subscribe { channel = "private-2", authorization = forged }
      assert.is_truthy(refused.event == "error" or refused.event == "pusher:subscription_error", refused.event)
    end)

    it("an encrypted event is opened in pusher-js, and only sealed on the wire", function()
      subscribe(client, ada, "private-encrypted-1")
      assert.is_table((client:trigger("private-encrypted-1", "secret", { launch = "code \226\130\172" })))
      assert.same({ launch = "code \226\130\172" }, next_event(ada, "private-encrypted-1", "secret"))
      local wire = ada:next_event { wire = "secret", on = "private-encrypted-1" }
      assert.is_string(wire.data.nonce)
      assert.is_nil(wire.data.launch)
    end)

    it("an encrypted event in a batch is opened as well", function()
      subscribe(client, ada, "private-encrypted-2")
      assert.is_table((client:trigger_batch {
        { channel = "private-encrypted-2", name = "secret", data = { n = 1 } },
        { channel = "public-6", name = "open", data = "x" },
      }))
      assert.same({ n = 1 }, next_event(ada, "private-encrypted-2", "secret"))
    end)

    it("presence: members join, are counted and listed, and leave", function()
      local first = subscribe(client, ada, "presence-1", { user_id = "ada", user_info = { name = "Ada" } })
      assert.equal(1, first.count)
      assert.equal("ada", first.myID)
      assert.equal(2, subscribe(client, bob, "presence-1", { user_id = "bob" }).count)
      assert.equal("bob", next_event(ada, "presence-1", "pusher:member_added").id)
      assert.same({ name = "Ada" }, bob:members({ channel = "presence-1" }).ada)

      local listed = assert(client:channel_users("presence-1")).users
      table.sort(listed, function(a, b)
        return a.id < b.id
      end)
      assert.same({ { id = "ada" }, { id = "bob" } }, listed)
      local found = assert(client:channels { filter_by_prefix = "presence-", info = "user_count" }).channels
      -- soketi counts connections here, whatever was requested.
      assert.equal(2, found["presence-1"].user_count or found["presence-1"].subscription_count)
      local one = assert(client:channel("presence-1", { info = "user_count" }))
      assert.is_true(one.occupied)
      assert.equal(2, one.user_count)

      bob:unsubscribe { channel = "presence-1" }
      assert.equal("bob", next_event(ada, "presence-1", "pusher:member_removed").id)
      for _, user_id in ipairs { "ada", "bob" } do -- in any order: each is a request of its own
        assert.equal(user_id, next_webhook("member_added", "presence-1", user_id).user_id)
      end
      assert.equal("bob", next_webhook("member_removed", "presence-1").user_id)
    end)

    it("queries show what is occupied", function()
      subscribe(client, ada, "public-7")
      local all = assert(client:channels {}).channels
      assert.is_table(all["public-7"])
      local some = assert(client:channels { filter_by_prefix = "public-7" }).channels
      assert.is_table(some["public-7"])
      assert.is_nil(some["public-1"])
      assert.is_false(assert(client:channel("public-nobody")).occupied)
      assert.equal(1, assert(client:channel("public-7", { info = "subscription_count" })).subscription_count)
    end)

    it("client events pass between subscribers, with the sender's user id", function()
      subscribe(client, ada, "presence-2", { user_id = "ada" })
      subscribe(client, bob, "presence-2", { user_id = "bob" })
      assert.is_true(bob:trigger { channel = "presence-2", event = "client-typing", data = { on = true } })
      assert.same({ on = true }, next_event(ada, "presence-2", "client-typing"))
      assert.equal("bob", ada:next_event({ wire = "client-typing" }).user_id)
      local hook = next_webhook("client_event", "presence-2")
      assert.equal("client-typing", hook.event)
      assert.equal("bob", hook.user_id)
      assert.equal(bob.socket_id, hook.socket_id)
    end)

    it("a cache channel reports a miss, then replays the last event", function()
      subscribe(client, ada, "cache-1")
      next_event(ada, "cache-1", "pusher:cache_miss")
      next_webhook("cache_miss", "cache-1")
      client:trigger("cache-1", "state", { n = 7 })
      assert.same({ n = 7 }, next_event(ada, "cache-1", "state"))
      subscribe(client, bob, "cache-1")
      assert.same({ n = 7 }, next_event(bob, "cache-1", "state"))
    end)

    it("webhooks report which channels are occupied and vacated", function()
      subscribe(client, ada, "public-8")
      next_webhook("channel_occupied", "public-8")
      ada:unsubscribe { channel = "public-8" }
      next_webhook("channel_vacated", "public-8")
      local hook = hooks:requests()[1]
      local ok, _, details = client:webhook(hook.headers, hook.body .. " ")
      assert.is_nil(ok)
      assert.equal("unauthorized", details.code)
    end)

    it("a user signs in, gets messages, and is disconnected", function()
      local of_users = calls.client(channels, users)
      local carol = node.subscriber(channels, users)
      finally(function()
        node.stop(carol)
        of_users:close()
      end)
      assert.same({ id = "carol" }, calls.sign_in(of_users, carol, { id = "carol" }))
      assert.is_table((of_users:send_to_user("carol", "note", { n = 1 })))
      assert.same({ n = 1 }, next_event(carol, "user", "note"))
      assert.is_table((of_users:terminate_user_connections("carol")))
      assert.is_truthy(carol:next_event { channel = "connection", event = "disconnected" })
    end)

    it("a wrong secret and data that is too large are errors", function()
      local stranger = calls.client(channels, nil, { secret = "wrong" })
      local ok, _, details = stranger:trigger("public-1", "greeting", "x")
      assert.is_nil(ok)
      assert.equal("unauthorized", details.code)
      stranger:close()
      local eager = calls.client(channels, nil, { max_payload_kb = 1000 })
      ok, _, details = eager:trigger("public-1", "greeting", ("x"):rep(20 * 1024))
      assert.is_nil(ok)
      assert.equal("too_large", details.code)
      eager:close()
    end)
  end)
end
