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
  local key = event.replace_key
  if key and lane.replaceable[key] == event then
    lane.replaceable[key] = nil
  end
  if self.ages then
    self.ages:remove(event)
  end
  return event
end

-- Removes the oldest event, and its lane with the last one, unless the lane is to be kept.
local function drop(self, kept)
  local event = self.ages and self.ages.first
  if not event then
    return nil
  end
  -- The oldest of all is also the first of its lane.
  local lane = self.lanes[event.channel]
  shift(self, lane)
  if not lane.first and not lane.held then
    self.line:remove(lane)
    self.lanes[lane.channel] = lane == kept and lane or nil
  end
  return event
end

-- The lane for an event that is about to be added; all the memory for that is had here.
local function open_lane(self, lane, event, replace_key)
  lane = lane or {
    channel = event.channel, first = false, last = false, count = 0, since = 0, held = false, replaceable = false,
    ahead = false, behind = false,
  }
  local replaceable = lane.replaceable or replace_key and {}
  if replace_key then
    replaceable[replace_key] = event
  end
  if self.ages then
    event.ahead, event.behind = false, false
  end
  event.replace_key = replace_key
  self.lanes[event.channel] = lane
  lane.replaceable = replaceable
  stack.reserve()
  return lane
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
  local is_full = self.waiting >= self.max_queue
  if is_full and not self:accepts() then
    return false
  end
  local lane = self.lanes[event.channel]
  local now = (not lane or not lane.last) and self.now()
  lane = open_lane(self, lane, event, replace_key)
  local dropped = is_full and drop(self, lane) or nil
  if lane.last then
    lane.last.next = event
  else
    lane.first, lane.since = event, now or self.now() -- the one ahead may have been dropped
  end
  lane.last, lane.count = event, lane.count + 1
  self.waiting = self.waiting + 1
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
  return lane and lane.replaceable and lane.replaceable[replace_key] or nil
end

--- Replaces an event that `find` returned: the new text and tag get its place in the order.
-- @treturn table the replaced event
function methods:replace(event, text, tag) -- luacheck: no self
  local old = {
    channel = event.channel, name = event.name, text = event.text, replace = event.replace, tag = event.tag,
  }
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
  for _, lane in ipairs(lanes) do
    self.line:remove(lane)
    lane.held, self.ready = true, self.ready - lane.count
  end
  for _, event in ipairs(events) do
    shift(self, self.lanes[event.channel])
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
    while lane.first do
      shift(self, lane)
    end
    if not lane.held then
      self.line:remove(lane)
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
    local event = lane.first
    while event do
      events[#events + 1], event = event, event.next
    end
  end
  stack.reserve()
  clear(self)
  return events
end

return queue
