-- The scenario of a publisher, see scenarios.lua: events that are queued, replaced, encrypted, sent and reported.

local FLUSH = 10 * require "spec.helpers.time_scale" -- seconds

local publishing = {}

-- Every accepted event was reported, if any is, none twice, and the counts agree. Each is published twice, see run() of
-- tries.lua.
local function check_events(objects)
  local stats = objects.publisher:stats()
  local reported = objects.reported and 0 or stats.accepted
  for tag, count in pairs(objects.reported or {}) do
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
-- @tparam[opt] boolean silent whether the publisher has no on_result
function publishing.new(open_client, threads, silent)
  local function add(tag, channel, params)
    return function(objects)
      params.tag = tag
      return objects.publisher:trigger(channel, "event", tag, params)
    end
  end
  return {
    open = function()
      local objects = { reported = not silent and { a = 0, b = 0, c = 0, d = 0 } or nil }
      objects.client = open_client()
      local on_result = not silent and function(event)
        objects.reported[event.tag] = objects.reported[event.tag] + 1
      end or nil
      objects.publisher = assert(objects.client:publisher {
        linger = 0, retry = { base = 0.001 }, on_result = on_result,
      })
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
