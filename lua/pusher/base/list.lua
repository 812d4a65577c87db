--- A doubly linked list: nodes are added at the end, and any node can be removed. Pure.
--
-- A node is the caller's own table, so adding one makes no garbage. It can be in one list at a time, which keeps its
-- neighbours in the fields `ahead` and `behind`. Fields to read: `first`, `size`.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local list = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.list" }

--- Makes an empty list.
function list.new()
  local self = { first = false, last = false, size = 0 }
  self.first, self.last = nil, nil -- the table stays large enough, also in LuaJIT: to add a node takes no memory
  return setmetatable(self, metatable)
end

--- Adds a node at the end.
function methods:push(node)
  local last = self.last
  if last then
    node.ahead, last.behind = last, node
  else
    self.first = node
  end
  self.last, self.size = node, self.size + 1
end

--- Removes a node, which must be in this list.
function methods:remove(node)
  local ahead, behind = node.ahead, node.behind
  self.size = self.size - 1
  if ahead then
    ahead.behind, node.ahead = behind, nil
  else
    self.first = behind or nil
  end
  if behind then
    behind.ahead, node.behind = ahead, nil
  else
    self.last = ahead or nil
  end
end

--- Removes the first node.
-- @treturn table|nil node
function methods:shift()
  local node = self.first
  if node then
    self:remove(node)
  end
  return node
end

return list
