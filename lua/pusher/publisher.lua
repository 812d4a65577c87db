--- Events in the background: accepted at once, sent in batches, tried again, told of once.
--
-- What holds:
-- * An accepted event ends in exactly one on_result(event, result, message, details). `event` is
--   `{ channel =, name =, replace =, tag = }` as given to trigger. `result` is a table: what `info` asked for,
--   `{ replaced = true }` for an event that a newer one has replaced; nil is the failure, with
--   code `full` for an event dropped in favour of newer ones, `closed` for one that close() gave up (when it was
--   under way just then, it may have arrived).
-- * The events of a channel arrive in the order they were accepted, also across retries: none leaves
--   before the one ahead of it is settled. Channels do not wait for each other, except within one batch.
-- * An event is sent again only after a failure that may pass, at most `retry.attempts` times. When the answer to
--   a call was lost, subscribers may get its events twice; with attempts = 0 they never do.
-- * A batch that the server finds faulty (400, 413, 422) is sent again event by event.
-- * A replaced event leaves its place in the order to the one that replaces it.
--
-- The publisher's parts: queue (what waits), delivery (what is on its way), outcomes (what became of it), and
-- a driver for the kind of transport, which moves the batches.

local core = require "pusher.core"
local delivery = require "pusher.publisher.delivery"
local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local outcomes = require "pusher.publisher.outcomes"
local queue = require "pusher.publisher.queue"
local settings = require "pusher.publisher.settings"
local arguments = require "pusher.base.arguments"

local publisher = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher" }

local argument = arguments.check

local PARAMS = { socket_id = true, info = true, replace = true, tag = true }

-- How many pairs of channel and event are remembered as checked.
local MAX_HEADS = 1024

local DEFAULT_WAIT = 10 -- seconds

function metatable.__tostring(self)
  return ("pusher.publisher (%d waiting, %d in flight%s)"):format(self.queue.waiting, self.delivery.events,
    self.closed and ", closed" or "")
end

--- Makes a publisher; users call `client:publisher(options)`.
-- @tparam client client it stays the caller's: closing the publisher does not close it
-- @tparam[opt] table options see README "Publisher"
-- @treturn publisher|nil
function publisher.new(client, options)
  local checked, message, details = settings.check(options)
  if not checked then
    return nil, message, details
  end
  checked.now = checked.now or core.now
  local book = outcomes.new(checked.on_result, client.settings.log or driver.log)
  local waiting = queue.new(checked)
  local moving = delivery.new(client, checked, waiting, book)
  return setmetatable({
    client = client,
    payload = client.payload,
    queue = waiting,
    delivery = moving,
    outcomes = book,
    driver = driver.new {
      source = moving, transport = client.transport, timeout = client.settings.timeout,
      now = checked.now, sleep = checked.sleep or core.sleep,
    },
    now = checked.now,
    drops = checked.overflow == "drop_oldest",
    heads = {}, -- what begins the text of an event, by channel and event name
    head_count = 0,
    closed = false,
  }, metatable)
end

-- The checks of channel and event are made once for each pair that is in use.
local function head_of(self, channel, event)
  local heads = self.heads[channel]
  local head = heads and heads[event]
  if head then
    return head
  end
  local message, details
  head, message, details = self.payload:head(channel, event)
  if not head then
    return nil, message, details
  end
  if self.head_count >= MAX_HEADS then
    self.heads, self.head_count, heads = {}, 0, nil
  end
  if not heads then
    heads = {}
    self.heads[channel] = heads
  end
  heads[event] = head
  self.head_count = self.head_count + 1
  return head
end

-- An event name has no control character, so the zero byte parts it from the key.
local function slot_of(event, params)
  local key = params.replace
  if key == nil then
    return nil
  elseif type(key) ~= "string" and type(key) ~= "number" then
    return errors.fail("invalid", "replace must be a string or a number", { field = "replace" })
  end
  return event .. "\0" .. key
end

-- Puts the new text where the old one waits. The old event is told of as it was.
local function take_over(self, waiting, text, tag)
  local old = { channel = waiting.channel, name = waiting.name, key = waiting.key, tag = waiting.tag }
  waiting.text, waiting.tag = text, tag
  self.outcomes.accepted = self.outcomes.accepted + 1
  self.outcomes:replace(old)
  return true
end

local function accept(self, channel, event, text, params, slot)
  if self.driver.prepare then
    local ok, message, details = self.driver:prepare()
    if not ok then
      return nil, message, details
    end
  end
  local dropped = self.queue.waiting >= self.queue.max_queue and self.queue:drop()
  local entry = { channel = channel, name = event, text = text, next = nil }
  if params then
    entry.key, entry.tag = params.replace, params.tag
  end
  self.queue:push(entry, slot, self.now)
  self.outcomes.accepted = self.outcomes.accepted + 1
  if dropped then
    self.outcomes:drop(dropped)
  end
  return true
end

local function refuse(self)
  if self.closed or self.client.closed then
    return errors.fail("closed", self.closed and "the publisher is closed" or "the client is closed")
  end
  return errors.fail("full", ("%d events wait already; see max_queue and overflow"):format(self.queue.waiting),
    { limit = self.queue.max_queue })
end

-- The values are sound; may the event enter, and where?
local function enter(self, channel, event, data, params)
  local slot, waiting, message, details
  if params then
    local ok
    ok, message, details = arguments.members(params, PARAMS, "trigger parameter")
    if ok then
      slot, message, details = slot_of(event, params)
    end
    if details then
      return nil, message, details
    end
    waiting = slot and self.queue:find(channel, slot)
  end
  if not waiting and not self.drops and self.queue.waiting >= self.queue.max_queue then
    return refuse(self)
  end
  local head, text
  head, message, details = head_of(self, channel, event)
  if head then
    text, message, details = self.payload:compose(head, channel, data, params)
  end
  if not text then
    return nil, message, details
  elseif waiting then
    return take_over(self, waiting, text, params.tag)
  end
  return accept(self, channel, event, text, params, slot)
end

--- Accepts an event for sending and returns at once. The data is checked, encoded and, for an encrypted
-- channel, sealed here; whatever becomes of the event later, on_result is told.
-- @tparam string channel
-- @tparam string event its name
-- @param data a string goes as it is, anything else is encoded as JSON
-- @tparam[opt] table params `socket_id` and `info` as in client:trigger; `replace` = a string or number: a
--   waiting event of the same channel, name and key is replaced; `tag` = any value, given back to on_result
-- @treturn true|nil
function methods:trigger(channel, event, data, params)
  if type(channel) ~= "string" then
    argument("trigger", 1, channel, "string")
  elseif type(event) ~= "string" then
    argument("trigger", 2, event, "string")
  elseif params ~= nil then
    argument("trigger", 4, params, "table or nil")
  end
  if self.closed or self.client.closed then
    return refuse(self)
  end
  return enter(self, channel, event, data, params)
end

local function check_seconds(call, seconds, default)
  if seconds == nil then
    return default
  end
  if not (seconds >= 0 and seconds < math.huge) then
    return errors.fail("invalid", call .. " takes seconds, 0 or more", { field = "seconds" })
  end
  return seconds
end

local function left(self)
  return self.queue.waiting + self.delivery.events
end

-- With the client closed nothing can be sent any more.
local function ends_with_client(self)
  if self.client.closed then
    self.delivery:abandon("the client is closed", { code = "closed" })
  end
  return self.client.closed
end

--- Does what there is to do, and drives the transport: async's `step` is called here. Over a transport that
-- blocks, at most one batch is sent. Does nothing when called from on_result.
-- @tparam[opt=0] number seconds how long it may wait for the network; a call of a blocking transport has its
--   own timeout
-- @treturn number|nil how many events are not settled yet
function methods:step(seconds)
  if seconds ~= nil then
    argument("step", 1, seconds, "number")
    local message, details
    seconds, message, details = check_seconds("step", seconds)
    if not seconds then
      return nil, message, details
    end
  end
  if self.outcomes:is_telling() then
    return left(self)
  elseif ends_with_client(self) then
    return errors.fail("closed", "the client is closed")
  end
  local ok, message, details = self.driver:advance(seconds or 0)
  if not ok then
    return nil, message, details
  end
  return left(self)
end

--- Sends what waits, without lingering, until everything is settled or the time is over.
-- @tparam[opt=10] number seconds
-- @treturn true|nil with code `timeout` and `details.left`, the events that are not settled
function methods:flush(seconds)
  argument("flush", 1, seconds, "number or nil")
  local message, details
  seconds, message, details = check_seconds("flush", seconds, DEFAULT_WAIT)
  if not seconds then
    return nil, message, details
  elseif self.outcomes:is_telling() then
    return errors.fail("invalid", "on_result cannot wait for other events", { left = left(self) })
  end
  local deadline = self.now() + seconds
  while left(self) > 0 and not ends_with_client(self) do
    local rest = deadline - self.now()
    if rest <= 0 then
      return errors.fail("timeout", ("%d events are not settled yet"):format(left(self)), { left = left(self) })
    end
    self.delivery:hurry()
    local ok
    ok, message, details = self.driver:advance(rest, true)
    if not ok and not self.client.closed then
      details.left = left(self)
      return nil, message, details
    end
  end
  return true
end

--- Refuses new events, flushes, and ends what is left as failed with code `closed`.
-- @tparam[opt=10] number seconds for the flush
-- @treturn true|nil with `details.left`, the events that were given up
function methods:close(seconds)
  argument("close", 1, seconds, "number or nil")
  local message, details
  seconds, message, details = check_seconds("close", seconds, DEFAULT_WAIT)
  if not seconds then
    return nil, message, details
  end
  self.closed = true
  if seconds > 0 and not self.outcomes:is_telling() then
    local ok
    ok, message, details = self:flush(seconds)
    if not ok and details.code == "invalid" then
      self.closed = false
      return nil, message, details
    end
  end
  local given_up = left(self)
  self.delivery:abandon("the publisher was closed before the event was sent", { code = "closed" })
  if given_up > 0 then
    return errors.fail("closed", ("closed with %d events unsent"):format(given_up), { left = given_up })
  end
  return true
end

--- Counts of events, but for `calls`.
-- `accepted` = `queued` + `in_flight` + `sent` + `failed` + `dropped` + `replaced`, always.
-- @treturn table `queued`, `in_flight`, `sent`, `failed`, `dropped`, `replaced`; `retried`: how often events were
--   sent again; `accepted`; `calls`: HTTP calls made
function methods:stats()
  local book = self.outcomes
  return {
    queued = self.queue.waiting,
    in_flight = self.delivery.events,
    sent = book.sent,
    failed = book.failed,
    dropped = book.dropped,
    replaced = book.replaced,
    retried = book.retried,
    accepted = book.accepted,
    calls = book.calls,
  }
end

-- The protocol of cqueues, for event loops. A transport without it has nothing to watch.
local function ask(self, name)
  local transport = self.client.transport
  return transport[name] and transport[name](transport)
end

--- The descriptor that is readable when `step` has something to do.
-- @treturn number|nil
function methods:pollfd()
  return ask(self, "pollfd")
end

--- What to watch the descriptor for.
-- @treturn string|nil
function methods:events()
  return ask(self, "events")
end

--- When `step` should be called next, if nothing happens before.
-- @treturn number|nil seconds from now
function methods:timeout()
  local due = self.delivery:due()
  local own = due and math.max(0, due - self.now())
  local its = ask(self, "timeout")
  return own and its and math.min(own, its) or own or its
end

return publisher
