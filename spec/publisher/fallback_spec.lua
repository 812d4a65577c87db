local batch = require "pusher.publisher.batch"
local fallback = require "pusher.publisher.fallback"

-- A batch whose call has failed with a status.
local function failed(status, ...)
  local one = batch.new()
  one.events, one.message, one.details, one.attempts = { ... }, "no", { code = "invalid", status = status }, 1
  return one
end

local function judge(one, client)
  local logged = {}
  fallback.judge(one, client, function(level, message)
    logged[#logged + 1] = level .. ": " .. message
  end)
  return logged
end

describe("pusher.publisher.fallback", function()
  it("begins where the server found fault with one of several events", function()
    for _, status in ipairs { 400, 413, 422 } do
      local one = failed(status, "a", "b")
      assert.is_true(fallback.begin(one))
      assert.same({ { "a", "b" }, false }, { one.singles, one.missing })
      assert.is_false(fallback.begin(failed(status, "a")))
    end
    for _, status in ipairs { 401, 403, 409, 500 } do
      local one = failed(status, "a", "b")
      assert.is_false(fallback.begin(one))
      assert.is_false(one.singles)
    end
    assert.is_false(fallback.begin(failed(nil, "a", "b")))
  end)

  it("begins where batch_events may be missing, and not at /events", function()
    local one = failed(404, "a")
    assert.is_true(fallback.begin(one))
    assert.same({ { "a" }, { message = "no", details = { code = "invalid", status = 404 } } },
      { one.singles, one.missing })
    one = failed(404, "a")
    one.single = true
    assert.is_false(fallback.begin(one))
  end)

  it("begins again for one of the events that are sent one by one, and keeps the others", function()
    local one = failed(404, "a")
    one.singles = { "b", "c" }
    assert.is_true(fallback.begin(one))
    assert.same({ "a", "b", "c" }, one.singles)
  end)

  it("has each event once when it begins a second time, after a lack of memory", function()
    local one = failed(413, "a", "b")
    fallback.begin(one)
    assert.is_true(fallback.begin(one))
    assert.same({ { "a", "b" }, 1 }, { one.singles, one.whole_attempts })
    local events = {}
    batch.list(one, events, {})
    assert.same({ "a", "b" }, events)
  end)

  it("keeps for each event how often all were sent together, and whether they may have arrived", function()
    local one = failed(400, "a", "b")
    one.state, one.attempts, one.reached = "waits", 3, true
    fallback.begin(one)
    fallback.take(one, fallback.next(one))
    one.attempts, one.reached = 1, true
    fallback.take(one, fallback.next(one))
    local events, attempts = {}, {}
    batch.list(one, events, attempts)
    assert.same({ { "b" }, { 3 }, true }, { events, attempts, one.reached })
    one = failed(nil, "a", "b")
    one.attempts = 4
    fallback.prepare(one, 1)
    assert.same({ 3, 1 }, { one.whole_attempts, one.attempts })
  end)

  it("sends one event by /events where batch_events is or may be missing, else the whole batch", function()
    local one = failed(nil, "a", "b", "c")
    one.body = "text"
    fallback.prepare(one, 10)
    assert.same({ false, { "a", "b", "c" }, "text" }, { one.single, one.events, one.body })
    one.missing = {}
    fallback.prepare(one, 10)
    assert.same({ true, { "a" }, { "b", "c" }, false, 1 }, { one.single, one.events, one.singles, one.body, one.attempts })
    one = failed(nil, "a", "b")
    fallback.prepare(one, 1)
    assert.same({ true, { "a" }, { "b" } }, { one.single, one.events, one.singles })
  end)

  it("gives the events out one after another, each with attempts of its own", function()
    local one = failed(400, "a", "b")
    assert.is_true(fallback.begin(one))
    one.body = "text"
    local events = fallback.next(one)
    assert.same({ "a" }, events)
    fallback.take(one, events)
    assert.same({ { "a" }, { "b" }, false, 0 }, { one.events, one.singles, one.body, one.attempts })
    one.attempts = 2
    fallback.take(one, fallback.next(one))
    assert.same({ { "b" }, {}, 0 }, { one.events, one.singles, one.attempts })
    assert.is_nil(fallback.next(one))
    assert.is_false(fallback.next(failed(400, "a")))
  end)

  describe("at the outcome of a call to /events", function()
    local function searching(status)
      local one = failed(status, "a")
      one.state, one.singles, one.single = "judged", { "b" }, true
      one.missing, one.whole_attempts = { message = "first", details = { code = "not_found", status = 404 } }, 2
      return one
    end

    it("knows that the server has no batch_events when it accepts or finds fault with an event", function()
      local accepted = searching(nil)
      accepted.result, accepted.details = {}, false
      for _, one in ipairs { accepted, searching(400), searching(413), searching(422) } do
        local client = {}
        assert.same({ "warn: the server has no batch_events: events are sent one by one" }, judge(one, client))
        assert.same({ true, false, { "a" } }, { client.lacks_batches, one.missing, one.events })
      end
    end)

    it("fails all events as the batch's call did when /events is missing, too", function()
      local one, client = searching(404), {}
      assert.same({}, judge(one, client))
      assert.same({ { "a", "b" }, false, "first", { code = "not_found", status = 404 }, { 3, 2 }, false },
        { one.events, one.singles, one.message, one.details, one.made, one.missing })
      assert.is_nil(client.lacks_batches)
    end)

    it("knows nothing yet after any other failure, or before that call", function()
      local one = searching(500)
      local before, known = searching(404), searching(404)
      before.single, known.missing = false, false
      for _, unchanged in ipairs { one, before, known } do
        local client = {}
        assert.same({}, judge(unchanged, client))
        assert.same({ { "a" }, { "b" } }, { unchanged.events, unchanged.singles })
        assert.is_nil(client.lacks_batches)
      end
    end)
  end)
end)
