--- Events that wait, in one lane per channel. Pure.
--
-- A lane whose events are in flight is held until they are settled, so a channel's events keep their order.
-- Everything is a linked list or a count: no operation looks at an event that it is not about. A lane exists only
-- while it has something to do, so any number of channels may come and go.
--
-- A method that raises because memory is short has changed nothing: it allocates first. Lanes and events have all of
-- their fields from the start (false, for LuaJIT has no memory for a nil), so that to set one takes no memory.

local list = require "pusher.base.list"
local stack = require "pusher.base.stack"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local queue = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.queue" }

local NOW = -math.huge -- earlier than any time of a clock, which may be negative

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
    ages = settings.overflow == "drop_oldest" and list.new() or false,
    waiting = 0, -- events
    ready = 0, -- of these, events in lanes that are not held
    deadline = false, -- when the ready events leave though they do not fill a batch
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

-- Removes up to `max` events from the front of a lane. Returns how many.
local function remove_first(self, lane, max)
  local event, ages, count = lane.first, self.ages, 0
  while event and count < max do
    local following, key = event.next, event.replace_key
    event.next, count = nil, count + 1
    if key and lane.replaceable[key] == event then
      lane.replaceable[key] = nil
    end
    if ages then
      ages:remove(event)
    end
    event = following
  end
  lane.first, lane.last, lane.count = event, event and lane.last, lane.count - count
  return count
end

-- The same, for events that are in no batch.
local function discard(self, lane, max)
  local count = remove_first(self, lane, max)
  self.waiting = self.waiting - count
  if not lane.held then
    self.ready = self.ready - count
  end
end

-- Removes the oldest event, and its lane with the last one, unless the lane is to be kept.
local function drop(self, kept)
  local event = self.ages and self.ages.first
  if not event then
    return nil
  end
  -- The oldest of all is also the first of its lane.
  local lane = self.lanes[event.channel]
  discard(self, lane, 1)
  if not lane.first and not lane.held then
    self.line:remove(lane)
    self.lanes[lane.channel] = lane == kept and lane or nil
  end
  return event
end

-- Eight fields: a ninth would double its memory. So `replaceable` is added where it is needed.
local function new_lane(channel, event, since)
  return {
    channel = channel, first = event, last = event, count = event and 1 or 0, since = since, held = false,
    ahead = false, behind = false,
  }
end

-- Adds the first event of a channel.
local function open_lane(self, channel, event)
  local lane = new_lane(channel, event, self.now())
  self.lanes[channel] = false -- its place; from here on no more than the call takes memory
  join_line(self, lane)
  self.lanes[channel], self.waiting = lane, self.waiting + 1
end

-- Has all the memory for an event that is about to be added. Returns its lane, and the time.
local function prepare(self, lane, event, replace_key)
  local now = self.now()
  lane = lane or new_lane(event.channel, false, now)
  if self.ages then
    event.ahead, event.behind = false, false
  end
  if replace_key then
    lane.replaceable = lane.replaceable or {}
    lane.replaceable[replace_key] = lane.replaceable[replace_key] or false -- its place
    event.replace_key = replace_key
  end
  self.lanes[event.channel] = lane
  stack.reserve()
  return lane, now
end

--- How many events wait.
function methods:size()
  return self.waiting
end

--- Whether an event may be added, if need be in place of the oldest one.
function methods:accepts()
  return self.waiting < self.max_queue or self.ages ~= false
end

--- Adds an event at the end of its channel's lane.
-- @tparam table event `{ channel =, … }`; the queue owns it from now on, and its fields `next`, `replace_key`, `ahead`
--   and `behind`
-- @tparam string|nil replace_key what a later event needs to replace this one
-- @treturn boolean false when the queue is full
-- @treturn table|nil the oldest event, when it was dropped in favour of this one
function methods:push(event, replace_key)
  local channel, ages, is_full = event.channel, self.ages, self.waiting >= self.max_queue
  local lane, now, dropped = self.lanes[channel], nil, nil
  if is_full and not ages then
    return false
  elseif not lane and not replace_key and not ages then
    open_lane(self, channel, event)
    return true
  elseif not lane or not lane.last or replace_key or ages then -- else nothing takes memory
    lane, now = prepare(self, lane, event, replace_key)
  end
  if is_full then
    dropped = drop(self, lane)
  end
  if replace_key then
    lane.replaceable[replace_key] = event
  end
  local last = lane.last
  if last then
    last.next = event
  else
    lane.first, lane.since = event, now
  end
  lane.last, lane.count = event, lane.count + 1
  self.waiting = self.waiting + 1
  if ages then
    ages:push(event)
  end
  if not last and not lane.held then
    join_line(self, lane)
  elseif not lane.held then
    self.ready = self.ready + 1
  end
  return true, dropped
end

--- The waiting event, if any, that a new one with this key replaces.
function methods:find(channel, replace_key)
  local lane = self.lanes[channel]
  return lane and lane.replaceable and lane.replaceable[replace_key] or nil
end

--- Replaces an event that `find` returned: the new text and tag get its place in the order.
-- @treturn table the replaced event without its text, a fresh table
function methods:replace(event, text, tag) -- luacheck: no self
  local old = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
  event.text, event.tag = text, tag
  return old
end

--- Removes the oldest event. Only with overflow = "drop_oldest".
-- @treturn table|nil event
function methods:drop()
  return drop(self)
end

--- When `take` will return events, if nothing else happens.
-- @tparam number max events of a full batch
-- @treturn number|nil a time of the clock `now`; 0 when a batch is full, nil when nothing is ready
function methods:due(max)
  if self.ready == 0 then
    return nil
  end
  return self.ready >= max and NOW or self.deadline
end

--- When an event that is added now leaves at the latest, if nothing holds its lane.
-- @tparam number max events of a full batch
-- @treturn number a time of the clock `now`; -math.huge when it fills a batch
function methods:due_when_added(max)
  return self.ready + 1 >= max and NOW or self.now() + self.linger
end

--- Lets ready events leave although they do not fill a batch.
function methods:hurry()
  self.deadline = NOW
end

-- Lists the next `max` events, and the lanes they are in.
local function list_next(self, max)
  local events, lanes, count = {}, {}, 0
  local lane = self.line.first
  while count < max and lane do
    lanes[#lanes + 1] = lane
    local event = lane.first
    while count < max and event do
      count = count + 1
      events[count], event = event, event.next
    end
    lane = lane.behind
  end
  return events, lanes
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
  local events, lanes = list_next(self, max)
  stack.reserve()
  local left = #events
  self.waiting = self.waiting - left
  for index = 1, #lanes do
    local lane = lanes[index]
    self.line:remove(lane)
    lane.held, self.ready = true, self.ready - lane.count
    left = left - remove_first(self, lane, left)
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

local function clear(self)
  for channel, lane in pairs(self.lanes) do
    if lane and lane.first and not lane.held then
      self.line:remove(lane)
    end
    if lane then
      discard(self, lane, lane.count)
    end
    if not lane or not lane.held then
      self.lanes[channel] = nil
    end
  end
end

--- Removes all events, and adds them to a list, each channel's in order. Lanes that are held stay so.
-- @tparam[opt] table events
-- @treturn table events
function methods:drain(events)
  events = events or {}
  for _, lane in pairs(self.lanes) do
    local event = lane and lane.first
    while event do
      events[#events + 1], event = event, event.next
    end
  end
  stack.reserve()
  clear(self)
  return events
end

return queue
