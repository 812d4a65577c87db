--- Batches in flight: taken from the queue, sent, judged, sent again, settled.
-- A source for the drivers, see pusher.driver.choose.
--
-- A batch holds its lanes from the moment it is taken until its last event is settled, also while it waits to be sent
-- again, so nothing overtakes it. It is encoded once, and signed afresh each time it is sent.

local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local leak_guard = require "pusher.publisher.leak_guard"
local retry = require "pusher.base.retry"
local schedule = require "pusher.base.schedule"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local delivery = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.delivery" }

-- The server found fault with what the batch holds, and accepted nothing of it.
local FAULTY = { [400] = true, [413] = true, [422] = true }

--- Makes a delivery without batches.
-- @tparam table client see pusher.publisher
-- @tparam table settings as settings.check returns
-- @tparam table queue
-- @tparam table outcomes
function delivery.new(client, settings, queue, outcomes)
  local self = setmetatable({
    client = client,
    parse = client.max_batch == 1 and client.parse.published or client.parse.batch,
    queue = queue,
    outcomes = outcomes,
    now = settings.now,
    retry = settings.retry,
    max_in_flight = settings.max_in_flight,
    max_batch = client.max_batch,
    batches = {}, -- set of those that are not settled
    count = 0, -- of these
    events = 0, -- in them
    waiting = schedule.new(), -- batches to be sent again
    paused_until = 0, -- no request before this time (Retry-After)
    judged = 0, -- calls whose outcome is known
  }, metatable)
  self.leak_guard = leak_guard.new(function()
    if self:unsettled() > 0 then
      outcomes:leak(self:unsettled())
    end
  end)
  return self
end

--- How many events are in batches that are not settled.
function methods:in_flight()
  return self.events
end

--- How many events are not settled, those in the queue included.
function methods:unsettled()
  return self.queue:size() + self.events
end

-- When the queue has a batch, unless as many as allowed are in flight.
local function fresh_due(self)
  return self.count < self.max_in_flight and self.queue:due(self.max_batch) or nil
end

local function take_fresh(self, now)
  local events, lanes = self.queue:take(self.max_batch, now)
  if not events then
    return nil
  end
  local batch = { events = events, lanes = lanes, attempts = 0, waits = false }
  self.batches[batch] = true
  self.count = self.count + 1
  self.events = self.events + #events
  return batch
end

--- The next batch to send: one whose time to be sent again has come, or a new one.
-- @treturn table|nil batch
function methods:next()
  local fresh = fresh_due(self)
  if not fresh and self.waiting.size == 0 then
    return nil -- the idle path: no clock is read
  end
  local now = self.now()
  local batch = now >= self.paused_until and (self.waiting:take(now) or fresh and take_fresh(self, now))
  if batch then
    batch.waits, batch.attempts = false, batch.attempts + 1
  end
  return batch or nil
end

--- When `next` will have a batch, if nothing else happens.
-- @treturn number|nil a time of the clock `now`
function methods:due()
  local due, fresh = self.waiting:due(), fresh_due(self)
  if fresh then
    due = due and math.min(due, fresh) or fresh
  end
  return due and math.max(due, self.paused_until)
end

--- When an event that is added now will be sent.
-- @treturn number a time of the clock `now`
function methods:due_when_added()
  return self.queue:due_when_added(self.max_batch)
end

--- Sends what is ready without lingering.
function methods:hurry()
  self.queue:hurry()
end

local function send_later(self, batch, due)
  batch.waits = true
  self.waiting:add(batch, due)
end

local function settle(self, batch)
  self.batches[batch] = nil
  self.count = self.count - 1
  self.queue:release(batch.lanes)
end

-- The events of a faulty batch are sent one by one, in order, so that one bad event does not take the others with it.
local function send_next_single(self, batch)
  local event = batch.singles and table.remove(batch.singles, 1)
  if not event then
    return false
  end
  batch.events, batch.body, batch.attempts = { event }, nil, 0
  send_later(self, batch, 0)
  return true
end

-- From here on the events belong to no batch: on_result, which is called for each of them, may close the publisher.
local function take_events(self, batch)
  local events = batch.events
  batch.events = {}
  self.events = self.events - #events
  return events
end

-- Whether the failed batch will be sent again.
local function try_again(self, batch, details)
  local now = self.now()
  local retry_after = http.wait(details.retry_after)
  if retry_after then
    self.paused_until = math.max(self.paused_until, now + retry_after)
  end
  if not details.retryable or batch.attempts >= self.retry.attempts then
    return false
  end
  self.outcomes:count("retried", #batch.events)
  send_later(self, batch, now + retry.delay(self.retry, batch.attempts, retry_after, retry.chance(self.client.random)))
  return true
end

--- Judges a batch by what the transport returned for its call.
function methods:judge(batch, result, message, details)
  if not self.batches[batch] then
    return -- it was given up
  end
  batch.pending = nil
  self.judged = self.judged + 1
  if result then
    self.outcomes:deliver(take_events(self, batch), result)
  elseif try_again(self, batch, details) then
    return
  elseif FAULTY[details.status] and #batch.events > 1 then
    batch.singles = batch.events
  else
    self.outcomes:fail(take_events(self, batch), message, details)
  end
  -- on_result may have given it up.
  if self.batches[batch] and not send_next_single(self, batch) then
    settle(self, batch)
  end
end

-- Servers without batches accept the text of one event unchanged.
local function request(self, batch)
  local client = self.client
  if client.is_closed() then
    return errors.fail("closed", "the client is closed")
  elseif self.max_batch == 1 then
    return client.build("POST", "/events", nil, batch.events[1].text)
  elseif not batch.body then
    local texts = {}
    for index, event in ipairs(batch.events) do
      texts[index] = event.text
    end
    batch.body = client.payload:join(texts)
  end
  return client.build("POST", "/batch_events", nil, batch.body)
end

--- Sends a batch. It is judged at once, or when its pending is done.
-- @tparam table batch
-- @tparam[opt] number max_seconds that the call may take; the client's timeout if that is less
function methods:send(batch, max_seconds)
  local signed, message, details = request(self, batch)
  if not signed then
    return self:judge(batch, nil, message, details)
  end
  signed.once = self.retry.attempts == 1
  signed.timeout = max_seconds and math.min(max_seconds, signed.timeout) or signed.timeout
  self.outcomes:count("calls", 1)
  batch.pending = driver.send(self.client.transport, signed, self.parse, self.judge, self, batch)
end

local function append(list, events)
  for _, event in ipairs(events) do
    list[#list + 1] = event
  end
end

--- Ends all events as failed; with `keep_in_flight`, all but those whose call is in flight.
function methods:abandon(message, details, keep_in_flight)
  local given_up, events = {}, {}
  for batch in pairs(self.batches) do
    given_up[#given_up + 1] = (batch.waits or not keep_in_flight) and batch or nil
  end
  self.waiting = schedule.new()
  for _, batch in ipairs(given_up) do
    append(events, take_events(self, batch))
    batch.events = batch.singles or {}
    append(events, take_events(self, batch))
    settle(self, batch)
  end
  append(events, self.queue:drain())
  for _, batch in ipairs(given_up) do
    driver.cancel(batch.pending)
  end
  self.outcomes:fail(events, message, details)
end

return delivery
