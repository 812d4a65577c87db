local lane = require "pusher.publisher.lane"

local function append(one, event)
  local block = lane.is_full(one) and lane.new_block()
  assert.equal(block ~= false, lane.append(one, event, block))
end

local function move(one, number)
  local events = {}
  lane.move(one, number, events, 0)
  return events
end

describe("pusher.publisher.lane", function()
  it("gives events in the order they were added, over any number of blocks", function()
    for size = 1, 40 do
      local one, expected = lane.new(), {}
      for number = 1, size do
        append(one, "e" .. number)
        expected[number] = "e" .. number
      end
      assert.equal(size, one.count)
      assert.same(expected, move(one, size))
      assert.equal(0, one.count)
    end
  end)

  it("agrees with a plain list over random operations", function()
    local one, slow = lane.new(), {}
    for number = 1, 20000 do
      if math.random(2) == 1 then
        append(one, number)
        slow[#slow + 1] = number
      else
        local count = math.random(0, math.min(#slow, 12))
        for _, event in ipairs(move(one, count)) do
          assert(table.remove(slow, 1) == event)
        end
      end
      assert(one.count == #slow)
    end
  end)

  it("adds moved events behind those of the list", function()
    local one, events = lane.new(), { "a", false, false, "d" }
    append(one, "b")
    append(one, "c")
    append(one, "e")
    lane.move(one, 2, events, 1)
    assert.same({ "a", "b", "c", "d" }, events)
    assert.same({ "e" }, move(one, 1))
  end)

  it("keeps no event that it has given, and one block when it is empty", function()
    local one = lane.new()
    for _ = 1, 100 do
      append(one, "e")
    end
    move(one, 100)
    assert.equal(one.first, one.last)
    assert.is_false(one.first.following)
    for index = 1, 8 do
      assert.is_false(one.first[index])
    end
    append(one, "e")
    assert.equal(1, one.first.to)
  end)
end)
