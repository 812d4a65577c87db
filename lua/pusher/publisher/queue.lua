--- Events that wait, in one lane per channel. Pure.
-- Field to read: `waiting`, how many there are.
--
-- A lane whose events are in flight is held until they are settled, so a channel's events keep their order.
-- Everything is a list or a count: no operation looks at an event that it is not about. A lane is in use only while it
-- has something to do, so any number of channels may come and go.
--
-- An event is anything but nil and false, such as its text: to wait it needs no table. One with a key or, where the
-- oldest may be dropped, any one is a table `{ channel =, … }`; the queue owns its fields `replace_key`, `prev` and
-- `next`.
--
-- A method that raises because memory is short has changed nothing: it allocates first, then it looks, for a finalizer
-- may use the queue meanwhile. To set a field of a lane or a block takes no memory: see pusher.publisher.lane.

local lanes = require "pusher.publisher.lane"
local list = require "pusher.base.list"
local stack = require "pusher.base.stack"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local queue = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.queue" }

local NOW = -math.huge -- earlier than any time of a clock, which may be negative
local MAX_IDLE = 128 -- lanes that are kept to be used again

--- Makes an empty queue.
-- @tparam table settings `max_queue` (events), `overflow` ("reject" or "drop_oldest"), `linger` (seconds that a batch
--   which is not full waits for more events), `now` (the clock, in seconds)
function queue.new(settings)
  return setmetatable({
    max_queue = settings.max_queue,
    linger = settings.linger,
    now = settings.now,
    lanes = {}, -- by channel
    ready_lanes = list.new(), -- those that may send, in the order they became ready
    -- All events by age; needed only where the oldest one may be dropped.
    by_age = settings.overflow == "drop_oldest" and list.new() or false,
    waiting = 0, -- events
    ready = 0, -- of these, events in lanes that are not held
    deadline = false, -- when the ready events leave though they do not fill a batch
    idle = false, -- the first lane without a channel; the others follow by `next`
    idle_count = 0,
    block = false, -- for the next lane that needs one
    dropped_slot = { false }, -- where an event is put that is dropped
  }, metatable)
end

local function add_ready(self, lane)
  self.ready_lanes:push(lane)
  local due = lane.since + self.linger
  if self.ready == 0 or due < self.deadline then
    self.deadline = due
  end
  self.ready = self.ready + lane.count
end

-- Moves the first events of a lane to a list that has places for them, after its first `count`. They cannot be found
-- any more.
local function take_from(self, lane, number, events, count)
  local by_age, replaceable = self.by_age, lane.replaceable
  lanes.move(lane, number, events, count)
  for index = count + 1, (by_age or replaceable) and count + number or 0 do
    local event = events[index]
    local key = replaceable and type(event) == "table" and event.replace_key
    if key and replaceable[key] == event then
      replaceable[key] = nil
    end
    if by_age then
      by_age:remove(event)
    end
  end
end

-- The lane has nothing to do any more.
local function forget(self, lane)
  self.lanes[lane.channel] = nil
  if self.idle_count < MAX_IDLE and not lane.replaceable then
    self.idle, lane.next = lane, self.idle
    self.idle_count = self.idle_count + 1
  end
end

-- Removes the oldest event, and its lane with the last one, unless the lane is to be kept. Only with "drop_oldest".
local function drop(self, kept)
  local event, slot = self.by_age.first, self.dropped_slot
  if not event then
    return nil -- a finalizer has emptied the queue
  end
  -- The oldest of all is also the first of its lane.
  local lane = self.lanes[event.channel]
  take_from(self, lane, 1, slot, 0)
  slot[1], self.waiting = false, self.waiting - 1
  if not lane.held then
    self.ready = self.ready - 1
  end
  if lane.count == 0 and not lane.held then
    self.ready_lanes:remove(lane)
    if lane ~= kept then
      forget(self, lane)
    end
  end
  return event
end

-- Allocates all that adding an event takes. Returns its lane, and the time.
local function prepare(self, channel, event, replace_key)
  local now = self.now()
  local replaceable = replace_key and {} or nil
  while not self.idle or not self.block do -- what is made may be used at once by a finalizer
    self.idle = self.idle or lanes.new()
    self.block = self.block or lanes.new_block()
  end
  if replaceable or self.by_age then
    stack.reserve()
  end
  if self.by_age then
    event.prev, event.next = false, false
  end
  local lane = self.lanes[channel]
  if replace_key then
    local own = lane or self.idle
    own.replaceable = own.replaceable or replaceable
    own.replaceable[replace_key] = own.replaceable[replace_key] or false -- its place
    event.replace_key = replace_key
  end
  if not lane then
    lane = self.idle
    lane.channel = channel
    self.lanes[channel] = lane
    self.idle, lane.next = lane.next, false
    self.idle_count = self.idle_count - (self.idle_count > 0 and 1 or 0) -- one that was just made is not counted
  end
  return lane, now
end

--- How many events wait.
function methods:size()
  return self.waiting
end

--- Whether an event may be added, if need be in place of the oldest one.
function methods:accepts()
  return self.waiting < self.max_queue or self.by_age ~= false
end

--- Adds an event at the end of its channel's lane.
-- @tparam string channel
-- @param event the queue owns it from now on
-- @tparam string|nil replace_key what a later event needs to replace this one
-- @treturn boolean false when the queue is full
-- @treturn table|nil the oldest event, when it was dropped in favour of this one
function methods:push(channel, event, replace_key)
  local by_age, is_full, now, dropped = self.by_age, self.waiting >= self.max_queue, nil, nil
  if is_full and not by_age then
    return false
  end
  local lane = self.lanes[channel]
  if not lane or lane.count == 0 or lanes.is_full(lane) or replace_key or by_age then
    lane, now = prepare(self, channel, event, replace_key) -- else nothing takes memory
  end
  if is_full then
    dropped = drop(self, lane)
  end
  if replace_key then
    lane.replaceable[replace_key] = event
  end
  if lanes.append(lane, event, self.block) then
    self.block = false
  end
  self.waiting = self.waiting + 1
  if by_age then
    by_age:push(event)
  end
  local is_first = lane.count == 1
  if is_first then
    lane.since = now
  end
  if not lane.held and is_first then
    add_ready(self, lane)
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

--- Replaces an event that `find` returned: the new text, tag and key (as given) take its place in the order.
-- @treturn table the replaced event without its text, a fresh table
function methods:replace(event, text, replace, tag) -- luacheck: no self
  local old = { channel = event.channel, name = event.name, replace = event.replace, tag = event.tag }
  event.text, event.replace, event.tag = text, replace, tag
  return old
end

--- When `take` will return events, if nothing else happens.
-- @tparam number max events of a full batch
-- @treturn number|nil a time of the clock `now`; -math.huge when a batch is full, nil when nothing is ready
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

-- Adds places for so many events to a list: to set them takes no memory.
local function add_places(events, number)
  local count = #events
  for position = count + 1, count + number do
    events[position] = false
  end
  return count
end

--- Removes the next batch: events of one lane or of several, which are held until `release`.
-- @tparam number max events
-- @tparam number now seconds
-- @treturn table|nil events; nil when none is due
-- @treturn table|nil for `release`: the first of the lanes; the others follow by `next`
function methods:take(max, now)
  local due = self:due(max)
  if not due or now < due then
    return nil
  end
  stack.reserve()
  local events, total
  repeat -- a finalizer may add and remove events
    total, events = math.min(max, self.ready), {}
    add_places(events, total)
  until total == math.min(max, self.ready)
  local ready_lanes, taken, count, ready = self.ready_lanes, 0, 0, self.ready
  local first, last, lane = ready_lanes.first, false, ready_lanes.first
  while count < total do
    local number, waiting = total - count, lane.count
    if number > waiting then
      number = waiting
    end
    take_from(self, lane, number, events, count)
    lane.held, ready = true, ready - waiting
    count, taken, last, lane = count + number, taken + 1, lane, lane.next
  end
  if not last then
    return nil
  end
  ready_lanes:cut(last, taken)
  self.waiting, self.ready = self.waiting - total, ready
  if self.deadline ~= NOW then -- hurry() is for all that are ready
    self.deadline = lane and lane.since + self.linger
  end
  return events, first
end

--- Lets lanes that `take` returned send again.
-- @tparam table lane
function methods:release(lane)
  while lane do
    local following = lane.next
    lane.held, lane.prev, lane.next = false, false, false
    if lane.count > 0 then
      add_ready(self, lane)
    else
      forget(self, lane)
    end
    lane = following
  end
end

--- Removes all events, and adds them to a list, each channel's in order. Lanes that are held stay so.
-- @tparam[opt] table events
-- @treturn table events
function methods:drain(events)
  events = events or {}
  stack.reserve()
  local count = add_places(events, self.waiting)
  for channel, lane in pairs(self.lanes) do
    local number = lane.count
    if number > 0 then
      take_from(self, lane, number, events, count)
      count = count + number
    end
    if not lane.held then
      self.ready_lanes:remove(lane) -- it had events
      self.lanes[channel] = nil
    end
  end
  self.waiting, self.ready = 0, 0
  return events
end

return queue
