--- Items that wait for their time: a binary heap, the earliest on top. Pure.

local schedule = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.schedule" }

--- @treturn table an empty heap
function schedule.new()
  return setmetatable({ size = 0 }, metatable)
end

--- @tparam table item
-- @tparam number due when it is to be taken
function methods:add(item, due)
  self.size = self.size + 1
  local index = self.size
  while index > 1 do
    local parent = math.floor(index / 2)
    if self[parent].due <= due then
      break
    end
    self[index], index = self[parent], parent
  end
  self[index] = { item = item, due = due }
end

-- Where `entry` belongs when it starts from the top.
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

--- Takes the earliest item.
-- @tparam number now items due later stay; math.huge takes any
-- @treturn table|nil
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

--- @treturn number|nil when the earliest item is due
function methods:due()
  return self[1] and self[1].due
end

return schedule
