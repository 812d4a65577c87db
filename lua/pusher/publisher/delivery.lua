--- Batches on their way: taken from the queue, sent, judged, sent again, settled.
--
-- A batch holds its lanes from the moment it is taken until its last event is
-- settled, also while it waits to be sent again; so nothing overtakes it. It is
-- encoded once, and signed afresh each time it is sent.

local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local leak_guard = require "pusher.publisher.leak_guard"
local payload = require "pusher.channels.payload"
local retry = require "pusher.base.retry"

local delivery = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.delivery" }

-- The server found fault with what the batch holds, and took nothing of it.
local FAULTY = { [400] = true, [413] = true, [422] = true }

--- @tparam table client whose transport carries the batches
-- @tparam table settings as settings.check returns, with `now`
-- @tparam table queue
-- @tparam table outcomes
function delivery.new(client, settings, queue, outcomes)
  local self = setmetatable({
    client = client,
    queue = queue,
    outcomes = outcomes,
    now = settings.now,
    retry = settings.retry,
    max_in_flight = settings.max_in_flight,
    max_batch = client.settings.max_batch,
    batches = {}, -- set of those that are not settled
    count = 0, -- of these
    events = 0, -- in them
    again = nil, -- list of those to be sent again, by the time that is due
    silent_until = 0, -- the server asked for peace (Retry-After)
    judged = 0, -- calls whose outcome is known
  }, metatable)
  leak_guard.set(self, function()
    local lost = queue.waiting + self.events
    if lost > 0 then
      outcomes.log("error", ("%d events were never sent: their publisher was dropped without close()"):format(lost), {
        code = "closed", left = lost,
      })
    end
  end)
  return self
end

local function chance(self)
  local high, low = self.client.settings.random(2):byte(1, 2)
  return (high * 256 + low) / 65536
end

local function send_later(self, batch, due)
  batch.due = due
  local before, after = nil, self.again
  while after and after.due <= due do
    before, after = after, after.later
  end
  batch.later = after
  if before then
    before.later = batch
  else
    self.again = batch
  end
end

--- The next batch to send: one whose time to be sent again has come, or a new one.
-- @treturn table|nil
function methods:next()
  local again, queue = self.again, self.queue
  if not again and (queue.ready == 0 or self.count >= self.max_in_flight) then
    return nil -- the idle path: no clock is read
  end
  local now = self.now()
  if now < self.silent_until then
    return nil
  elseif again and again.due <= now then
    self.again, again.later, again.due = again.later, nil, nil
    return again
  elseif self.count >= self.max_in_flight then
    return nil
  end
  local events, lanes = queue:take(self.max_batch, now)
  if not events then
    return nil
  end
  local batch = { events = events, lanes = lanes, attempt = 0 }
  self.batches[batch] = true
  self.count = self.count + 1
  self.events = self.events + #events
  return batch
end

--- When `next` will have a batch, if nothing else happens.
-- @treturn number|nil a time of the clock `now`
function methods:due()
  local due = self.again and self.again.due
  local queue = self.queue
  if queue.ready > 0 and self.count < self.max_in_flight then
    local fresh = queue.ready >= self.max_batch and 0 or queue.due
    due = due and math.min(due, fresh) or fresh
  end
  return due and math.max(due, self.silent_until)
end

--- When an event that is added now would be sent.
-- @treturn number a time of the clock `now`
function methods:due_when_added()
  return self.queue.ready + 1 >= self.max_batch and 0 or self.now() + self.queue.linger
end

--- Lets what is ready go now, company or not.
function methods:hurry()
  self.queue:hurry()
end

local function settle(self, batch)
  self.batches[batch] = nil
  self.count = self.count - 1
  self.queue:release(batch.lanes)
end

-- What a failed batch holds is tried one by one, in order, so that one bad
-- event does not take the others with it.
local function send_next_single(self, batch)
  local event = batch.singles and table.remove(batch.singles, 1)
  if not event then
    return false
  end
  batch.events, batch.body, batch.attempt = { event }, nil, 0
  send_later(self, batch, 0)
  return true
end

-- From here on the events are told of, and belong to no batch: on_result may close the publisher.
local function take_events(self, batch)
  local events = batch.events
  batch.events = {}
  self.events = self.events - #events
  return events
end

-- What the answer tells of one event: of a batch by its place, of a single event by its channel.
local function attributes_of(result, index, channel)
  local list = type(result) == "table" and (result.batch or result.channels)
  return type(list) == "table" and list[result.batch and index or channel] or nil
end

local function deliver(self, batch, result)
  for index, event in ipairs(take_events(self, batch)) do
    self.outcomes:deliver(event, attributes_of(result, index, event.channel))
  end
end

local function fail(self, batch, message, details)
  for _, event in ipairs(take_events(self, batch)) do
    self.outcomes:fail(event, message, details)
  end
end

-- Whether the failed batch will be sent again.
local function try_again(self, batch, details)
  local now = self.now()
  local retry_after = tonumber(details.retry_after)
  if retry_after then
    local until_then = now + math.min(retry_after, retry.MAX_RETRY_AFTER)
    self.silent_until = math.max(self.silent_until, until_then)
  end
  if not details.retryable or batch.attempt >= self.retry.attempts then
    return false
  end
  batch.attempt = batch.attempt + 1
  self.outcomes.retried = self.outcomes.retried + #batch.events
  send_later(self, batch, now + retry.delay(self.retry, batch.attempt, retry_after, chance(self)))
  return true
end

--- Judges what became of a batch that was sent.
-- @tparam table batch
-- @param result, message, details as the transport returned them
function methods:judge(batch, result, message, details)
  if not self.batches[batch] then
    return -- given up meanwhile
  end
  batch.pending = nil
  self.judged = self.judged + 1
  if result then
    deliver(self, batch, result)
  else
    if try_again(self, batch, details) then
      return
    elseif FAULTY[details.status] and #batch.events > 1 then
      batch.singles = batch.events
    else
      fail(self, batch, message, details)
    end
  end
  -- on_result may have given it up.
  if self.batches[batch] and not send_next_single(self, batch) then
    settle(self, batch)
  end
end

local function body_of(batch)
  local texts = {}
  for index, event in ipairs(batch.events) do
    texts[index] = event.text
  end
  return payload.join(texts)
end

-- Servers without batches take the text of one event as it is.
local function request(self, batch)
  local client = self.client
  if client.closed then
    return errors.fail("closed", "the client is closed")
  elseif self.max_batch == 1 then
    return client.build("POST", "/events", nil, batch.events[1].text)
  end
  batch.body = batch.body or body_of(batch)
  return client.build("POST", "/batch_events", nil, batch.body)
end

--- Sends a batch. What becomes of it is judged at once, or when its pending is done.
-- @tparam table batch
-- @tparam[opt] number limit seconds that the call may take, when that is less than the client's timeout
function methods:send(batch, limit)
  local signed, message, details = request(self, batch)
  if not signed then
    return self:judge(batch, nil, message, details)
  end
  signed.once = self.retry.attempts == 0
  signed.timeout = limit and math.min(limit, signed.timeout) or signed.timeout
  self.outcomes.calls = self.outcomes.calls + 1
  local client = self.client
  local parse = self.max_batch == 1 and client.parse.published or client.parse.batch
  batch.pending = driver.send(client.transport, signed, parse, function(...)
    return self:judge(batch, ...)
  end)
end

--- Gives up what waits, and ends it as failed.
-- @tparam string message
-- @tparam table details
-- @tparam[opt] boolean spare whether the batches that are being sent right now are left alone
function methods:abandon(message, details, spare)
  local given_up = {}
  for batch in pairs(self.batches) do
    given_up[#given_up + 1] = (batch.due or not spare) and batch or nil
  end
  self.again = nil
  for _, batch in ipairs(given_up) do
    self.batches[batch] = nil
    self.count = self.count - 1
  end
  local waiting = self.queue:drain()
  for _, batch in ipairs(given_up) do
    if batch.pending then
      batch.pending:cancel()
    end
    fail(self, batch, message, details)
    batch.events = batch.singles or {}
    fail(self, batch, message, details)
  end
  for _, event in ipairs(waiting) do
    self.outcomes:fail(event, message, details)
  end
end

return delivery
