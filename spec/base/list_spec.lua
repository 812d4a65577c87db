local list = require "pusher.base.list"

local function names(of)
  local found, node = {}, of.first
  while node do
    found[#found + 1] = node.name
    node = node.next
  end
  return table.concat(found, " ")
end

local function is_alone(node)
  return not node.prev and not node.next
end

describe("pusher.base.list", function()
  it("keeps nodes in the order they were added", function()
    local line = list.new()
    assert.is_false(line.first or false)
    for _, name in ipairs { "a", "b", "c" } do
      line:push { name = name }
    end
    assert.equal("a b c", names(line))
    assert.equal("c", line.last.name)
    assert.equal("b", line.last.prev.name)
  end)

  it("removes any node and leaves nothing in it", function()
    for _, case in ipairs { { 1, "b c" }, { 2, "a c" }, { 3, "a b" } } do
      local line, nodes = list.new(), { { name = "a" }, { name = "b" }, { name = "c" } }
      for _, node in ipairs(nodes) do
        line:push(node)
      end
      local node = nodes[case[1]]
      line:remove(node)
      assert.equal(case[2], names(line))
      assert.is_true(is_alone(node))
      assert.is_false(line.first.prev or false)
      assert.is_false(line.last.next or false)
      line:push(node)
      assert.equal(case[2] .. " " .. node.name, names(line))
    end
  end)

  it("removes the first node, until it is empty", function()
    local line, a, b = list.new(), { name = "a" }, { name = "b" }
    line:push(a)
    line:push(b)
    line:remove(a)
    assert.is_true(is_alone(a))
    assert.is_false(b.prev or false)
    line:push(a)
    assert.equal("b a", names(line))
    line:remove(b)
    assert.equal(a, line.first)
    line:remove(a)
    assert.is_false(line.first or false)
    assert.is_false(line.last or false)
    assert.is_true(is_alone(a) and is_alone(b))
  end)

  it("counts its nodes, and shifts the first one", function()
    local line, a, b = list.new(), { name = "a" }, { name = "b" }
    assert.is_nil(line:shift())
    assert.equal(0, line.size)
    line:push(a)
    line:push(b)
    assert.equal(2, line.size)
    assert.equal(a, line:shift())
    assert.equal(b, line:shift())
    assert.is_nil(line:shift())
    assert.equal(0, line.size)
    assert.is_true(is_alone(a) and is_alone(b))
  end)

  it("cuts off its first nodes, which stay linked", function()
    for count = 1, 3 do
      local line, nodes = list.new(), { { name = "a" }, { name = "b" }, { name = "c" } }
      for _, node in ipairs(nodes) do
        line:push(node)
      end
      line:cut(nodes[count], count)
      assert.equal(("a b c"):sub(1, 2 * count - 1), names { first = nodes[1] })
      assert.equal(("a b c"):sub(2 * count + 1), names(line))
      assert.equal(3 - count, line.size)
      assert.is_false(line.first and line.first.prev or false)
      line:push { name = "d" }
      assert.equal(("a b c d"):sub(2 * count + 1), names(line))
    end
  end)

  it("is empty when its only node is removed", function()
    local line, node = list.new(), {}
    line:push(node)
    line:remove(node)
    assert.is_false(line.first or false)
    assert.is_false(line.last or false)
  end)
end)
