--- Items that wait until they are due: a binary heap, the earliest on top. Pure.
--
-- Fields to read: `size`.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local schedule = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.schedule" }

--- Makes an empty schedule.
function schedule.new()
  return setmetatable({ size = 0 }, metatable)
end

--- Adds an item.
-- @param item any value but nil
-- @tparam number due a time, in seconds of any clock
function methods:add(item, due)
  local entry, index = { item = item, due = due }, self.size + 1
  self[index] = entry -- when memory is short for that, nothing has changed
  self.size = index
  while index > 1 do
    local parent = math.floor(index / 2)
    if self[parent].due <= due then
      break
    end
    self[index], index = self[parent], parent
  end
  self[index] = entry
end

-- Puts an entry where it belongs, starting from the top.
local function sink(self, entry)
  local index = 1
  while index * 2 <= self.size do
    local child = index * 2
    if child < self.size and self[child + 1].due < self[child].due then
      child = child + 1
    end
    if self[child].due >= entry.due then
      break
    end
    self[index], index = self[child], child
  end
  self[index] = entry
end

--- Removes the earliest item, if it is due.
-- @tparam number now the time; math.huge removes any item
-- @return the item, or nil
function methods:take(now)
  local top = self[1]
  if not top or top.due > now then
    return nil
  end
  local last = self[self.size]
  self[self.size] = nil
  self.size = self.size - 1
  if self.size > 0 then
    sink(self, last)
  end
  return top.item
end

--- When the earliest item is due; nil without items.
function methods:due()
  return self[1] and self[1].due
end

return schedule
