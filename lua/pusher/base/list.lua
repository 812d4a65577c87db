--- A doubly linked list: nodes are added at the end, and any node can be removed. Pure.
--
-- A node is the caller's own table, so adding one makes no garbage. It can be in one list at a time, which keeps its
-- neighbours in the fields `ahead` and `behind`, false where there is none. Fields to read: `first`, `size`. No field
-- is ever set to nil: Lua forgets such a field, and to set it again could take memory.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local list = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.list" }

--- Makes an empty list.
function list.new()
  return setmetatable({ first = false, last = false, size = 0 }, metatable)
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
    ahead.behind, node.ahead = behind, false
  else
    self.first = behind or false
  end
  if behind then
    behind.ahead, node.behind = ahead, false
  else
    self.last = ahead or false
  end
end

--- Removes the first node.
-- @treturn table|nil node
function methods:shift()
  local node = self.first
  if node then
    self:remove(node)
  end
  return node or nil
end

return list
