-- Two soketi over one Redis server: what is published at one node arrives at subscribers of the other.

local calls = require "spec.system.interop.calls"
local node = require "spec.system.interop.node"

local EVENTS = 1000

describe("A cluster of two soketi over Redis", function()
  local redis, a, b, at_a, at_b, ada, bob

  setup(function()
    redis = node.start("redis.js")
    a = node.start("soketi.js", { redis = redis.socket })
    b = node.start("soketi.js", { redis = redis.socket })
    at_a, at_b = calls.client(a), calls.client(b)
    ada, bob = node.subscriber(a), node.subscriber(b)
  end)

  teardown(function()
    at_a:close()
    at_b:close()
    node.stop(ada, bob, a, b, redis)
  end)

  it("carries events and batches from one node to the other, both ways", function()
    calls.subscribe(at_a, ada, "public-1")
    calls.subscribe(at_b, bob, "private-1")
    assert(at_a:trigger("private-1", "greeting", { from = "a" }))
    assert.same({ from = "a" }, calls.next_event(bob, "private-1", "greeting"))
    assert(at_b:trigger_batch { { channel = "public-1", name = "greeting", data = { from = "b" } } })
    assert.same({ from = "b" }, calls.next_event(ada, "public-1", "greeting"))
  end)

  it("leaves out a socket of the other node", function()
    calls.subscribe(at_a, ada, "public-2")
    calls.subscribe(at_b, bob, "public-2")
    assert(at_a:trigger("public-2", "tick", { n = 1 }, { socket_id = bob.socket_id }))
    assert(at_a:trigger("public-2", "tick", { n = 2 }))
    assert.same({ { n = 1 }, { n = 2 } }, calls.next_events(ada, "public-2", "tick", 2))
    assert.same({ n = 2 }, calls.next_event(bob, "public-2", "tick"))
  end)

  it("has one list of members", function()
    calls.subscribe(at_a, ada, "presence-1", { user_id = "ada", user_info = { name = "Ada" } })
    assert.equal(2, calls.subscribe(at_b, bob, "presence-1", { user_id = "bob" }).count)
    assert.equal("bob", calls.next_event(ada, "presence-1", "pusher:member_added").id)
    assert.same({ name = "Ada" }, bob:members({ channel = "presence-1" }).ada)
    for _, client in ipairs { at_a, at_b } do
      local ids = {}
      for index, user in ipairs(assert(client:channel_users("presence-1")).users) do
        ids[index] = user.id
      end
      table.sort(ids)
      assert.same({ "ada", "bob" }, ids)
      assert.equal(2, assert(client:channel("presence-1", { info = "user_count" })).user_count)
    end
    bob:unsubscribe { channel = "presence-1" }
    assert.equal("bob", calls.next_event(ada, "presence-1", "pusher:member_removed").id)
  end)

  it("reaches a user at the other node, and ends the user's connections there", function()
    local client = calls.client(a, a.users)
    local carol = node.subscriber(b, b.users)
    finally(function()
      node.stop(carol)
      client:close()
    end)
    calls.sign_in(client, carol, { id = "carol" })
    assert(client:send_to_user("carol", "note", { n = 1 }))
    assert.same({ n = 1 }, calls.next_event(carol, "user", "note"))
    assert(client:terminate_user_connections("carol"))
    assert.is_truthy(carol:next_event { channel = "connection", event = "disconnected" })
  end)

  it("keeps the order of what a publisher sends through one node", function()
    calls.subscribe(at_b, bob, "public-3")
    local publisher = assert(at_a:publisher())
    for number = 1, EVENTS do
      assert(publisher:trigger("public-3", "count", number))
    end
    assert(publisher:close(60))
    assert.equal(EVENTS, publisher:stats().sent)
    for number, arrived in ipairs(calls.next_events(bob, "public-3", "count", EVENTS)) do
      assert.equal(number, arrived)
    end
  end)
end)
