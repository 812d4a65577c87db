local delivery = require "pusher.publisher.delivery"
local errors = require "pusher.base.errors"
local outcomes = require "pusher.publisher.outcomes"
local queue = require "pusher.publisher.queue"
local scripted = require "spec.helpers.scripted"

local SETTINGS = { max_queue = 1000, overflow = "reject", linger = 0.5, max_in_flight = 2,
  retry = { attempts = 2, base = 1, max = 4 } }

-- The parts as the publisher puts them together, over a world where nothing happens by itself.
local function new(changed)
  local world = scripted.new { deferred = true, latency = 10 }
  local settings, told = {}, {}
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
  local book = outcomes.new(function(event, result, _, details)
    told[#told + 1] = event.channel .. ":" .. (result and "ok" or details.code)
  end, error)
  local moving = delivery.new(world.client, settings, waiting, book)
  local function push(channel)
    waiting:push({ channel = channel, name = "e", text = ('{"channel":"%s"}'):format(channel) }, nil, settings.now)
  end
  return world, moving, push, told, book
end

local FAILURE = { "it failed", { code = "server", status = 503, retryable = true } }

describe("pusher.publisher.delivery", function()
  it("has nothing to do, and asks no clock, while nothing waits", function()
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
    assert.equal(0, moving:due())
    assert.equal(10, #moving:next().events)
    assert.is_nil(moving:due())
  end)

  it("has no more batches under way than allowed, those that wait to be sent again counted", function()
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
      moving.silent_until = 0
      moving:judge(batch, nil, "wait",
        { code = "rate_limited", retryable = true, retry_after = batch.wanted })
    end
    moving.silent_until = 0
    world.time = world.time + 60
    local order = {}
    for index = 1, 3 do
      order[index] = moving:next().wanted
    end
    assert.same({ 10, 20, 30 }, order)
  end)

  it("keeps silent as long as the server asked, but not for ever", function()
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

  it("judges a batch once", function()
    local _, moving, push, told = new { linger = 0 }
    push("a")
    local batch = moving:next()
    moving:judge(batch, {})
    moving:judge(batch, nil, FAILURE[1], FAILURE[2])
    assert.same({ "a:ok" }, told)
    assert.same({ 0, 0 }, { moving.count, moving.events })
  end)

  it("settles by its pending, and a call that could not even start at once", function()
    local world, moving, push, told = new { linger = 0 }
    push("a")
    moving:send(moving:next())
    assert.same({}, told)
    world.transport:step(20)
    assert.same({ "a:ok" }, told)
    world.transport.send = function()
      return errors.fail("closed", "the transport is closed")
    end
    push("b")
    moving:send(moving:next())
    assert.same({ "a:ok", "b:closed" }, told)
  end)

  it("cuts a call short when told so, and never makes it longer", function()
    local world, moving, push = new { linger = 0 }
    push("a")
    moving:send(moving:next(), 0.5)
    push("b")
    moving:send(moving:next(), 50)
    assert.same({ 0.5, 5 }, { world.calls[1].request.timeout, world.calls[2].request.timeout })
  end)

  it("does not go unheard when it is dropped with events in it", function()
    local logged = {}
    local function log(level, message)
      logged[#logged + 1] = level .. ": " .. message
    end
    do
      local _, moving, push, _, book = new { linger = 0 }
      book.log = log
      push("a")
      moving:send(moving:next())
      push("b")
      push("c")
    end
    do
      local _, moving, push, _, book = new { linger = 0 }
      book.log = log
      push("a")
      moving:judge(moving:next(), {})
    end
    collectgarbage()
    collectgarbage()
    assert.same({ "error: 3 events were never sent: their publisher was dropped without close()" }, logged)
  end)

  it("gives everything up, or all but what is being sent", function()
    local world, moving, push, told, book = new { linger = 0, max_in_flight = 3 }
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
    table.sort(told)
    assert.same({ "again:closed", "singles:closed", "singles:closed", "waiting:closed" }, told)
    assert.same({ 1, 1 }, { moving.count, moving.events })
    push("sending")
    moving:abandon("the end", { code = "closed" })
    assert.equal(1, world.cancelled)
    assert.equal(6, book.failed)
    assert.same({ 0, 0, 0 }, { moving.count, moving.events, moving.queue.waiting })
    assert.is_nil(moving:due())
  end)
end)
