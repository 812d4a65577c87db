local batch = require "pusher.publisher.batch"

local function new(...)
  local one = batch.new()
  one.events = { ... }
  return one
end

describe("pusher.publisher.batch", function()
  it("begins without events, which no other batch gets", function()
    local first, second = batch.new(), batch.new()
    assert.are_not.equal(first, second)
    assert.same({}, first.events)
    assert.same({ "ready", false, 0 }, { first.state, first.interrupted, first.attempts })
  end)

  it("encodes its body once", function()
    local joined = 0
    local payload = { join = function(_, texts)
      joined = joined + 1
      return table.concat(texts, "+")
    end }
    local one = new({ text = "a" }, { text = "b" })
    assert.equal("a+b", batch.text(one, payload))
    assert.equal("a+b", batch.text(one, payload))
    assert.equal(1, joined)
  end)

  it("gives its events away", function()
    local one = new("a", "b")
    assert.same({ "a", "b" }, batch.clear(one))
    assert.same({}, one.events)
  end)

  it("lists each event that is left once", function()
    local one, listed = new("a"), { "x" }
    one.singles = { "b", "c" }
    batch.list(one, listed)
    assert.same({ "x", "a", "b", "c" }, listed)
    one.singles, listed = one.events, {}
    batch.list(one, listed)
    assert.same({ "a" }, listed)
  end)
end)
