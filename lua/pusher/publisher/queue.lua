--- Events that wait. One lane per channel; a lane whose events are on their way
-- is held back until they are settled, and so a channel's events keep their order.
--
-- Everything is a linked list or a count: no operation looks at events it is not
-- about. A lane lives only while it has something to do, so any number of
-- channels may come and go.

local queue = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.queue" }

--- @tparam table settings `max_queue` (events), `overflow` ("reject" or "drop_oldest"),
--   `linger` (seconds an incomplete batch waits for company)
function queue.new(settings)
  return setmetatable({
    max_queue = settings.max_queue,
    linger = settings.linger,
    by_age = settings.overflow == "drop_oldest",
    lanes = {}, -- by channel
    waiting = 0, -- events
    ready = 0, -- of these, events in lanes that are not held back
    due = nil, -- when the ready events leave though they do not fill a batch
  }, metatable)
end

-- Lanes that may send stand in line in the order they became ready.
local function line_up(self, lane)
  lane.ahead = self.last_lane
  if self.last_lane then
    self.last_lane.behind = lane
  else
    self.first_lane = lane
  end
  self.last_lane = lane
  local due = lane.since + self.linger
  if self.ready == 0 or due < self.due then
    self.due = due
  end
  self.ready = self.ready + lane.count
end

local function leave_line(self, lane)
  local ahead, behind = lane.ahead, lane.behind
  if ahead then
    ahead.behind = behind
  else
    self.first_lane = behind
  end
  if behind then
    behind.ahead = ahead
  else
    self.last_lane = ahead
  end
  lane.ahead, lane.behind = nil, nil
  self.ready = self.ready - lane.count
end

local function forget(self, lane)
  self.lanes[lane.channel] = nil
end

-- The list of all waiting events by age exists only where the oldest may have to go.
local function join_by_age(self, event)
  event.older = self.newest
  if self.newest then
    self.newest.newer = event
  else
    self.oldest = event
  end
  self.newest = event
end

local function leave_by_age(self, event)
  local older, newer = event.older, event.newer
  if older then
    older.newer = newer
  else
    self.oldest = newer
  end
  if newer then
    newer.older = older
  else
    self.newest = older
  end
  event.older, event.newer = nil, nil
end

-- Takes the first event out of its lane.
local function shift(self, lane)
  local event = lane.first
  lane.first = event.next
  if not event.next then
    lane.last = nil
  end
  event.next = nil
  lane.count = lane.count - 1
  self.waiting = self.waiting - 1
  if event.slot then
    lane.slots[event.slot] = nil
  end
  if self.by_age then
    leave_by_age(self, event)
  end
  return event
end

local function lane_of(self, channel, now)
  local lane = self.lanes[channel]
  if not lane then
    lane = { channel = channel, first = nil, last = nil, count = 0, since = now(), held = false }
    self.lanes[channel] = lane
  elseif not lane.first then
    lane.since = now()
  end
  return lane
end

local function append(lane, event)
  if lane.last then
    lane.last.next = event
  else
    lane.first = event
  end
  lane.last = event
  lane.count = lane.count + 1
end

--- Adds an event at the end of its channel's lane.
-- @tparam table event `{ channel =, … }`; taken over: `next`, `slot`, `older` and `newer` are set here
-- @tparam string|nil slot what a later event needs to replace this one
-- @tparam function now the clock, in seconds
-- @treturn true|nil nil when the queue is full
function methods:push(event, slot, now)
  if self.waiting >= self.max_queue then
    return nil
  end
  local lane = lane_of(self, event.channel, now)
  append(lane, event)
  self.waiting = self.waiting + 1
  if slot then
    event.slot = slot
    lane.slots = lane.slots or {}
    lane.slots[slot] = event
  end
  if self.by_age then
    join_by_age(self, event)
  end
  if lane.held then
    return true
  elseif lane.count == 1 then
    line_up(self, lane)
  else
    self.ready = self.ready + 1
  end
  return true
end

--- The waiting event that a new one with this slot replaces.
-- @treturn table|nil
function methods:find(channel, slot)
  local lane = self.lanes[channel]
  return lane and lane.slots and lane.slots[slot]
end

--- Takes out the oldest waiting event (only with overflow = "drop_oldest").
-- @treturn table|nil
function methods:drop()
  local event = self.oldest
  if not event then
    return nil
  end
  -- The oldest of all is the first of its lane, too.
  local lane = self.lanes[event.channel]
  shift(self, lane)
  if not lane.held then
    self.ready = self.ready - 1
    if not lane.first then
      leave_line(self, lane)
      forget(self, lane)
    end
  end
  return event
end

--- Takes the next batch: up to `max` events, of one lane or of several, which are held back until `release`.
-- @tparam number max
-- @tparam number now seconds
-- @treturn table|nil events; nil when it is not time yet
-- @treturn table lanes
function methods:take(max, now)
  if self.ready == 0 or (self.ready < max and now < self.due) then
    return nil
  end
  local events, lanes, count = {}, {}, 0
  while count < max and self.first_lane do
    local lane = self.first_lane
    leave_line(self, lane)
    lane.held = true
    lanes[#lanes + 1] = lane
    while count < max and lane.first do
      count = count + 1
      events[count] = shift(self, lane)
    end
  end
  self.due = self.first_lane and self.first_lane.since + self.linger
  return events, lanes
end

--- Lets what is ready go now, company or not.
function methods:hurry()
  self.due = 0
end

--- Lets lanes send again.
-- @tparam table lanes as `take` returned them
function methods:release(lanes)
  for _, lane in ipairs(lanes) do
    lane.held = false
    if lane.first then
      line_up(self, lane)
    else
      forget(self, lane)
    end
  end
end

--- Takes out everything that waits, each channel's events in order.
-- @treturn table list of events
function methods:drain()
  local events = {}
  for _, lane in pairs(self.lanes) do
    while lane.first do
      events[#events + 1] = shift(self, lane)
    end
  end
  self.lanes, self.first_lane, self.last_lane = {}, nil, nil
  self.ready, self.due = 0, nil
  return events
end

return queue
