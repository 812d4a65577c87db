--- Events that wait, in one lane per channel. Pure.
--
-- A lane whose events are in flight is held until they are settled, so a channel's events keep their order.
-- Everything is a linked list or a count: no operation looks at an event that it is not about. A lane exists only
-- while it has something to do, so any number of channels may come and go.

local list = require "pusher.base.list"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local queue = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.queue" }

--- Makes an empty queue.
-- @tparam table settings `max_queue` (events), `overflow` ("reject" or "drop_oldest"), `linger` (seconds that a batch
--   which is not full waits for more events), `now` (the clock, in seconds)
function queue.new(settings)
  return setmetatable({
    max_queue = settings.max_queue,
    linger = settings.linger,
    now = settings.now,
    lanes = {}, -- by channel
    line = list.new(), -- lanes that may send, in the order they became ready
    -- All events by age; needed only where the oldest one may be dropped.
    ages = settings.overflow == "drop_oldest" and list.new() or nil,
    waiting = 0, -- events
    ready = 0, -- of these, events in lanes that are not held
    deadline = nil, -- when the ready events leave though they do not fill a batch
  }, metatable)
end

local function join_line(self, lane)
  self.line:push(lane)
  local due = lane.since + self.linger
  if self.ready == 0 or due < self.deadline then
    self.deadline = due
  end
  self.ready = self.ready + lane.count
end

-- Removes the first event of a lane.
local function shift(self, lane)
  local event = lane.first
  lane.first, event.next = event.next, nil
  if not lane.first then
    lane.last = nil
  end
  lane.count = lane.count - 1
  self.waiting = self.waiting - 1
  if not lane.held then
    self.ready = self.ready - 1
  end
  if event.replace_key then
    lane.replaceable[event.replace_key] = nil
  end
  if self.ages then
    self.ages:remove(event)
  end
  return event
end

--- How many events wait.
function methods:size()
  return self.waiting
end

--- Whether an event may be added, if need be in place of the oldest one.
function methods:accepts()
  return self.waiting < self.max_queue or self.ages ~= nil
end

--- Adds an event at the end of its channel's lane.
-- @tparam table event `{ channel =, … }`; the queue owns it from now on, and its fields `next`, `replace_key`, `ahead`
--   and `behind`
-- @tparam string|nil replace_key what a later event needs to replace this one
-- @treturn boolean false when the queue is full
-- @treturn table|nil the oldest event, when it was dropped in favour of this one
function methods:push(event, replace_key)
  local dropped = self.waiting >= self.max_queue and self:drop() or nil
  if self.waiting >= self.max_queue then
    return false
  end
  local channel = event.channel
  local lane = self.lanes[channel]
  if not lane then
    lane = { channel = channel, first = nil, last = nil, count = 0, since = 0, held = false }
    self.lanes[channel] = lane
  end
  if lane.last then
    lane.last.next = event
  else
    lane.first, lane.since = event, self.now()
  end
  lane.last, lane.count = event, lane.count + 1
  self.waiting = self.waiting + 1
  if replace_key then
    event.replace_key = replace_key
    lane.replaceable = lane.replaceable or {}
    lane.replaceable[replace_key] = event
  end
  if self.ages then
    self.ages:push(event)
  end
  if lane.count == 1 and not lane.held then
    join_line(self, lane)
  elseif not lane.held then
    self.ready = self.ready + 1
  end
  return true, dropped
end

--- The waiting event, if any, that a new one with this key replaces.
function methods:find(channel, replace_key)
  local lane = self.lanes[channel]
  return lane and lane.replaceable and lane.replaceable[replace_key]
end

--- Replaces an event that `find` returned: the new text and tag get its place in the order.
-- @treturn table the replaced event, without its text
function methods:replace(event, text, tag) -- luacheck: no self
  local old = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
  event.text, event.tag = text, tag
  return old
end

--- Removes the oldest event. Only with overflow = "drop_oldest".
-- @treturn table|nil event
function methods:drop()
  local event = self.ages and self.ages.first
  if not event then
    return nil
  end
  -- The oldest of all is also the first of its lane.
  local lane = self.lanes[event.channel]
  shift(self, lane)
  if not lane.first and not lane.held then
    self.line:remove(lane)
    self.lanes[lane.channel] = nil
  end
  return event
end

--- When `take` will return events, if nothing else happens.
-- @tparam number max events of a full batch
-- @treturn number|nil a time of the clock `now`; 0 when a batch is full, nil when nothing is ready
function methods:due(max)
  if self.ready == 0 then
    return nil
  end
  return self.ready >= max and 0 or self.deadline
end

--- When an event that is added now leaves at the latest, if nothing holds its lane.
-- @tparam number max events of a full batch
-- @treturn number a time of the clock `now`; 0 when it fills a batch
function methods:due_when_added(max)
  return self.ready + 1 >= max and 0 or self.now() + self.linger
end

--- Lets ready events leave although they do not fill a batch.
function methods:hurry()
  self.deadline = 0
end

--- Removes the next batch: events of one lane or of several, which are held until `release`.
-- @tparam number max events
-- @tparam number now seconds
-- @treturn table|nil events; nil when none is due
-- @treturn table|nil lanes for `release`
function methods:take(max, now)
  local due = self:due(max)
  if not due or now < due then
    return nil
  end
  local events, lanes, count = {}, {}, 0
  while count < max and self.line.first do
    local lane = self.line.first
    self.line:remove(lane)
    lane.held, self.ready = true, self.ready - lane.count
    lanes[#lanes + 1] = lane
    while count < max and lane.first do
      count = count + 1
      events[count] = shift(self, lane)
    end
  end
  local first = self.line.first
  self.deadline = first and first.since + self.linger
  return events, lanes
end

--- Lets lanes that `take` returned send again.
function methods:release(lanes)
  for _, lane in ipairs(lanes) do
    lane.held = false
    if lane.first then
      join_line(self, lane)
    else
      self.lanes[lane.channel] = nil
    end
  end
end

--- Removes and returns all events, each channel's in order. Lanes that are held stay so.
function methods:drain()
  local events = {}
  for channel, lane in pairs(self.lanes) do
    while lane.first do
      events[#events + 1] = shift(self, lane)
    end
    if not lane.held then
      self.line:remove(lane)
      self.lanes[channel] = nil
    end
  end
  return events
end

return queue
