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
    on_result = on_result or false,
    log = log,
    callbacks = callback.new(log),
    calls = 0, -- of on_result
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
local function failure(_, index, message, details)
  local _, _, own = errors.fail(details.code, message, details)
  if type(own.attempts) == "table" then
    own.attempts = own.attempts[index] or 0
  end
  return nil, message, own
end

local function dropped()
  return errors.fail("full", "dropped from a full queue in favour of a newer event")
end

-- Allocates first, then takes the event's text away, then calls on_result: an event without text has been reported.
local function call_back(self, event, index, result_of, a, b)
  local reported = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
  local result, message, details = result_of(event, index, a, b)
  event.text = nil
  self.calls = self.calls + 1
  return self.on_result(reported, result, message, details)
end

-- The event is a fresh table: on_result can have it.
local function call_back_replaced(self, event)
  local result = { replaced = true }
  self.calls = self.calls + 1
  return self.on_result(event, result)
end

local function log_raised(self, channel, name, raised)
  callback.log_raised(self.log, "on_result", { channel = channel, event = name }, raised)
end

-- Named arguments, not `...`: LuaJIT compiles no loop that passes `...` on.
local function report_rest(self, events, result_of, a, b)
  for index, event in ipairs(events) do
    local ok, raised = true, nil
    if event.text then
      ok, raised = pcall(call_back, self, event, index, result_of, a, b)
    end
    if event.text then
      return -- memory is short
    elseif not ok then
      pcall(log_raised, self, event.channel, event.name, raised)
    end
  end
end

local function report(self, f, event, result_of)
  local calls, channel, name = self.calls, event.channel, event.name
  local ok, raised = pcall(f, self, event, 1, result_of)
  if not ok and self.calls > calls then
    pcall(log_raised, self, channel, name, raised)
  end
end

local function call(self, f, a, b, c, d)
  pcall(self.callbacks.call, self.callbacks, "on_result", nil, f, self, a, b, c, d)
end

-- Lua 5.1 and LuaJIT do not collect garbage when memory is short, so report_all and report_one do, and try again.
local TRIES = 2

-- Raises when memory is still short; called again, it reports the events that are left.
local function report_all(self, events, result_of, a, b)
  local last = self.on_result and events[#events]
  for _ = 1, last and TRIES or 0 do
    call(self, report_rest, events, result_of, a, b)
    if not last.text then
      return
    end
    collectgarbage()
  end
  if last then
    error(callback.OUT_OF_MEMORY, 0)
  end
end

local function report_one(self, outcome, f, event, result_of)
  local calls = self.calls
  self:count(outcome, 1)
  for _ = 1, self.on_result and TRIES or 0 do
    call(self, report, f, event, result_of)
    if self.calls > calls then
      return
    end
    collectgarbage()
  end
end

--- Whether the caller has been called from on_result.
function methods:is_reporting()
  local callbacks = self.callbacks
  return callbacks.depth > 0 and callbacks:is_inside()
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

--- The same for events that are counted as failed. `details.attempts` may be a table, by an event's place: none is 0.
function methods:report_failed(events, message, details)
  report_all(self, events, failure, message, details)
end

--- The event was dropped in favour of a newer one.
function methods:drop(event)
  report_one(self, "dropped", call_back, event, dropped)
end

--- A newer event has replaced the event. Its sender wanted that, so it is no failure.
-- @tparam table event `{ channel =, name =, replace =, tag = }`, which on_result gets
function methods:replace(event)
  report_one(self, "replaced", call_back_replaced, event)
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
