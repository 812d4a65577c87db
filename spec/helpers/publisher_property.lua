--- The guarantees of the publisher, checked against a server that misbehaves at random.
--
-- `property.run { server =, transport =, events =, channels =, seed =, probability =, attempts =, once =, no_batches = }`
-- publishes through the local Channels server and raises when a guarantee is broken: every accepted event ends in exactly one
-- on_result; a channel's events arrive in order; none is lost while attempts last; one arrives twice only where the
-- response to the first was lost, and never with attempts = 1. With `once` the events have idempotency keys, which the
-- server keeps: then each one arrives exactly once. With `no_batches` the server has no batch_events.

local pusher = require "pusher"

local property = {}

local PAGE = 5000 -- events read from the server at a time

-- What a server or a network does to a call. Of these, lose_answer and cut accept the events without a response.
local FAULTS = {
  "lose_answer", "reset", "drop", { mode = "lose_answer", reset = true }, "cut", { mode = "cut", at = "head" },
  { mode = "delay", ms = 5 }, { mode = "stale" }, { mode = "stale", when = "reuse" },
  { mode = "status", status = 500 }, { mode = "status", status = 503 },
  { mode = "status", status = 429, retry_after = 0 },
}

-- Park and Miller's generator, so that a seed means the same on every Lua.
local function new_random(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 2147483647 * n) + 1
  end
end

local function check(condition, text, ...)
  if not condition then
    error(text:format(...), 2)
  end
end

local function new_client(server, transport)
  return assert(pusher.new {
    app_id = server.app_id, key = server.key, secret = server.secret, host = server.host, port = server.port,
    secure = false, transport = transport, timeout = 20, keepalive = { idle = 60, pool_size = 8 },
    encryption_master_key_base64 = server.master_key_base64,
  })
end

local function new_publisher(client, settings, reported)
  return assert(client:publisher {
    max_queue = 2000, max_in_flight = 8, linger = 0.001,
    retry = { attempts = settings.attempts or 60, base = 0.001, max = 0.02 }, idempotency = settings.once,
    on_result = function(event, result, message, details)
      local number = event.tag
      check(reported[number] == nil, "event %d was reported twice", number)
      reported[number] = result and "sent" or details.code .. ": " .. message
    end,
  })
end

-- Publishes the events in bursts, and steps in between.
local function publish(publisher, settings)
  local random = new_random(settings.seed)
  local channel_of = {}
  for number = 1, settings.events do
    local channel = "channel-" .. random(settings.channels)
    while not publisher:trigger(channel, "event", tostring(number), { tag = number }) do
      publisher:step(0.01) -- the queue is full
    end
    channel_of[number] = channel
    if random(20) == 1 then
      publisher:step()
    end
  end
  return channel_of
end

local function arrivals(server)
  local list = {}
  repeat
    local page = server:events { from = #list + 1, limit = PAGE }
    for _, event in ipairs(page) do
      list[#list + 1] = event
    end
  until #page < PAGE
  return list
end

-- Order and duplicates, channel by channel, in the order of arrival.
local function check_arrivals(list, channel_of, settings)
  local confirmed, seen, duplicates = {}, {}, 0
  for _, event in ipairs(list) do
    local number = tonumber(event.data)
    check(channel_of[number] == event.channel, "event %d came on %s", number, event.channel)
    check(number > (confirmed[event.channel] or 0), "event %d came late or again on %s", number, event.channel)
    if seen[number] then
      duplicates = duplicates + 1
      check(not settings.once, "event %d came twice, though the server keeps its key", number)
      check(settings.attempts ~= 1, "event %d came twice, though it was to be sent at most once", number)
      check(seen[number] == "lost", "event %d came twice, though its response was not lost", number)
    end
    seen[number] = event.lost and "lost" or "sent"
    if settings.once or not event.lost then
      confirmed[event.channel] = number
    end
  end
  return seen, duplicates
end

local function check_results(reported, seen, settings)
  local failed = 0
  local function arrived(number) -- the response to a repetition was not lost
    return seen[number] == "sent" or settings.once and seen[number] == "lost"
  end
  for number = 1, settings.events do
    check(reported[number] ~= nil, "event %d ended in no on_result", number)
    if reported[number] == "sent" then
      check(arrived(number), "event %d was reported as sent, but the server has it as %s", number,
        tostring(seen[number]))
    else
      failed = failed + 1
      check(settings.attempts == 1, "event %d was lost: %s", number, reported[number])
      check(seen[number] ~= "sent", "event %d was reported as failed, but arrived", number)
    end
  end
  return failed
end

--- Runs it once.
-- @treturn table `{ calls =, duplicates =, failed =, retried =, faults =, repetitions = }`; the last one is how many
--   events the server got whose key it knew
function property.run(settings)
  local server = settings.server
  server:reset()
  server:set { key_seconds = settings.once and 3600 or 0, has_batches = not settings.no_batches }
  server:misbehave { modes = FAULTS, probability = settings.probability or 0.2, seed = settings.seed, path = "/apps/" }
  local reported = {}
  local client = new_client(server, settings.transport)
  local publisher = new_publisher(client, settings, reported)
  local channel_of = publish(publisher, settings)
  assert(publisher:flush(settings.flush_timeout or 300))
  local stats = publisher:stats()
  assert(publisher:close())
  client:close()
  local inspected = server:inspect()
  server:behave()
  local seen, duplicates = check_arrivals(arrivals(server), channel_of, settings)
  local failed = check_results(reported, seen, settings)
  check(stats.accepted == settings.events and stats.sent + stats.failed == settings.events, "the counts are wrong")
  return { calls = stats.calls, duplicates = duplicates, failed = failed, retried = stats.retried,
    faults = inspected.faults, repetitions = inspected.repetitions }
end

return property
