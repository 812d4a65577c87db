local params = require "pusher.channels.params"
local scripted = require "spec.helpers.scripted"
local source = require "spec.helpers.source"

local VALUES = { channel = "a", name = "e", data = "x", socket_id = "1.2", info = "user_count", idempotency_key = "k",
  extra = { more = 1 }, replace = "r", tag = "t" }

-- The names that the one chain of comparisons in a file knows.
local function compared(path)
  local set = {}
  for name in source.code(source.read(path)):gmatch('if name == "([%l_]+)" then') do
    assert.is_nil(set[name])
    set[name] = true
  end
  return set
end

describe("pusher.channels.params", function()
  it("has the names that payload and publisher compare with, and no other", function()
    assert.same(params.BATCH, compared("lua/pusher/channels/payload.lua"))
    assert.same(params.PUBLISHER, compared("lua/pusher/publisher.lua"))
  end)

  -- The event that `call` made the client send.
  local function sent(call)
    local world = scripted.new()
    assert(call(world.client))
    return world.received[1]
  end

  local function values(set)
    local given = {}
    for name in pairs(set) do
      given[name] = VALUES[name]
    end
    return given
  end

  local function queue(given)
    return function(client)
      local publisher = assert(client:publisher { now = function() return 0 end, sleep = function() end })
      assert(publisher:trigger("a", "e", "x", given))
      return publisher:flush(1)
    end
  end

  it("are the names that each call takes, each for its own value", function()
    local event = { channel = "a", name = "e", data = "x", socket_id = "1.2", info = "user_count", idempotency_key = "k",
      more = 1 }
    assert.same(event, sent(function(client) return client:trigger_batch { values(params.BATCH) } end))
    assert.same(event, sent(queue(values(params.PUBLISHER))))
    event.channel, event.channels = nil, { "a" }
    assert.same(event, sent(function(client) return client:trigger("a", "e", "x", values(params.TRIGGER)) end))
    event.channels, event.socket_id, event.info = { "#server-to-user-u" }, nil, nil
    assert.same(event, sent(function(client) return client:send_to_user("u", "e", "x", values(params.USER)) end))
  end)

  it("keeps the members of each of these events from `extra`", function()
    for name in pairs(params.OWN_MEMBERS) do
      local world = scripted.new()
      local _, message = world.client:trigger("a", "e", "x", { extra = { [name] = 1 } })
      assert.equal(("extra must not have the member %s, which the library sets"):format(name), message)
    end
    for _, set in pairs { params.BATCH, params.TRIGGER, { channels = true } } do
      for name in pairs(set) do
        assert.equal(name ~= "extra" and true or nil, params.OWN_MEMBERS[name])
      end
    end
  end)
end)
