--- The events of one channel that wait, first in, first out, in blocks: an event needs a place, but no table. Pure.
--
-- Fields to read: `channel`, `count` (events), and those of the queue: `since` (when the first event was added to an
-- empty lane), `held`, `replaceable` (by key), `prev` and `next`. Every field but `replaceable` is set in the
-- constructor, to false where it has no value: a field set to nil gets no slot, so setting it later could allocate.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local lane = {}

local BLOCK_EVENTS = 8

--- Makes a block. It has events from index `from` to index `to`.
function lane.new_block()
  return { false, false, false, false, false, false, false, false, from = 1, to = 0, following = false }
end

--- Makes a lane without events.
function lane.new()
  local block = lane.new_block()
  -- Eight fields: a ninth would double its memory. So `replaceable` is added where it is needed.
  return {
    channel = false, first = block, last = block, count = 0, since = 0, held = false, prev = false, next = false,
  }
end

--- Whether the next event needs a further block.
function lane.is_full(self)
  return self.last.to == BLOCK_EVENTS
end

--- Adds an event at the end. Takes no memory.
-- @tparam table self
-- @param event anything but nil and false
-- @tparam table|boolean block a fresh block; required when `is_full`
-- @treturn boolean whether it was used
function lane.append(self, event, block)
  local last, count = self.last, self.count + 1
  local index = last.to + 1
  self.count = count
  if index <= BLOCK_EVENTS then
    last[index], last.to = event, index
    return false
  end
  block[1], block.to = event, 1
  last.following, self.last = block, block
  return true
end

--- Moves the first events to a list. Takes no memory.
-- @tparam table self
-- @tparam number number of events, at most `count`
-- @tparam table events has places for them
-- @tparam number count how many events the list already has
function lane.move(self, number, events, count)
  local block = self.first
  for position = count + 1, count + number do
    local index = block.from
    events[position], block[index] = block[index], false
    if index < block.to then
      block.from = index + 1
    elseif block.following then
      block = block.following
      self.first = block
    else
      block.from, block.to = 1, 0
    end
  end
  self.count = self.count - number
end

return lane
