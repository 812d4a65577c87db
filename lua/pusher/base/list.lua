--- A doubly linked list: first in, first out, and any node may leave early. Pure.
--
-- A node is the caller's own table. The list keeps its neighbours in two fields of the node, named when the list is
-- made, so that a node can stand in several lists at once and joining makes no garbage.

local list = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.list" }

--- @tparam string previous name of the field with the node before
-- @tparam string next name of the field with the node behind
function list.new(previous, next)
  return setmetatable({ previous = previous, next = next, first = nil, last = nil }, metatable)
end

--- Adds a node at the end.
-- @tparam table node
function methods:push(node)
  local last = self.last
  node[self.previous] = last
  if last then
    last[self.next] = node
  else
    self.first = node
  end
  self.last = node
end

--- Takes a node out, wherever it stands.
-- @tparam table node one that is in this list
function methods:remove(node)
  local before, behind = node[self.previous], node[self.next]
  if before then
    before[self.next] = behind
  else
    self.first = behind
  end
  if behind then
    behind[self.previous] = before
  else
    self.last = before
  end
  node[self.previous], node[self.next] = nil, nil
end

return list
