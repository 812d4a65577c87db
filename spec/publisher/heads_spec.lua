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

local function get(memory, channel, event)
  local head = memory:known(channel, event)
  if head then
    return head
  end
  return memory:make(channel, event)
end

describe("pusher.publisher.heads", function()
  it("asks the payload once for each pair of channel and event", function()
    local memory, asked = new()
    for _ = 1, 3 do
      assert.equal("head of a/e", get(memory, "a", "e"))
      assert.equal("head of a/f", get(memory, "a", "f"))
      assert.equal("head of b/e", get(memory, "b", "e"))
    end
    assert.same({ "a/e", "a/f", "b/e" }, asked)
  end)

  it("passes a refusal on, and does not remember it", function()
    local memory, asked = new()
    for _ = 1, 2 do
      local head, message, details = get(memory, "bad", "e")
      assert.is_nil(head)
      assert.equal("a bad channel", message)
      assert.equal("invalid", details.code)
    end
    assert.equal(2, #asked)
    assert.is_nil(next(memory.by_channel))
  end)

  it("knows no pair that is not one of names", function()
    local memory = new()
    memory:make("5", "e")
    for _, pair in ipairs { { 5, "e" }, { "5", 1 }, { "5", nil }, { nil, "e" }, { 0 / 0, "e" }, { {}, true } } do
      assert.is_nil((memory:known(pair[1], pair[2])))
    end
  end)

  it("remembers only so many pairs", function()
    local memory, asked = new()
    for number = 1, 1024 do
      get(memory, "c" .. number % 100, "e" .. number)
    end
    get(memory, "c1", "e1")
    assert.equal(1024, #asked)
    get(memory, "d", "e")
    assert.equal(1, memory.count)
    assert.equal("head of c1/e1", get(memory, "c1", "e1"))
    assert.equal(1026, #asked)
  end)
end)
