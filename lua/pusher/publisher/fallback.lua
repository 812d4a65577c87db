--- What becomes of a batch that the server refuses as a whole: its events are sent one by one, in order, so that one
-- bad event does not take the others with it.
--
-- A server without batch_events responds with 404 there, as it does when it does not know the app. Then the events are
-- sent to /events, and if that works, all publishers of the client do so from there on: `client.lacks_batches`.
--
-- The fields of a batch that belong here:
--
--   singles  events that will be sent one by one, after those of the next call
--   whole_attempts, whole_reached   `attempts` and `reached` of the calls with all of them
--   single   whether its call is one to /events, for one event
--   missing  while it is not known whether the server has no batch_events, or no such app: the failure of the call
--            to batch_events, { message =, details = }
--   made     the attempts by an event's place, when all fail at once; else false

local batches = require "pusher.publisher.batch"
local callback = require "pusher.base.callback"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local fallback = {}

-- The server found fault with what the batch holds, and accepted nothing of it.
local FAULTY = { [400] = true, [413] = true, [422] = true }

-- The server does not know the path, or the app in it.
local MISSING = 404

--- Whether a call has failed because the server accepted nothing of it.
-- @tparam table details
-- @treturn boolean
function fallback.is_refusal(details)
  return details.status == MISSING or FAULTY[details.status] or false
end

--- Starts sending the events one by one, if the failure calls for it.
-- @treturn boolean whether its events will be sent one by one
function fallback.begin(batch)
  local status = batch.details.status
  if status == MISSING and not batch.single then
    batch.missing = { message = batch.message, details = batch.details }
  elseif not FAULTY[status] or #batch.events == 1 then
    return false
  end
  local singles = {} -- the batch may be down to one of them already
  batches.list(batch, singles, {})
  if not batch.singles then
    batch.whole_attempts, batch.attempts = batch.attempts, 0
  end
  batch.events, batch.singles = singles, singles -- each of them once, should this be interrupted and begin again
  batch.whole_reached = batch.whole_reached or batch.reached
  return true
end

-- Has all events but the first one wait.
local function split(batch)
  local events, first, rest = batch.events, {}, {}
  first[1] = events[1]
  for index = 2, #events do
    rest[index - 1] = events[index]
  end
  batch.events, batch.singles, batch.body = first, rest, false
  batch.whole_attempts, batch.whole_reached, batch.attempts = batch.attempts - 1, batch.reached, 1
end

--- Prepares a batch for its call.
-- @tparam table batch
-- @tparam number max_events of a call
function fallback.prepare(batch, max_events)
  batch.single = max_events == 1 or batch.missing and true
  if batch.single and #batch.events > 1 then
    split(batch)
  end
end

-- All events fail as the call to batch_events did.
local function fail_all(batch)
  local events, made, missing = {}, {}, batch.missing
  batches.list(batch, events, made)
  batch.events, batch.singles, batch.missing, batch.made = events, false, false, made
  batch.message, batch.details = missing.message, missing.details
end

--- Looks at the outcome of a call to /events while it is not known whether the server has batch_events.
-- @tparam table batch
-- @tparam table client whose `lacks_batches` is set
-- @tparam function log
function fallback.judge(batch, client, log)
  local status = batch.details and batch.details.status
  if not batch.missing or not batch.single then
    return
  elseif batch.result or FAULTY[status] then
    client.lacks_batches, batch.missing = true, false
    callback.log(log, "warn", "the server has no batch_events: events are sent one by one", { code = "not_found" })
  elseif status == MISSING then
    fail_all(batch)
  end
end

--- Lists the next one of the events that are sent one by one.
-- @treturn table|nil events
function fallback.next(batch)
  local event = batch.singles and batch.singles[1]
  return event and { event }
end

--- Makes that event the next call's. It has no attempts of its own yet, unless `begin` has just put it first: then it
-- may have been in a call alone, whose attempts `begin` has kept. Takes no memory.
-- @tparam table batch
-- @tparam table events as `next` returned them
function fallback.take(batch, events)
  if batch.events ~= batch.singles then -- `begin` makes them the same table
    batch.attempts = 0
  end
  table.remove(batch.singles, 1)
  batch.events, batch.body, batch.reached = events, false, batch.whole_reached
end

return fallback
