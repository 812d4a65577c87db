local errors = require "pusher.base.errors"
local heads = require "pusher.publisher.heads"

local function new()
  local asked = {}
  return heads.new {
    head = function(_, channel, event)
      asked[#asked + 1] = channel .. "/" .. event
      if channel == "bad" then
        return errors.fail("invalid", "a bad channel")
      end
      return "head of " .. channel .. "/" .. event
    end,
  }, asked
end

describe("pusher.publisher.heads", function()
  it("asks the payload once for each pair of channel and event", function()
    local memory, asked = new()
    for _ = 1, 3 do
      assert.equal("head of a/e", memory:get("a", "e"))
      assert.equal("head of a/f", memory:get("a", "f"))
      assert.equal("head of b/e", memory:get("b", "e"))
    end
    assert.same({ "a/e", "a/f", "b/e" }, asked)
  end)

  it("passes a refusal on, and does not remember it", function()
    local memory, asked = new()
    for _ = 1, 2 do
      local head, message, details = memory:get("bad", "e")
      assert.is_nil(head)
      assert.equal("a bad channel", message)
      assert.equal("invalid", details.code)
    end
    assert.equal(2, #asked)
    assert.is_nil(next(memory.by_channel))
  end)

  it("remembers only so many pairs", function()
    local memory, asked = new()
    for number = 1, 1024 do
      memory:get("c" .. number % 100, "e" .. number)
    end
    memory:get("c1", "e1")
    assert.equal(1024, #asked)
    memory:get("d", "e")
    assert.equal(1, memory.count)
    assert.equal("head of c1/e1", memory:get("c1", "e1"))
    assert.equal(1026, #asked)
  end)
end)
