--- Items that wait until they are due: a binary heap, the earliest on top. Pure.
--
-- Fields to read: `size`.

local stack = require "pusher.base.stack"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local schedule = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.schedule" }

--- Makes an empty schedule.
function schedule.new()
  -- With places for two items: when LuaJIT moves the first one from the table's hash to its array, to add the second
  -- one, and memory is short, it loses the first one (lj_tab_resize() in lj_tab.c).
  return setmetatable({ nil, nil, size = 0 }, metatable)
end

local function put(self, index, entry)
  self[index], entry.index = entry, index
end

-- Puts an entry where it belongs, at `index` or above.
local function rise(self, index, entry)
  while index > 1 do
    local parent = math.floor(index / 2)
    if self[parent].due <= entry.due then
      break
    end
    put(self, index, self[parent])
    index = parent
  end
  put(self, index, entry)
end

--- Adds an item.
-- @param item any value but nil
-- @tparam number due a time, in seconds of any clock
-- @treturn table an entry for `remove`
function methods:add(item, due)
  local index = self.size + 1
  local entry = { item = item, due = due, index = index }
  stack.reserve()
  self[index] = entry -- when memory is short for that, nothing has changed
  self.size = index
  rise(self, index, entry)
  return entry
end

-- Puts an entry where it belongs, at `index` or below.
local function sink(self, index, entry)
  while index * 2 <= self.size do
    local child = index * 2
    if child < self.size and self[child + 1].due < self[child].due then
      child = child + 1
    end
    if self[child].due >= entry.due then
      break
    end
    put(self, index, self[child])
    index = child
  end
  put(self, index, entry)
end

--- Removes an item before it is due.
-- @tparam table entry as `add` returned it; its item must not have been taken
function methods:remove(entry)
  local index, last = entry.index, self[self.size]
  stack.reserve()
  self[self.size] = nil
  self.size = self.size - 1
  if last ~= entry then
    rise(self, index, last)
    sink(self, last.index, last)
  end
end

--- Removes the earliest item, if it is due.
-- @tparam number now the time; math.huge removes any item
-- @return the item, or nil
function methods:take(now)
  local top = self[1]
  if not top or top.due > now then
    return nil
  end
  self:remove(top)
  return top.item
end

--- When the earliest item is due; nil without items.
function methods:due()
  return self[1] and self[1].due
end

return schedule
