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
--   singles, single, missing   see pusher.publisher.fallback
--   ahead, behind   its neighbours in the list of batches
--
-- All fields are there from the start (false, for LuaJIT has no memory for a nil): to set one takes no memory.

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
    single = false, missing = false, reached = false, ahead = false, behind = false,
  }
end

--- Takes the events out.
-- @treturn table events
function batch.clear(self)
  local events = self.events
  self.events = NO_EVENTS
  return events
end

--- The body of its call, encoded once.
-- @tparam table payload
-- @treturn string
function batch.text(self, payload)
  if not self.body then
    local texts = {}
    for index, event in ipairs(self.events) do
      texts[index] = event.text
    end
    self.body = payload:join(texts)
  end
  return self.body
end

local function append(events, more)
  for _, event in ipairs(more) do
    events[#events + 1] = event
  end
end

--- Adds all events that have not ended to a list.
-- @tparam table events
function batch.list(self, events)
  append(events, self.events)
  if self.singles and self.singles ~= self.events then
    append(events, self.singles)
  end
end

--- Lists batches, and their events, which stay where they are.
-- @tparam table|boolean first the first one; the others are behind it
-- @tparam[opt] boolean keep_in_flight whether those whose call is in flight are left out
-- @treturn table batches
-- @treturn table events
function batch.list_all(first, keep_in_flight)
  local found, events, one = {}, {}, first
  while one do
    if one.state == "waits" or one.interrupted or not keep_in_flight then
      found[#found + 1] = one
      batch.list(one, events)
    end
    one = one.behind
  end
  return found, events
end

--- Sets `attempts` in the details of the failure that is reported, and `sent` for all of them: in a copy, for a
-- transport may keep its own.
function batch.add_attempts(self)
  local _, _, details = errors.fail(self.details.code, self.message, self.details)
  details.attempts = self.attempts
  if self.reached then
    details.sent = nil
  end
  self.details = details
end

return batch
