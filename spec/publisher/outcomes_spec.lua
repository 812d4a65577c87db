local fails = require "spec.helpers.fails"
local outcomes = require "pusher.publisher.outcomes"

local EVENT = { channel = "a", name = "e", text = "the data", replace = "bob", tag = 7, next = {} }

local function new(on_result)
  local reported, logged = {}, {}
  local results = outcomes.new(on_result or function(...)
    reported[#reported + 1] = { ... }
  end, function(level, message, fields)
    logged[#logged + 1] = { level = level, message = message, fields = fields }
  end)
  return results, reported, logged
end

-- As delivery does: counts, then reports. Each event is one of its own.
local function count(results, outcome, events)
  results:count(outcome, #events)
  for index, event in ipairs(events) do
    events[index] = { channel = event.channel, name = event.name, text = "the data", replace = event.replace, tag = event.tag }
  end
end

local function deliver(results, events, response)
  count(results, "sent", events)
  results:report_sent(events, response)
end

local function fail(results, events, message, details)
  count(results, "failed", events)
  results:report_failed(events, message, details)
end

describe("pusher.publisher.outcomes", function()
  it("reports what the sender gave, and nothing of the data", function()
    local results, reported = new()
    deliver(results, { EVENT }, { batch = { { user_count = 3 } } })
    assert.same({ { { channel = "a", name = "e", replace = "bob", tag = 7 }, { user_count = 3 } } }, reported)
    assert.equal(1, results:stats().sent)
  end)

  it("finds what the response says by an event's place in the batch, or by its channel", function()
    local results, reported = new()
    deliver(results, { EVENT, EVENT }, { batch = { { user_count = 1 }, { user_count = 2 } }, channels = { a = {} } })
    deliver(results, { EVENT }, { channels = { a = { user_count = 3 } } })
    assert.same({ 1, 2, 3 }, { reported[1][2].user_count, reported[2][2].user_count, reported[3][2].user_count })
  end)

  it("says of each event how often it was sent", function()
    local results, reported = new()
    fail(results, { EVENT, EVENT }, "closed", { code = "closed", attempts = { 3 } })
    assert.same({ 3, 0 }, { reported[1][4].attempts, reported[2][4].attempts })
  end)

  it("counts all events before it reports the first one", function()
    local results, seen
    results = new(function()
      seen = seen or results:stats()
    end)
    deliver(results, { EVENT, EVENT, EVENT }, {})
    assert.equal(3, seen.sent)
  end)

  it("gives an empty result where the server has nothing to say", function()
    local results, reported = new()
    for index, response in ipairs { true, { batch = { "odd" } }, { batch = "odd" }, { channels = 7 }, {} } do
      deliver(results, { EVENT }, response)
      assert.same({}, reported[index][2])
    end
  end)

  it("reports failures, each with details of its own", function()
    local results, reported = new()
    local details = { code = "server", status = 500, retryable = true }
    fail(results, { EVENT, EVENT }, "broken", details)
    assert.equal("broken", reported[1][3])
    assert.same(details, reported[1][4])
    assert.are_not.equal(details, reported[1][4])
    assert.are_not.equal(reported[1][4], reported[2][4])
    assert.equal(2, results:stats().failed)
  end)

  it("reports dropped and replaced events", function()
    local results, reported = new()
    results:drop(EVENT)
    results:replace(EVENT)
    assert.is_nil(reported[1][2])
    assert.equal("full", reported[1][4].code)
    assert.same({ replaced = true }, reported[2][2])
    assert.same({ 1, 1 }, { results:stats().dropped, results:stats().replaced })
  end)

  it("counts without an on_result", function()
    local results = outcomes.new(nil, error)
    deliver(results, { EVENT }, {})
    fail(results, { EVENT }, "x", { code = "server" })
    results:drop(EVENT)
    results:replace(EVENT)
    results:count("calls", 1)
    results:count("retried", 3)
    assert.same({ sent = 1, failed = 1, dropped = 1, replaced = 1, calls = 1, retried = 3 }, results:stats())
    assert.are_not.equal(results:stats(), results:stats())
  end)

  it("survives and logs an on_result that raises, whatever it raises", function()
    for _, raised in ipairs { "boom", setmetatable({}, { __tostring = function() return "boom" end }) } do
      local results, _, logged = new(function()
        error(raised, 0)
      end)
      deliver(results, { EVENT }, {})
      assert.equal("error", logged[1].level)
      assert.equal("on_result raised: boom", logged[1].message)
      assert.same({ channel = "a", event = "e" }, logged[1].fields)
      assert.is_false(results:is_reporting())
    end
  end)

  it("survives what cannot even be logged", function()
    local stderr, written = io.stderr, nil
    finally(function() rawset(io, "stderr", stderr) end)
    rawset(io, "stderr", { write = function(_, ...) written = { ... } end })
    local results = outcomes.new(function()
      error(setmetatable({}, { __tostring = error }))
    end, function()
      error("the log is broken as well")
    end)
    deliver(results, { EVENT }, {})
    assert.equal(1, results:stats().sent)
    assert.same({ "pusher: ", "error", ": ", "on_result raised: an error that cannot be shown", "\n" }, written)
  end)

  it("logs events that are lost", function()
    local results, _, logged = new()
    results:leak(3)
    assert.equal("error", logged[1].level)
    assert.equal("3 events were never sent: the publisher was collected without close()", logged[1].message)
    assert.same({ code = "closed", left = 3 }, logged[1].fields)
  end)

  it("knows who is called from on_result, and who only runs meanwhile", function()
    local results, inside, other
    results = new(function()
      inside = results:is_reporting()
      coroutine.wrap(function()
        other = results:is_reporting()
      end)()
    end)
    deliver(results, { EVENT }, {})
    assert.same({ true, false, false }, { inside, other, results:is_reporting() })
  end)

  it("tries once more to report when memory was short, and raises when it still is", function()
    for failures = 0, 2 do
      local results, reported = new()
      local call, left = results.callbacks.call, failures
      results.callbacks.call = function(...)
        left = left - 1
        if left >= 0 then
          error("not enough memory", 0)
        end
        return call(...)
      end
      local ok, raised = pcall(deliver, results, { EVENT }, {})
      assert.same({ failures < 2, failures < 2 and 1 or 0 }, { ok, #reported })
      assert.is_true(ok or raised == "not enough memory")
    end
  end)

  it("says which events were dropped or never sent", function()
    local results, reported, logged = new()
    results:drop { channel = "a", name = "e", text = "x" }
    fails("dropped from a full queue in favour of a newer event", { code = "full" }, reported[1][2], reported[1][3],
      reported[1][4])
    results:leak(3)
    assert.same({ { level = "error", message = "3 events were never sent: the publisher was collected without close()",
      fields = { code = "closed", left = 3 } } }, logged)
  end)
end)
