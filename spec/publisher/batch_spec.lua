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

  it("encodes events that are nothing but texts, alone and between others", function()
    local payload = { join = function(_, texts)
      return table.concat(texts, "+")
    end }
    assert.equal("a+b", batch.text(new("a", "b"), payload))
    local one = new("a", { text = "b" }, "c")
    assert.equal("a+b+c", batch.text(one, payload))
    assert.same({ "a", { text = "b" }, "c" }, one.events)
  end)

  it("gives its events away", function()
    local one = new("a", "b")
    assert.same({ "a", "b" }, batch.clear(one))
    assert.same({}, one.events)
  end)

  it("lists each event that is left once", function()
    local one, listed = new("a"), { "x" }
    one.singles = { "b", "c" }
    batch.list(one, listed, {})
    assert.same({ "x", "a", "b", "c" }, listed)
    one.singles, listed = one.events, {}
    batch.list(one, listed, {})
    assert.same({ "a" }, listed)
  end)

  it("lists batches with their events and the attempts made for these, without those in flight when asked to", function()
    local waiting, sending, again, other = new("a", "b"), new("c"), new("d"), new("e")
    waiting.state, sending.state, again.state, other.state = "waits", "in_flight", "in_flight", "in_flight"
    again.interrupted = true
    waiting.attempts, waiting.singles, sending.attempts = 2, { "s", "t" }, 1
    other.state, other.attempts = "ready", 1
    waiting.next, sending.next, again.next = sending, again, other
    assert.same({ {}, {}, {} }, { batch.list_all(false) })
    local found, events, attempts = batch.list_all(waiting)
    assert.same({ 4, { "a", "b", "s", "t", "c", "d", "e" } }, { #found, events })
    assert.same({ 2, 2, 0, 0, 1, 0, 0 }, attempts)
    other.state = "in_flight"
    found, events, attempts = batch.list_all(waiting, true)
    assert.same({ 2, { "a", "b", "s", "t", "d" } }, { #found, events })
    assert.same({ 2, 2, 0, 0, 0 }, attempts)
    assert.same({ { "a", "b" }, { "d" } }, { waiting.events, again.events })
  end)

  it("says in a copy of a failure's details how often it was sent", function()
    local one = new("a")
    local details = { code = "server", retryable = false, status = 500 }
    one.message, one.details, one.attempts = "no", details, 3
    batch.add_attempts(one)
    assert.same({ code = "server", retryable = false, status = 500, attempts = 3 }, one.details)
    assert.is_nil(details.attempts)
  end)
end)
