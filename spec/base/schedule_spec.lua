local waiting = require "pusher.base.schedule"

describe("pusher.base.schedule", function()
  it("is empty at first", function()
    local heap = waiting.new()
    assert.are.equal(0, heap.size)
    assert.is_nil(heap:due())
    assert.is_nil(heap:take(math.huge))
  end)

  it("gives nothing before its time", function()
    local heap = waiting.new()
    heap:add("b", 5)
    heap:add("a", 3)
    assert.are.equal(3, heap:due())
    assert.is_nil(heap:take(2.9))
    assert.are.equal("a", heap:take(3))
    assert.is_nil(heap:take(4))
    assert.are.equal("b", heap:take(100))
    assert.are.equal(0, heap.size)
  end)

  it("gives everything, the earliest first", function()
    math.randomseed(42)
    for _ = 1, 50 do
      local heap, expected = waiting.new(), {}
      for index = 1, math.random(0, 60) do
        local due = math.random(1, 20)
        expected[index] = due
        heap:add({ due = due }, due)
      end
      table.sort(expected)
      for index = 1, #expected do
        assert.are.equal(#expected - index + 1, heap.size)
        assert.are.equal(expected[index], heap:due())
        assert.are.equal(expected[index], heap:take(math.huge).due)
      end
      assert.is_nil(heap:take(math.huge))
      assert.is_nil(heap[1])
    end
  end)

  it("removes any item, and keeps the order of the others", function()
    math.randomseed(43)
    for _ = 1, 100 do
      local heap, entries, left = waiting.new(), {}, {}
      for index = 1, math.random(1, 40) do
        entries[index] = heap:add({ number = index }, math.random(1, 20))
      end
      for index, entry in ipairs(entries) do
        if math.random(2) == 1 then
          heap:remove(entry)
        else
          left[index] = true
        end
      end
      local last = 0
      while heap.size > 0 do
        local due = heap:due()
        local item = heap:take(math.huge)
        assert.is_true(due >= last and left[item.number])
        last, left[item.number] = due, nil
      end
      assert.is_nil(next(left))
      assert.is_nil(heap[1])
    end
  end)
end)
