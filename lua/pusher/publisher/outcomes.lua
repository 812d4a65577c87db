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

local TRIES = 2

local FULL = { code = "full" }

-- Each event gets details of its own.
local function failure(_, _, message, details)
  return errors.fail(details.code, message, details)
end

local function replaced()
  return { replaced = true }
end

local function call_back(self, event, index, result_of, a, b)
  local reported = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
  local result, message, details = result_of(event, index, a, b)
  event.text = nil -- not needed any more: the event is reported
  return self.on_result(reported, result, message, details)
end

local function log_raised(self, event, raised)
  callback.log_raised(self.log, "on_result", { channel = event.channel, event = event.name }, raised)
end

-- Memory may be short before on_result is called: then the event keeps its text.
local function report(self, event, index, result_of, a, b)
  local ok, raised = pcall(call_back, self, event, index, result_of, a, b)
  if not ok and not event.text then
    pcall(log_raised, self, event, raised)
  end
  return not event.text
end

-- Named arguments, not `...`: LuaJIT compiles no loop that passes `...` on.
local function report_rest(self, events, result_of, a, b)
  for index, event in ipairs(events) do
    if event.text and not report(self, event, index, result_of, a, b) then
      return
    end
  end
end

-- Events that are not reported then remain so. Lua 5.1 and LuaJIT do not collect garbage when memory is short.
local function try_to_report(self, last, f, subject, a, b, c, d)
  for _ = 1, TRIES do
    pcall(self.callbacks.call, self.callbacks, "on_result", nil, f, self, subject, a, b, c, d)
    if not last.text then
      return
    end
    collectgarbage()
  end
end

local function report_all(self, events, result_of, a, b)
  local last = events[#events]
  if self.on_result and last then
    try_to_report(self, last, report_rest, events, result_of, a, b)
    if last.text then
      error("not enough memory", 0)
    end
  end
end

local function settle_one(self, outcome, event, result_of, a, b)
  self:count(outcome, 1)
  if self.on_result then
    try_to_report(self, event, report, event, 1, result_of, a, b)
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

--- Reports events that are counted as sent: the server has accepted them. May raise when memory is short; called again,
-- it reports those that are left.
function methods:report_sent(events, response)
  report_all(self, events, attributes_of, response)
end

--- The same for events that are counted as failed.
function methods:report_failed(events, message, details)
  report_all(self, events, failure, message, details)
end

--- The event was dropped in favour of a newer one.
function methods:drop(event)
  settle_one(self, "dropped", event, failure, "dropped from a full queue in favour of a newer event", FULL)
end

--- A newer event has replaced the event. Its sender wanted that, so it is no failure.
function methods:replace(event)
  settle_one(self, "replaced", event, replaced)
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
