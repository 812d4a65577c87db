--- Batches in flight: taken from the queue, sent, judged, sent again, settled.
-- A source for the drivers, see pusher.driver.choose.
--
-- A batch holds its lanes from the moment it is taken until its last event is settled, also while it waits to be sent
-- again, so nothing overtakes it. It is encoded once, and signed afresh each time it is sent.
--
-- When memory is short and something raises, the batch is marked as interrupted, and `next` returns it once more, to be
-- sent or judged.

local batches = require "pusher.publisher.batch"
local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local fallback = require "pusher.publisher.fallback"
local leak_guard = require "pusher.publisher.leak_guard"
local list = require "pusher.base.list"
local retries = require "pusher.publisher.retries"
local stack = require "pusher.base.stack"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local delivery = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.delivery" }

-- What is known of a call that was interrupted: it may have been made.
local INTERRUPTED, INTERRUPTED_DETAILS = "not enough memory to send the events", { code = "network", retryable = true }

--- Makes a delivery without batches.
-- @tparam table client see pusher.publisher
-- @tparam table settings as settings.check returns
-- @tparam table queue
-- @tparam table outcomes
function delivery.new(client, settings, queue, outcomes)
  local self = setmetatable({
    client = client,
    queue = queue,
    outcomes = outcomes,
    now = settings.now,
    once = settings.retry.attempts == 1, -- whether no call is repeated
    max_in_flight = settings.max_in_flight,
    max_batch = client.max_batch,
    batches = list.new(), -- those that are not settled
    event_count = 0, -- events in them
    interrupted = false, -- whether there may be batches that are
    taken = false, -- the batch that `next` has returned and `send` not begun to send
    retries = retries.new(settings, client.random),
    log = client.log or driver.log_errors,
    judged = 0, -- calls whose outcome is known
  }, metatable)
  self.leak_guard = leak_guard.new(function()
    if self:unsettled() > 0 then
      outcomes:leak(self:unsettled())
    end
  end)
  return self
end

--- How many events are in batches.
function methods:in_flight()
  return self.event_count
end

--- Events queued or in batches; one more while a batch is interrupted, so that a caller does not stop.
function methods:unsettled()
  return self.queue:size() + self.event_count + (self.interrupted and 1 or 0)
end

local function max_events(self)
  return self.client.lacks_batches and 1 or self.max_batch
end

-- When the queue has a batch, unless as many as allowed are in flight.
local function fresh_due(self)
  return self.batches.size < self.max_in_flight and self.queue:due(max_events(self)) or nil
end

local function take_fresh(self, now)
  local batch = batches.new()
  local events, lanes = self.queue:take(max_events(self), now)
  if not events then
    return nil
  end
  batch.events, batch.lanes = events, lanes
  self.batches:push(batch)
  self.event_count = self.event_count + #events
  return batch
end

local function find_interrupted(self)
  local batch = self.batches.first
  while batch and not batch.interrupted do
    batch = batch.next
  end
  self.interrupted = batch and true or false
  return batch
end

--- The next batch to send: one that was interrupted, one whose time to be sent again has come, or a new one.
-- @treturn table|nil batch
function methods:next()
  local unfinished = self.interrupted and find_interrupted(self) or self.taken
  if unfinished then
    return unfinished
  end
  local fresh = fresh_due(self)
  if not fresh and self.retries.size == 0 then
    return nil -- the idle path: no clock is read
  end
  local now = self.now()
  local is_due = fresh and not (now < fresh) -- luacheck: ignore 581 (a clock may return NaN)
  local batch = not self.retries:is_paused(now) and (self.retries:take(now) or is_due and take_fresh(self, now))
  if batch then
    batch.state, batch.attempts = "ready", batch.attempts + 1
    self.taken = batch
  end
  return batch or nil
end

--- When `next` will have a batch, if nothing else happens.
-- @treturn number|nil a time of the clock `now`
function methods:due()
  return self.interrupted and -math.huge or self.retries:due(fresh_due(self))
end

--- When an event that is added now will be sent.
-- @treturn number a time of the clock `now`
function methods:due_when_added()
  return self.queue:due_when_added(max_events(self))
end

--- Sends what is ready without lingering.
function methods:hurry()
  self.queue:hurry()
end

local function send_later(self, batch, due)
  self.retries:add(batch, due)
  batch.state = "waits"
end

local function settle(self, batch)
  stack.reserve()
  if batch.state == "settled" then
    return -- a finalizer has closed the publisher
  end
  batch.state = "settled"
  self.taken = self.taken ~= batch and self.taken
  self.batches:remove(batch)
  self.queue:release(batch.lanes)
end

local function send_next_single(self, batch)
  local events = fallback.next(batch)
  if events then
    send_later(self, batch, -math.huge)
    fallback.take(batch, events)
  end
  return events
end

-- From here on the events are not in flight: on_result may close the publisher. All are counted before the first one is
-- reported, so the counts agree when on_result reads them.
local function end_events(self, batch, outcome)
  stack.reserve()
  local events = batches.clear(batch)
  batch.ended = events
  self.event_count = self.event_count - #events
  self.outcomes:count(outcome, #events)
end

-- Whether the failed batch will be sent again.
local function try_again(self, batch)
  local due = self.retries:due_after(batch.attempts, batch.details)
  if due then
    send_later(self, batch, due)
    self.outcomes:count("retried", #batch.events)
  end
  return due
end

local function report(self, batch)
  local ended = batch.ended
  if ended and batch.result then
    self.outcomes:report_sent(ended, batch.result)
  elseif ended then
    self.outcomes:report_failed(ended, batch.message, batch.details)
  end
  batch.ended = false
end

-- Does what the batch's outcome asks for, or what is left of that.
local function decide(self, batch)
  fallback.judge(batch, self.client, self.log)
  local left = #batch.events > 0
  if left and batch.result then
    end_events(self, batch, "sent")
  elseif left and try_again(self, batch) then
    return
  elseif left and not fallback.begin(batch) then
    batches.add_attempts(batch)
    end_events(self, batch, "failed")
  end
  report(self, batch)
  -- on_result may have given it up.
  if batch.state == "judged" and not send_next_single(self, batch) then
    settle(self, batch)
  end
end

-- Calls f(self, batch, value); what it raises marks the batch as interrupted.
local function guard(self, batch, f, value)
  local ok, raised = pcall(f, self, batch, value)
  if not ok then
    batch.interrupted, self.interrupted = true, true
    error(raised, 0)
  end
end

local function judge_marked(self, batch, interrupted)
  batch.interrupted, self.interrupted = false, interrupted
  decide(self, batch)
end

--- Judges a batch by what the transport returned for its call.
function methods:judge(batch, result, message, details)
  if batch.state == "settled" then
    return -- it was given up
  end
  batch.pending, self.judged = false, self.judged + 1
  batch.state, batch.result, batch.message, batch.details = "judged", result, message, details
  batch.reached = batch.reached or not result and details.sent ~= false and not fallback.is_refusal(details)
  local interrupted = self.interrupted
  batch.interrupted, self.interrupted = true, true -- should there be no memory for the next call
  guard(self, batch, judge_marked, interrupted)
end

-- Servers without batches accept the text of one event unchanged.
local function request(self, batch)
  local client = self.client
  if client.is_closed() then
    return errors.fail("closed", "the client is closed")
  elseif batch.single then
    return client.build("POST", "/events", nil, batches.event_text(batch.events[1]))
  end
  return client.build("POST", "/batch_events", nil, batches.text(batch, client.payload))
end

local function start(self, batch, max_seconds)
  local client = self.client
  fallback.prepare(batch, max_events(self))
  local signed, message, details = request(self, batch)
  if not signed then
    batch.attempts = batch.attempts - 1
    return self:judge(batch, nil, message, details)
  end
  signed.once, signed.attempt = self.once, batch.attempts
  signed.timeout = max_seconds and math.min(max_seconds, signed.timeout) or signed.timeout
  if batch.state == "settled" then
    return -- a finalizer has closed the publisher
  end
  self.outcomes:count("calls", 1)
  batch.state = "in_flight"
  local parse = batch.single and client.parse.published or client.parse.batch
  batch.pending = driver.send(client.transport, signed, parse, self.judge, self, batch)
end

-- Begins, or goes on where it was interrupted.
local function resume(self, batch, max_seconds)
  batch.interrupted, self.taken = false, false
  if batch.state == "judged" then
    decide(self, batch)
  elseif batch.state == "in_flight" then
    self:judge(batch, nil, INTERRUPTED, INTERRUPTED_DETAILS)
  else
    start(self, batch, max_seconds)
  end
end

--- Sends a batch. It is judged at once, or when its pending is done.
-- @tparam table batch as `next` returned it
-- @tparam[opt] number max_seconds that the call may take; the client's timeout if that is less
function methods:send(batch, max_seconds)
  guard(self, batch, resume, max_seconds)
end

--- Ends all events as failed; with `keep_in_flight`, all but those whose call is in flight.
function methods:abandon(message, details, keep_in_flight)
  local given_up, events, attempts = batches.list_all(self.batches.first, keep_in_flight)
  local failure = { code = details.code, attempts = attempts }
  local in_batches = #events
  self.queue:drain(events)
  self.event_count = self.event_count - in_batches
  self.retries:clear()
  self.outcomes:count("failed", #events)
  for _, batch in ipairs(given_up) do
    batches.clear(batch)
    batch.singles = false
    settle(self, batch)
  end
  for _, batch in ipairs(given_up) do
    pcall(driver.cancel, batch.pending)
  end
  self.outcomes:report_failed(events, message, failure)
end

return delivery
