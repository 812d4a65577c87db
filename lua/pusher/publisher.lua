--- Background publishing: queues events, sends them in batches, retries, and reports each event exactly once.
-- What it guarantees is in docs/publisher.md.
--
-- Its parts: queue (what waits), delivery (batches in flight), outcomes (what became of events), heads, settings; and a
-- driver, chosen by the kind of transport, which moves the batches.

local arguments = require "pusher.base.arguments"
local delivery = require "pusher.publisher.delivery"
local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local heads = require "pusher.publisher.heads"
local json = require "pusher.base.json"
local outcomes = require "pusher.publisher.outcomes"
local queue = require "pusher.publisher.queue"
local settings = require "pusher.publisher.settings"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local publisher = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher" }

local argument = arguments.check

local DEFAULT_WAIT = 10 -- seconds

function metatable.__tostring(self)
  return ("pusher.publisher (%d waiting, %d in flight%s)"):format(self.queue:size(), self.delivery:in_flight(),
    self.closed and ", closed" or "")
end

--- Makes a publisher; users call `client:publisher(options)`.
-- @tparam table client what it needs of its client: `transport`; `timeout` (seconds); `build`, `parse` and `payload` as
--   the client has them; `max_batch` (events); `lacks_batches` = whether the server has no /batch_events, set by
--   publishers; `idempotency` = boolean; `random` = function(n) -> n bytes; `log` (optional) = function(level, message,
--   fields); `is_closed` = function() -> boolean; `is_observing` = function() -> whether `observe` called the caller
-- @local
-- @tparam[opt] table options see docs/publisher.md
-- @treturn publisher|nil a publisher; nil, message, details otherwise
function publisher.new(client, options)
  local checked, message, details = settings.check(options)
  if not checked then
    return nil, message, details
  end
  local self = setmetatable({
    payload = client.payload,
    transport = client.transport,
    is_client_closed = client.is_closed,
    is_observing = client.is_observing,
    now = checked.now,
    max_queue = checked.max_queue,
    queue = queue.new(checked),
    outcomes = outcomes.new(checked.on_result, client.log or driver.log),
    heads = heads.new(client.payload),
    -- Whether more than the text of an event is needed: to report it, or to find the oldest.
    keeps_events = checked.on_result ~= nil or checked.overflow == "drop_oldest",
    accepted = 0, -- events
    closed = false,
  }, metatable)
  if checked.idempotency == nil then
    checked.idempotency = client.idempotency
  end
  self.default_key = checked.idempotency or nil -- of an event that is given none
  self.delivery = delivery.new(client, checked, self.queue, self.outcomes)
  self.driver = driver.new {
    source = self.delivery, transport = client.transport, timeout = client.timeout, now = checked.now,
    sleep = checked.sleep,
  }
  self.prepares = self.driver.prepare ~= nil
  return self
end

-- Those of pusher.channels.params.PUBLISHER, not by arguments.read: to copy the table would cost a tenth of the call.
-- @treturn true|nil true, replace, tag, socket_id, info, idempotency_key, extra
local function read_params(params)
  local replace, tag, socket_id, info, idempotency_key, extra
  for name, value in next, params do
    if name == "replace" then
      replace = value
    elseif name == "tag" then
      tag = value
    elseif name == "socket_id" then
      socket_id = value
    elseif name == "info" then
      info = value
    elseif name == "idempotency_key" then
      idempotency_key = value
    elseif name == "extra" then
      extra = value
    else
      return arguments.unknown("trigger parameter", name)
    end
  end
  return true, replace, tag, socket_id, info, idempotency_key, extra
end

-- What a later event needs to replace this one. No event name has a zero byte.
local function replace_key(event, key)
  if type(key) == "number" then -- `..` would write 14 digits of it
    key = key % 1 == 0 and json.number_text(key) or ("%.17g"):format(key)
  elseif type(key) ~= "string" then
    return errors.fail("invalid", ("replace must be a string or a number, got %s"):format(type(key)),
      { field = "replace" })
  end
  return event .. "\0" .. key
end

local function refuse_full(self)
  return errors.fail("full", ("the queue is full: %d events are waiting; see max_queue and overflow"):format(
    self.queue:size()), { limit = self.max_queue })
end

local function enqueue(self, channel, event, text, key, replace, tag)
  if self.prepares then
    local ok, message, details = self.driver:prepare()
    if not ok then
      return nil, message, details
    end
  end
  local entry = text
  if key ~= nil or tag ~= nil and self.keeps_events then
    entry = { channel = channel, name = event, text = text, replace = replace, tag = tag, replace_key = key }
  elseif self.keeps_events then
    entry = { channel = channel, name = event, text = text }
  end
  local ok, dropped = self.queue:push(channel, entry, key)
  if not ok then
    return refuse_full(self)
  end
  self.accepted = self.accepted + 1
  if dropped then
    self.outcomes:drop(dropped)
  end
  return true
end

local function replace_event(self, old, text, replace, tag)
  local replaced = self.queue:replace(old, text, replace, tag)
  self.accepted = self.accepted + 1
  self.outcomes:replace(replaced)
  return true
end

-- The types of the arguments are valid: replace, enqueue or refuse. `head` is that of the pair, if it is known.
local function accept(self, head, channel, event, data, key, replace, tag, socket_id, info, idempotency_key, extra)
  local queued = self.queue
  local text, message, details, _
  if not head then
    head, message, details = self.heads:make(channel, event)
  end
  -- The field is read for speed; `accepts` says the rest where the queue is full.
  if head and (queued.waiting < self.max_queue or queued:accepts() or key and queued:find(channel, key)) then
    if idempotency_key == nil then
      idempotency_key = self.default_key
    end
    text, message, details = self.payload:compose(head, channel, data, socket_id, info, idempotency_key, extra)
  elseif head then
    _, message, details = refuse_full(self)
  end
  if self.closed or self.is_client_closed() then -- if not before, then by the codec
    return errors.fail("closed", self.closed and "the publisher is closed" or "the client is closed")
  elseif not text then
    return nil, message, details
  end
  local old = key and queued:find(channel, key)
  if old then
    return replace_event(self, old, text, replace, tag)
  end
  return enqueue(self, channel, event, text, key, replace, tag)
end

local function accept_with(self, head, channel, event, data, params)
  local key, message, details
  local ok, replace, tag, socket_id, info, idempotency_key, extra = read_params(params)
  if not ok then
    return nil, replace, tag -- message, details
  elseif replace ~= nil then
    key, message, details = replace_key(event, replace)
    if not key then
      return nil, message, details
    end
  end
  return accept(self, head, channel, event, data, key, replace, tag, socket_id, info, idempotency_key, extra)
end

--- Accepts an event for sending and returns at once. The data is checked, encoded and, for an encrypted channel,
-- encrypted here; what becomes of the event later is reported to on_result.
-- @tparam string channel
-- @tparam string event its name
-- @param[opt] data a string is sent unchanged, anything else is encoded as JSON
-- @tparam[opt] table params `socket_id`, `info`, `idempotency_key` and `extra` as in client:trigger; `replace` = a
--   string or number: a waiting event of the same channel, name and key is replaced; `tag` = any value, passed to
--   on_result
-- @treturn true|nil true
-- @fails full, closed, invalid, encryption, too_large
-- @source Channels HTTP API: POST /apps/APP_ID/batch_events
function methods:trigger(channel, event, data, params)
  local head = self.heads:known(channel, event)
  if not head then -- else both are strings
    argument("trigger", 1, channel, "string")
    argument("trigger", 2, event, "string")
  end
  if params == nil then
    return accept(self, head, channel, event, data)
  end
  argument("trigger", 4, params, "table or nil")
  return accept_with(self, head, channel, event, data, params)
end

-- Once the client is closed nothing can be sent.
local function end_with_client(self)
  self.delivery:abandon("the client is closed", { code = "closed" })
  return errors.fail("closed", "the client is closed")
end

-- A batch that is being observed, or whose events are being reported, ends after that.
local function callback_around(self)
  return self.is_observing() and "observe" or self.outcomes:is_reporting() and "on_result"
end

--- Does what can be done now, and drives the transport: async's `step` is called here. Over a transport that blocks,
-- at most one batch is sent. Does nothing when called from on_result or observe.
-- @tparam[opt=0] number seconds how long to wait for the network; a call that blocks has its own timeout
-- @treturn number|nil how many events are not settled
-- @fails invalid, closed, full, and those of a custom transport's `step`
function methods:step(seconds)
  local limit, message, details = 0, nil, nil
  if seconds ~= nil then
    argument("step", 1, seconds, "number or nil")
    limit, message, details = arguments.seconds("step", seconds)
  end
  if not limit then
    return nil, message, details
  elseif callback_around(self) then
    return self.delivery:unsettled()
  elseif self.is_client_closed() then
    return end_with_client(self)
  end
  return self.driver:advance(limit)
end

--- Sends what waits, without lingering, until everything is settled or the time has passed.
-- @tparam[opt=10] number seconds
-- @treturn true|nil true
-- @fails timeout, invalid where it cannot wait, closed; `details.left` is the number of events that are not settled
function methods:flush(seconds)
  argument("flush", 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds("flush", seconds, DEFAULT_WAIT)
  local left, around = self.delivery:unsettled(), callback_around(self)
  if not limit then
    return nil, message, details
  elseif around then
    return errors.fail("invalid", "flush must not be called from " .. around, { left = left })
  end
  local deadline = self.now() + limit
  while left > 0 do
    if self.is_client_closed() then
      end_with_client(self)
      break
    end
    local rest = deadline - self.now()
    if not (rest > 0) then -- luacheck: ignore 581
      return errors.fail("timeout", ("%d events are not settled yet"):format(left), { left = left })
    end
    self.delivery:hurry()
    local ok, text, failure = self.driver:advance(rest, true)
    left = self.delivery:unsettled()
    if not ok and not self.is_client_closed() then
      failure.left = left
      return nil, text, failure
    end
  end
  return true
end

--- Refuses new events, flushes, and ends the remaining ones as failed with code `closed`.
-- @tparam[opt=10] number seconds for the flush
-- @treturn true|nil true
-- @fails closed, invalid where it cannot wait; `details.left` is the number of events that were given up
function methods:close(seconds)
  argument("close", 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds("close", seconds, DEFAULT_WAIT)
  local around = callback_around(self)
  if not limit then
    return nil, message, details
  elseif around == "observe" then -- the batch in flight may have been accepted
    return errors.fail("invalid", "close must not be called from observe", { left = self.delivery:unsettled() })
  end
  self.closed = true
  if not around then
    local ran, ok, text, failure = pcall(self.flush, self, limit)
    if not ran then -- the clock raised: nothing is lost
      self.closed = false
      error(ok, 0)
    elseif not ok and failure.code == "invalid" then
      self.closed = false
      return nil, text, failure
    end
  end
  local left = self.delivery:unsettled()
  self.delivery:abandon("the publisher was closed before the event was sent", { code = "closed" })
  if left > 0 then
    return errors.fail("closed", ("closed with %d events unsent"):format(left), { left = left })
  end
  return true
end

--- Counts events, and calls.
-- `accepted` = `queued` + `in_flight` + `sent` + `failed` + `dropped` + `replaced`, always.
-- @treturn table these, and `retried`: retries of events; `calls`: HTTP calls made
function methods:stats()
  local stats = self.outcomes:stats()
  stats.accepted, stats.queued, stats.in_flight = self.accepted, self.queue:size(), self.delivery:in_flight()
  return stats
end

-- For event loops: what cqueues expects. A transport without these methods has nothing to watch.
local function ask_transport(self, name)
  local ask = arguments.method(self.transport, name)
  return ask and ask(self.transport)
end

--- Returns the descriptor that is readable when `step` has something to do.
-- @treturn number|nil nil over a transport that has none
-- @source cqueues: objects that can be polled
function methods:pollfd()
  return ask_transport(self, "pollfd")
end

--- Returns what to watch the descriptor for.
-- @treturn string|nil "r"; nil when there is no descriptor
-- @source cqueues: objects that can be polled
function methods:events()
  return self:pollfd() and ask_transport(self, "events")
end

--- Returns when `step` should be called next, if nothing happens before.
-- @treturn number|nil seconds from now; nil when nothing waits for the time
-- @source cqueues: objects that can be polled
function methods:timeout()
  local due = self.delivery:due()
  local own = due and math.max(0, due - self.now())
  local other = ask_transport(self, "timeout")
  return own and other and math.min(own, other) or own or other
end

return publisher
