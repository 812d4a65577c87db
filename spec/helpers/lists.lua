--- What specs that compare the tree, its pages and its types do with lists of names and of faults.

local assert = require "luassert"

local lists = {}

--- Fails with all entries of a list, sorted; passes when it has none.
function lists.assert_none(list)
  table.sort(list)
  assert.equal("", table.concat(list, "\n"))
end

--- The names of a table, sorted.
function lists.names(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return list
end

return lists
