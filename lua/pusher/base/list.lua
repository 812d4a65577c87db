--- A doubly linked list: nodes are added at the end, and any node can be removed. Pure.
--
-- A node is the caller's own table, so adding one makes no garbage. It can be in one list at a time, which keeps its
-- neighbours in the fields `prev` and `next`, false where there is none. Fields to read: `first`, `size`. No field
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
    node.prev, last.next = last, node
  else
    self.first = node
  end
  self.last, self.size = node, self.size + 1
end

--- Removes a node, which must be in this list.
function methods:remove(node)
  local before, after = node.prev, node.next
  self.size = self.size - 1
  if before then
    before.next, node.prev = after, false
  else
    self.first = after or false
  end
  if after then
    after.prev, node.next = before, false
  else
    self.last = before or false
  end
end

--- Removes the first nodes, all up to one of them, which stay linked to each other by `next`.
-- @tparam table node the last one to remove
-- @tparam number count how many they are
function methods:cut(node, count)
  local rest = node.next
  node.next = false
  self.first, self.size = rest, self.size - count
  if rest then
    rest.prev = false
  else
    self.last = false
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
