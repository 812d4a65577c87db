-- The scenario of a publisher, see scenarios.lua: events that are queued, replaced, encrypted, sent and reported.

local FLUSH = 2 -- seconds

local publishing = {}

-- Every accepted event was reported, none twice, and the counts agree. Each is published twice, see run() of tries.lua.
local function check_events(objects)
  local stats = objects.publisher:stats()
  local reported = 0
  for tag, count in pairs(objects.reported) do
    assert(count <= 2, "an event was reported twice: " .. tag)
    reported = reported + count
  end
  assert(stats.queued + stats.in_flight == 0, "events are left")
  assert(stats.accepted == stats.sent + stats.failed + stats.dropped + stats.replaced, "the counts disagree")
  assert(stats.accepted == reported, "accepted " .. stats.accepted .. ", reported " .. reported)
end

--- Makes the scenario.
-- @tparam function open_client function() -> a client
-- @tparam[opt] boolean threads whether its transport has a thread
function publishing.new(open_client, threads)
  local function add(tag, channel, params)
    return function(objects)
      params.tag = tag
      return objects.publisher:trigger(channel, "event", tag, params)
    end
  end
  return {
    open = function()
      local objects = { reported = { a = 0, b = 0, c = 0, d = 0 } }
      objects.client = open_client()
      objects.publisher = assert(objects.client:publisher { linger = 0, retry = { base = 0.001 }, on_result = function(event)
        objects.reported[event.tag] = objects.reported[event.tag] + 1
      end })
      return objects
    end,
    calls = {
      add("a", "channel", { idempotency_key = true, extra = { tags = { a = "b" } } }),
      add("b", "other", { replace = 1 }), add("c", "other", { replace = 1 }),
      add("d", "private-encrypted-x", { info = "subscription_count" }),
      function(objects) return objects.publisher:step() and true end,
      function(objects) return objects.publisher:flush(FLUSH) end,
    },
    settle = function(objects)
      assert(objects.publisher:flush(FLUSH))
    end,
    check = check_events,
    close = function(objects)
      objects.publisher:close(0)
      objects.client:close()
    end,
    threads = threads,
  }
end

return publishing
