--- One batch: events that are sent in one call. Its fields belong to the delivery, which looks at them at each step.
--
--   state        "ready": taken, or its time to be sent again has come; "in_flight": its call may have been made;
--                "judged": the outcome of its call is known; "waits": it will be sent again; "settled": none is left
--   interrupted  whether something has raised for lack of memory, so that its state is to be looked at once more
--   events       those of its next call, or of the call that is in flight
--   body         of that call, once it is encoded
--   lanes        what the queue holds until the batch is settled
--   attempts     how many calls were made for these events
--   reached      whether one of them may have reached the server
--   pending      of the call in flight
--   result, message, details   the outcome of its call
--   ended        events that are counted, but perhaps not reported
--   singles, single, missing, made, whole_attempts, whole_reached   see pusher.publisher.fallback
--   prev, next   its neighbours in the list of batches
--
-- All fields are set in the constructor: see pusher.publisher.lane.

local errors = require "pusher.base.errors"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local batch = {}

local NO_EVENTS = {}

--- Makes a batch without events.
function batch.new()
  return {
    state = "ready", interrupted = false, events = NO_EVENTS, lanes = false, attempts = 0, body = false,
    pending = false, result = false, message = false, details = false, ended = false, singles = false,
    single = false, missing = false, made = false, reached = false, whole_attempts = 0, whole_reached = false,
    prev = false, next = false,
  }
end

--- Takes the events out.
-- @treturn table events
function batch.clear(self)
  local events = self.events
  self.events = NO_EVENTS
  return events
end

--- The JSON text of an event, which is all that the queue keeps of one that needs no report.
-- @tparam string|table event
-- @treturn string
function batch.event_text(event)
  return type(event) == "string" and event or event.text
end

local function are_texts(events)
  for index = 1, #events do
    if type(events[index]) ~= "string" then
      return false
    end
  end
  return true
end

--- The body of its call, encoded once.
-- @tparam table payload
-- @treturn string
function batch.text(self, payload)
  if not self.body then
    local texts = self.events
    if not are_texts(texts) then
      texts = {}
      for index, event in ipairs(self.events) do
        texts[index] = batch.event_text(event)
      end
    end
    self.body = payload:join(texts)
  end
  return self.body
end

local function append(events, more, attempts, made)
  for _, event in ipairs(more) do
    events[#events + 1] = event
    attempts[#events] = made
  end
end

--- Adds all events that have not ended to a list.
-- @tparam table events
-- @tparam table attempts by an event's place: those that were made, but for the one that a ready batch has before it;
--   singles had none of their own
function batch.list(self, events, attempts)
  append(events, self.events, attempts, self.whole_attempts + self.attempts - (self.state == "ready" and 1 or 0))
  if self.singles and self.singles ~= self.events then
    append(events, self.singles, attempts, self.whole_attempts)
  end
end

--- Lists batches, and their events, which stay where they are.
-- @tparam table|boolean first the first one; the others follow by `next`
-- @tparam[opt] boolean keep_in_flight whether those whose call is in flight are left out
-- @treturn table batches
-- @treturn table events
-- @treturn table attempts that were made for each event
function batch.list_all(first, keep_in_flight)
  local found, events, attempts, one = {}, {}, {}, first
  while one do
    if one.state == "waits" or one.interrupted or not keep_in_flight then
      found[#found + 1] = one
      batch.list(one, events, attempts)
    end
    one = one.next
  end
  return found, events, attempts
end

--- Sets `attempts` in the details of the failure that is reported, and `sent` for all of them: in a copy, for a
-- transport may keep its own.
function batch.add_attempts(self)
  local _, _, details = errors.fail(self.details.code, self.message, self.details)
  details.attempts = self.made or self.whole_attempts + self.attempts
  if self.reached then
    details.sent = nil
  end
  self.details = details
end

return batch
