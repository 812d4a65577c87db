local stack = require "pusher.base.stack"

describe("pusher.base.stack", function()
  it("returns at any depth that Lua allows, also inside a coroutine", function()
    local function at(depth)
      stack.reserve()
      return depth == 0 or at(depth - 1)
    end
    assert.is_true(at(100))
    assert.is_true(select(2, coroutine.resume(coroutine.create(at), 100)))
  end)

  -- `make oom` shows what it is for.
end)
