-- What soketi does in ways of its own: ids that it does not decode, and 429 without Retry-After.

local calls = require "spec.system.interop.calls"
local node = require "spec.system.interop.node"

local BURST, EVENTS_PER_SECOND = 200, 30

describe("soketi", function()
  local soketi

  setup(function()
    soketi = node.start("soketi.js", { events_per_second = EVENTS_PER_SECOND })
  end)

  teardown(function()
    node.stop(soketi)
  end)

  -- All of RFC 3986's pchar: soketi does not decode a path, so an escape would be another user's id.
  for _, id in ipairs { "ada@example.com", "a:b+c,d;e=f", "(!*$&')~-._" } do
    it("ends the connections of " .. id, function()
      local of_users = calls.client(soketi, soketi.users)
      local subscriber = node.subscriber(soketi, soketi.users)
      finally(function()
        node.stop(subscriber)
        of_users:close()
      end)
      calls.sign_in(of_users, subscriber, { id = id }, false)
      assert(of_users:terminate_user_connections(id))
      assert.is_truthy(subscriber:next_event { channel = "connection", event = "disconnected" })
    end)
  end

  -- On channels of their own the events leave in eight batches at once, on one channel in one after another.
  for channels, transport in pairs { [1] = "curl", [BURST] = "async" } do
    it(("gets all of %d events above its limit, on %d channels"):format(BURST, channels), function()
      local client = calls.client(soketi, nil, { transport = transport })
      local subscriber = node.subscriber(soketi)
      finally(function()
        node.stop(subscriber)
        client:close()
      end)
      calls.subscribe(client, subscriber, "public-1")
      local publisher = assert(client:publisher())
      for number = 1, BURST do
        assert(publisher:trigger("public-" .. (number - 1) % channels + 1, "count", number))
      end
      assert(publisher:close(60))
      assert.same({ BURST, 0 }, { publisher:stats().sent, publisher:stats().failed })
      assert.is_true(publisher:stats().retried > 0)
      local expected = channels == 1 and BURST or 1
      for number, arrived in ipairs(calls.next_events(subscriber, "public-1", "count", expected)) do
        assert.equal(number, arrived)
      end
    end)
  end
end)
