local core = require "pusher.core"
local delivery = require "pusher.publisher.delivery"
local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local outcomes = require "pusher.publisher.outcomes"
local pending = require "pusher.pending"
local queue = require "pusher.publisher.queue"
local scripted = require "spec.helpers.scripted"

local SETTINGS = { max_queue = 1000, overflow = "reject", linger = 0.5, max_in_flight = 2,
  retry = { attempts = 3, base = 0.5, max = 4 } }

-- The parts as the publisher puts them together, over a world where nothing happens by itself.
local function new(changed, log)
  local world = scripted.new { deferred = true, latency = 10 }
  local settings, reported = {}, {}
  for name, value in pairs(SETTINGS) do
    settings[name] = value
  end
  for name, value in pairs(changed or {}) do
    settings[name] = value
  end
  function settings.now()
    return world.time
  end
  local waiting = queue.new(settings)
  local results = outcomes.new(function(event, result, _, details)
    reported[#reported + 1] = event.channel .. ":" .. (result and "ok" or details.code)
  end, log or function() end)
  local client = world.client
  local moving = delivery.new({
    transport = world.transport, build = client.build, parse = client.parse, max_batch = 10, random = core.random,
    payload = client.payload,
    is_closed = function()
      return false
    end,
  }, settings, waiting, results)
  -- Most specs do not send what they take.
  function moving.next()
    local batch = getmetatable(moving).__index.next(moving)
    moving.taken = false
    return batch
  end
  local function push(channel)
    waiting:push(channel, { channel = channel, name = "e", text = ('{"channel":"%s"}'):format(channel) })
  end
  return world, moving, push, reported, results
end

local function refuse_closed()
  return errors.fail("closed", "the client is closed")
end

local FAILURE = { "it failed", { code = "server", status = 503, retryable = true } }

describe("pusher.publisher.delivery", function()
  it("has nothing to do, and reads no clock, while nothing waits", function()
    local world, moving = new()
    moving.now = error
    assert.is_nil(moving:next())
    assert.is_nil(moving:due())
    assert.equal(0, #world.calls)
  end)

  it("says when the next batch is due", function()
    local world, moving, push = new()
    push("a")
    assert.equal(world.time + 0.5, moving:due())
    assert.is_nil(moving:next())
    for _ = 1, 9 do
      push("b")
    end
    assert.equal(-math.huge, moving:due())
    assert.equal(10, #moving:next().events)
    assert.is_nil(moving:due())
  end)

  it("has no more batches than allowed, those that wait to be sent again included", function()
    local world, moving, push = new { linger = 0 }
    push("a")
    local first = moving:next()
    push("b")
    local second = moving:next()
    push("c")
    assert.is_nil(moving:next())
    assert.is_nil(moving:due())
    moving:judge(first, nil, FAILURE[1], FAILURE[2])
    assert.is_nil(moving:next())
    assert.is_true(moving:due() > world.time)
    moving:judge(second, {})
    assert.equal("c", moving:next().events[1].channel)
  end)

  it("sends again in the order the times are due", function()
    local world, moving, push = new { linger = 0, max_in_flight = 3 }
    local batches = {}
    for index, after in ipairs { 30, 10, 20 } do
      push("c" .. index)
      batches[index] = moving:next()
      batches[index].wanted = after
    end
    for _, batch in ipairs(batches) do
      moving.retries.paused_until = 0
      moving:judge(batch, nil, "wait",
        { code = "rate_limited", retryable = true, retry_after = batch.wanted })
    end
    moving.retries.paused_until = 0
    world.time = world.time + 60
    local order = {}
    for index = 1, 3 do
      order[index] = moving:next().wanted
    end
    assert.same({ 10, 20, 30 }, order)
  end)

  it("pauses as long as the server asked, but not for ever", function()
    local world, moving, push = new { linger = 0 }
    push("a")
    local start = world.time
    moving:judge(moving:next(), nil, "wait", { code = "rate_limited", retryable = true, retry_after = 1e9 })
    push("b")
    assert.is_true(moving:due() >= start + 3600)
    world.time = start + 3599
    assert.is_nil(moving:next())
    world.time = start + 3602
    assert.is_table(moving:next())
  end)

  it("pauses for a second, and up to the base more, when a server's limit is reached and it does not say for how long", function()
    for byte, pause in pairs { ["\0"] = 1, ["\255"] = 1.499 } do
      local world, moving, push = new { linger = 0 }
      moving.retries.random = function(count)
        return byte:rep(count)
      end
      push("a")
      local start = world.time
      moving:judge(moving:next(), nil, "wait", { code = "rate_limited", retryable = true })
      push("b")
      world.time = start + pause - 0.01
      assert.is_nil(moving:next())
      world.time = start + pause + 0.01
      assert.is_table(moving:next())
      assert.is_table(moving:next())
    end
  end)

  it("sends what is above a server's limit in the order it was refused, whatever the attempt", function()
    local world, moving, push = new { linger = 0, max_in_flight = 3, retry = { attempts = 9, base = 0.5, max = 60 } }
    local batches = {}
    for index = 1, 3 do
      push("c" .. index)
      batches[index] = moving:next()
      batches[index].number = index
    end
    for _ = 1, 8 do
      for _, batch in ipairs(batches) do
        world.time = world.time + 0.001
        moving:judge(batch, nil, "wait", { code = "rate_limited", retryable = true })
      end
      world.time = world.time + 1.5
      for number = 1, 3 do
        assert.equal(number, moving:next().number)
      end
    end
  end)

  it("judges a batch once", function()
    local _, moving, push, reported = new { linger = 0 }
    push("a")
    local batch = moving:next()
    moving:judge(batch, {})
    moving:judge(batch, nil, FAILURE[1], FAILURE[2])
    assert.same({ "a:ok" }, reported)
    assert.same({ 0, 0, 1 }, { moving:in_flight(), moving:unsettled(), moving.judged })
  end)

  it("settles by its pending, and a call that could not even start at once", function()
    local world, moving, push, reported = new { linger = 0 }
    push("a")
    moving:send(moving:next())
    assert.same({}, reported)
    world.transport:step(20)
    assert.same({ "a:ok" }, reported)
    world.transport.send = function()
      return errors.fail("closed", "the transport is closed")
    end
    push("b")
    moving:send(moving:next())
    assert.same({ "a:ok", "b:closed" }, reported)
  end)

  it("settles at once when the pending is done already", function()
    local world, moving, push, reported, results = new { linger = 0 }
    function world.transport.send()
      local call = pending.new { log = error }
      pending.settle(call, errors.fail("full", "too many calls"))
      return call
    end
    push("a")
    local batch = moving:next()
    moving:send(batch)
    assert.is_nil(batch.pending)
    assert.same({}, reported)
    for _ = 2, 3 do
      world.time = moving:due()
      moving:send(moving:next())
    end
    assert.same({ "a:full" }, reported)
    assert.same({ 3, 2, 0 }, { results:stats().calls, results:stats().retried, moving:unsettled() })
  end)

  it("counts attempts from the first one, also those of the events of a faulty batch", function()
    local world, moving, push, reported = new { linger = 0 }
    push("a")
    push("a")
    local attempts = {}
    local function fail(status, retryable)
      world.time = world.time + 60
      local batch = moving:next()
      attempts[#attempts + 1] = batch.attempts
      moving:judge(batch, nil, "no", { code = "server", status = status, retryable = retryable })
    end
    fail(503, true)
    fail(400, false)
    for _ = 1, 6 do
      fail(503, true)
    end
    assert.same({ 1, 2, 1, 2, 3, 1, 2, 3 }, attempts)
    assert.same({ "a:server", "a:server" }, reported)
    assert.equal(0, moving:unsettled())
  end)

  it("reports how often an event was sent, and counts no call that was not made", function()
    local world, moving, push = new { linger = 0 }
    local attempts = {}
    moving.outcomes.on_result = function(_, _, _, details)
      attempts[#attempts + 1] = details.attempts
    end
    local build = moving.client.build
    for _, builds in ipairs { { build, build, build }, { build, refuse_closed }, { refuse_closed } } do
      push("a")
      for _, next_build in ipairs(builds) do
        world.time = world.time + 60
        moving.client.build = next_build
        local batch = moving:next()
        moving:send(batch)
        if batch.state == "in_flight" then
          moving:judge(batch, nil, FAILURE[1], FAILURE[2])
        end
      end
    end
    assert.same({ 3, 1, 0 }, attempts)
    assert.is_nil(FAILURE[2].attempts)
  end)

  it("marks the calls of a publisher that sends once", function()
    for attempts, once in ipairs { true, false } do
      local world, moving, push = new { linger = 0, retry = { attempts = attempts, base = 1, max = 1 } }
      push("a")
      moving:send(moving:next())
      assert.equal(once, world.calls[1].request.once)
    end
  end)

  it("cuts a call short when asked to, and never makes it longer", function()
    local world, moving, push = new { linger = 0 }
    push("a")
    moving:send(moving:next(), 0.5)
    push("b")
    moving:send(moving:next(), 50)
    assert.same({ 0.5, 5 }, { world.calls[1].request.timeout, world.calls[2].request.timeout })
  end)

  it("is logged when it is collected with events in it", function()
    local logged = {}
    local function log(level, message)
      logged[#logged + 1] = level .. ": " .. message
    end
    do
      local _, moving, push = new({ linger = 0 }, log)
      push("a")
      moving:send(moving:next())
      push("b")
      push("c")
    end
    do
      local _, moving, push = new({ linger = 0 }, log)
      push("a")
      moving:judge(moving:next(), {})
    end
    collectgarbage()
    collectgarbage()
    assert.same({ "error: 3 events were never sent: the publisher was collected without close()" }, logged)
  end)

  it("gives everything up, or all but what is being sent", function()
    local world, moving, push, reported, results = new { linger = 0, max_in_flight = 3 }
    local report, seen = results.on_result, {}
    results.on_result = function(event, result, message, details)
      seen[#seen + 1] = event.channel .. " " .. details.attempts
      return report(event, result, message, details)
    end
    for _, channel in ipairs { "sending", "again", "singles" } do
      push(channel)
      if channel == "singles" then
        push(channel)
      end
      local batch = moving:next()
      if channel == "sending" then
        moving:send(batch)
      else
        moving:judge(batch, nil, "no", { code = "server", retryable = channel == "again", status = 400 })
      end
    end
    push("waiting")
    moving:abandon("the end", { code = "closed" }, true)
    table.sort(reported)
    assert.same({ "again:closed", "singles:closed", "singles:closed", "waiting:closed" }, reported)
    assert.same({ 1, 1, 1 }, { moving.batches.size, moving:in_flight(), moving:unsettled() })
    push("sending")
    moving:abandon("the end", { code = "closed" })
    assert.equal(1, world.cancelled)
    assert.equal(6, results:stats().failed)
    assert.same({ "again 1", "singles 1", "singles 1", "waiting 0", "sending 1", "sending 0" }, seen)
    assert.same({ 0, 0, 0 }, { moving.batches.size, moving:in_flight(), moving:unsettled() })
    assert.is_nil(moving:due())
  end)

  it("keeps the order of a channel that sends while everything else is given up", function()
    local world, moving, push, reported = new { linger = 0 }
    push("a")
    local first = moving:next()
    moving:send(first)
    push("a")
    moving:abandon("the end", { code = "closed" }, true)
    assert.same({ "a:closed" }, reported)
    push("a")
    assert.is_nil(moving:next())
    world.transport:step(20)
    push("a")
    assert.equal(2, #moving:next().events)
    assert.equal(2, moving:unsettled())
  end)

  it("posts batches, and single events to servers that take no batches", function()
    for max_batch, path in pairs { [1] = "/events", [10] = "/batch_events" } do
      local _, moving, push = new { linger = 0 }
      local build, seen = moving.client.build, nil
      moving.max_batch = max_batch
      moving.client.build = function(...)
        seen = { ... }
        return build(...)
      end
      push("a")
      moving:send(moving:next())
      assert.same({ "POST", path }, { seen[1], seen[2] })
      assert.equal(max_batch > 1 and '{"batch":[{"channel":"a"}]}' or '{"channel":"a"}', seen[4])
    end
  end)

  it("encodes a batch once, however often it is sent", function()
    local world, moving, push = new { linger = 0 }
    local joins, payload = 0, moving.client.payload
    moving.client.payload = { join = function(...)
      joins = joins + 1
      return payload.join(...)
    end }
    push("a")
    for attempt = 1, 3 do
      local batch = moving:next()
      moving:send(batch)
      assert.equal(attempt, batch.attempts)
      moving:judge(batch, nil, FAILURE[1], FAILURE[2])
      world.time = world.time + 10
    end
    assert.same({ 1, 3 }, { joins, #world.calls })
  end)

  it("sends nothing that was given up while it was signed, as a finalizer may do", function()
    local world, moving, push, reported = new()
    push("a")
    moving:hurry()
    local build = moving.client.build
    moving.client.build = function(...)
      moving:abandon("closed", { code = "closed" })
      return build(...)
    end
    moving:send(moving:next())
    assert.same({ "a:closed" }, reported)
    assert.same({ 0, 0, 0 }, { #world.calls, moving.batches.size, moving:in_flight() })
  end)

  describe("when memory is short", function()
    local function fail()
      error("not enough memory", 0)
    end

    it("sends a batch later that could not be signed", function()
      local world, moving, push, reported = new()
      push("a")
      moving:hurry()
      local build = moving.client.build
      moving.client.build = fail
      local batch = moving:next()
      assert.has_error(function() moving:send(batch) end, "not enough memory")
      moving.client.build = build
      assert.same({ -math.huge, 2 }, { moving:due(), moving:unsettled() })
      assert.equal(batch, moving:next())
      moving:send(batch)
      assert.equal(1, #world.calls)
      moving:judge(batch, {})
      assert.is_nil(moving:next())
      assert.same({ "a:ok" }, reported)
      assert.equal(0, moving:unsettled())
    end)

    it("sends a batch later that there was no memory to begin with", function()
      local world, moving, push = new()
      moving.next = nil
      push "a"
      push "b"
      moving:hurry()
      local batch = assert(moving:next())
      push "c"
      moving:hurry()
      assert.equal(batch, moving:next())
      moving:send(batch)
      assert.equal(1, batch.attempts)
      local second = assert(moving:next())
      assert.equal("c", second.events[1].channel)
      moving:abandon("the end", { code = "closed" })
      assert.is_nil(moving:next())
      assert.equal(1, #world.calls)
    end)

    it("judges a batch later that there was no memory to judge", function()
      local _, moving, push, reported = new { max_in_flight = 1 }
      push "a"
      moving:hurry()
      local batch, own_pcall = moving:next(), pcall
      moving:send(batch)
      _G.pcall = fail -- luacheck: ignore
      local ok, raised = own_pcall(moving.judge, moving, batch, {})
      _G.pcall = own_pcall -- luacheck: ignore
      assert.same({ false, "not enough memory" }, { ok, raised })
      assert.equal(batch, moving:next())
      moving:send(batch)
      assert.is_nil(moving:next())
      assert.same({ "a:ok" }, reported)
      assert.equal(0, moving:unsettled())
    end)

    it("sends a batch later that could not be signed again", function()
      local world, moving, push, reported = new()
      push("a")
      moving:hurry()
      local batch, build = moving:next(), moving.client.build
      moving:send(batch)
      moving:judge(batch, nil, FAILURE[1], FAILURE[2])
      world.time = world.time + 10
      assert.equal(batch, moving:next())
      moving.client.build = fail
      assert.has_error(function() moving:send(batch) end, "not enough memory")
      moving.client.build = build
      moving:send(moving:next())
      assert.equal(2, #world.calls)
      moving:judge(batch, {})
      assert.same({ "a:ok" }, reported)
    end)

    it("sends each of several batches that could not be signed", function()
      local world, moving, push = new()
      local batches, build = {}, moving.client.build
      for index, channel in ipairs { "a", "b" } do
        push(channel)
        moving:hurry()
        batches[index] = moving:next()
      end
      moving.client.build = fail
      for _, batch in ipairs(batches) do
        assert.has_error(function() moving:send(batch) end, "not enough memory")
      end
      moving.client.build = build
      for _, batch in ipairs(batches) do
        assert.equal(batch, moving:next())
        moving:send(batch)
      end
      assert.equal(2, #world.calls)
      assert.is_nil(moving:next())
      assert.equal(2, moving:unsettled())
    end)

    it("goes on with an outcome where it was interrupted, and reports no event twice", function()
      local _, moving, push, reported, results = new()
      push("a")
      moving:hurry()
      local batch, report = moving:next(), results.report_sent
      moving:send(batch)
      results.report_sent = function(...)
        results.report_sent = report
        report(...)
        fail()
      end
      assert.has_error(function() moving:judge(batch, {}) end, "not enough memory")
      assert.equal(batch, moving:next())
      moving:send(batch)
      assert.is_nil(moving:next())
      assert.same({ "a:ok" }, reported)
      assert.same({ 0, 0, 1 }, { moving.batches.size, moving:unsettled(), results:stats().sent })
    end)

    it("reports a call that was interrupted as failed, since it may have been made", function()
      local _, moving, push = new { retry = { attempts = 1, base = 0, max = 0 } }
      local got
      moving.outcomes.on_result = function(_, ...)
        got = { ... }
      end
      push("a")
      moving:hurry()
      local batch = moving:next()
      moving.client.transport = { send = function() return { on_done = fail } end }
      assert.has_error(function() moving:send(batch) end, "not enough memory")
      moving:send(moving:next())
      fails("not enough memory to send the events", { code = "network", retryable = true, attempts = 1 }, got[1], got[2], got[3])
    end)
  end)
end)
