local retries = require "pusher.publisher.retries"

local time

local function new()
  time = 100
  return retries.new({ retry = { attempts = 3, base = 0.5, max = 4 }, now = function() return time end }, function()
    return "\0\0"
  end)
end

describe("pusher.publisher.retries", function()
  it("gives batches back when they are due, the earliest first", function()
    local waiting = new()
    assert.is_nil(waiting:due())
    waiting:add("late", 103)
    waiting:add("early", 101)
    assert.same({ 2, 101 }, { waiting.size, waiting:due() })
    assert.is_nil(waiting:take(100))
    assert.equal("early", waiting:take(102))
    assert.same({ 1, 103 }, { waiting.size, waiting:due() })
  end)

  it("is due with a fresh batch when that is earlier", function()
    local waiting = new()
    assert.equal(99, waiting:due(99))
    waiting:add("a", 101)
    assert.equal(99, waiting:due(99))
    assert.equal(101, waiting:due(102))
  end)

  it("says when a call may be repeated", function()
    local waiting = new()
    assert.equal(100.5, waiting:due_after(1, { retryable = true }))
    assert.equal(101, waiting:due_after(2, { retryable = true }))
    assert.is_nil(waiting:due_after(3, { retryable = true }))
    assert.is_nil(waiting:due_after(1, { retryable = false }))
    assert.is_false(waiting:is_paused(time))
  end)

  it("pauses as long as the server asked, for an hour at most, whether or not the call is repeated", function()
    local waiting = new()
    assert.is_nil(waiting:due_after(1, { retry_after = 5 }))
    assert.is_true(waiting:is_paused(104.9))
    assert.is_false(waiting:is_paused(105))
    assert.equal(105, waiting:due(101))
    assert.is_nil(waiting:due())
    waiting:due_after(1, { retry_after = 2 })
    assert.is_true(waiting:is_paused(104.9))
    assert.equal(3700, waiting:due_after(1, { retryable = true, retry_after = 1e9 }))
  end)

  it("forgets all batches, not the pause", function()
    local waiting = new()
    waiting:add("a", 101)
    waiting:add("b", 102)
    waiting:due_after(1, { retry_after = 5 })
    waiting:clear()
    assert.same({ 0 }, { waiting.size, waiting:due() })
    assert.is_true(waiting:is_paused(104))
  end)
end)
