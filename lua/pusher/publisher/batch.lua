--- One batch: events that are sent in one call. Its fields belong to the delivery, which looks at them at each step.
--
--   state        "ready": taken, or its time to be sent again has come; "in_flight": its call may have been made;
--                "judged": the outcome of its call is known; "waits": it will be sent again; "settled": none is left
--   interrupted  whether something has raised for lack of memory, so that its state is to be looked at once more
--   events       those of its next call, or of the call that is in flight
--   lanes        what the queue holds until the batch is settled
--   attempts     how many calls were made for these events
--   pending      of the call in flight
--   result, message, details   the outcome of its call
--   ended        events that are counted, but perhaps not reported
--   singles      events of a faulty batch that will be sent one by one
--
-- All fields are there from the start (false, for LuaJIT has no memory for a nil): to set one takes no memory.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local batch = {}

local NO_EVENTS = {}

--- Makes a batch without events.
function batch.new()
  return {
    state = "ready", interrupted = false, events = NO_EVENTS, lanes = false, attempts = 0, body = false,
    pending = false, result = false, message = false, details = false, ended = false, singles = false,
    ahead = false, behind = false,
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

return batch
