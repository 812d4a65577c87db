--- What became of events: the counts, and the one call of on_result for each event.
--
-- on_result gets a fresh table with the event's channel, name, `replace` key and `tag`, and nothing of its data.

local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local outcomes = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.outcomes" }

--- Makes an object without any outcome.
-- @tparam function|nil on_result function(event, result, message, details)
-- @tparam function log function(level, message, fields)
function outcomes.new(on_result, log)
  return setmetatable({
    on_result = on_result,
    log = log,
    callbacks = callback.new(log),
    counts = { sent = 0, failed = 0, dropped = 0, replaced = 0, retried = 0, calls = 0 },
  }, metatable)
end

-- What the response says of an event: of a batch by its place, of a single event by its channel.
local function attributes_of(event, index, response)
  local list = type(response) == "table" and (response.batch or response.channels)
  local attributes = type(list) == "table" and list[response.batch and index or event.channel]
  return type(attributes) == "table" and attributes or {}
end

-- Each event gets details of its own.
local function failure(_, _, message, details)
  return errors.fail(details.code, message, details)
end

local function replaced()
  return { replaced = true }
end

-- Named arguments, not `...`: LuaJIT compiles no loop that passes `...` on.
local function report(self, events, result_of, a, b)
  for index, event in ipairs(events) do
    local reported = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
    local ok, raised = pcall(self.on_result, reported, result_of(event, index, a, b))
    if not ok then
      callback.log_raised(self.log, "on_result", { channel = event.channel, event = event.name }, raised)
    end
  end
end

-- All events are counted before the first one is reported, so the counts agree when on_result reads them.
local function settle(self, outcome, events, result_of, a, b)
  self:count(outcome, #events)
  if self.on_result then
    self.callbacks:call("on_result", nil, report, self, events, result_of, a, b)
  end
end

--- Whether the caller has been called from on_result.
function methods:is_reporting()
  return self.callbacks:is_inside()
end

--- Adds to a count, by its name in `stats`.
function methods:count(name, number)
  self.counts[name] = self.counts[name] + number
end

--- The server has accepted the events. The response may have what `info` asked for.
function methods:deliver(events, response)
  settle(self, "sent", events, attributes_of, response)
end

--- The events have failed for good.
function methods:fail(events, message, details)
  settle(self, "failed", events, failure, message, details)
end

--- The event was dropped in favour of a newer one.
function methods:drop(event)
  settle(self, "dropped", { event }, failure, "dropped from a full queue in favour of a newer event", { code = "full" })
end

--- A newer event has replaced the event. Its sender wanted that, so it is no failure.
function methods:replace(event)
  settle(self, "replaced", { event }, replaced)
end

--- Logs how many events are lost: nothing is left that could send them.
function methods:leak(events)
  callback.log(self.log, "error", ("%d events were never sent: the publisher was collected without close()"):format(
    events), { code = "closed", left = events })
end

--- The counts so far.
-- @treturn table `sent`, `failed`, `dropped`, `replaced`, `retried` (events), `calls`; a fresh one
function methods:stats()
  local stats = {}
  for name, count in pairs(self.counts) do
    stats[name] = count
  end
  return stats
end

return outcomes
