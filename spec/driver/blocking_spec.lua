local scripted = require "spec.helpers.scripted"

local function new(options)
  options = options or {}
  local world = scripted.new { respond = options.respond, latency = options.latency or 0.05 }
  return world, world:publisher(options.publisher)
end

describe("pusher.driver.blocking", function()
  it("sends at most one batch in a step, and none before its time", function()
    local world, publisher = new { latency = 0 }
    for number = 1, 21 do
      publisher:trigger("c" .. number, "e", "x")
    end
    assert.equal(11, publisher:step())
    assert.equal(1, publisher:step())
    assert.equal(1, publisher:step())
    assert.same({ 10, 10 }, world:sizes())
    world.time = world.time + 1
    assert.equal(0, publisher:step())
    assert.equal(0, world.slept)
  end)

  it("sleeps until a batch is due, and not longer than allowed", function()
    local world, publisher = new { publisher = { linger = 0.5 } }
    publisher:trigger("a", "e", "x")
    publisher:step(0.2)
    assert.equal(0.2, world.slept)
    publisher:step(3)
    assert.is_true(math.abs(world.slept - 0.5) < 1e-9)
    assert.equal(0, publisher:step())
  end)

  it("sleeps, not spins, while a flush waits for a retry", function()
    local world, publisher = new { respond = function(call)
      if call.number < 3 then
        return 503, "", "Retry-After: 2\r\n"
      end
      return 200, "{}"
    end }
    publisher:trigger("a", "e", "x")
    assert.is_true(publisher:flush(60))
    assert.equal(3, #world.calls)
    assert.is_true(world.slept >= 4 and world.slept < 5)
  end)

  it("ends a call of a flush with the flush, but leaves it a fair chance", function()
    local world, publisher = new()
    publisher:trigger("a", "e", "x")
    publisher:flush(2)
    publisher:trigger("a", "e", "x")
    publisher:flush(0.01)
    publisher:trigger("a", "e", "x")
    world.time = world.time + 1
    publisher:step(0.01)
    local timeouts = {}
    for index, call in ipairs(world.calls) do
      timeouts[index] = call.request.timeout
    end
    assert.same({ 2, 0.1, 5 }, timeouts)
  end)

  -- Lua 5.1 cannot yield through pcall; there such a transport is one that raises.
  local yields_through_pcall = coroutine.resume(coroutine.create(function()
    assert(pcall(coroutine.yield))
  end))

  it("serves coroutines that take turns within a call", function()
    local world, publisher = new { publisher = { sleep = coroutine.yield } }
    local send = world.transport.send
    world.transport.send = function(...)
      coroutine.yield()
      return send(...)
    end
    for number = 1, 30 do
      publisher:trigger("a", "e", tostring(number))
      publisher:trigger("b", "e", tostring(number))
    end
    local done, most, threads = 0, 0, {}
    for index = 1, 3 do
      threads[index] = coroutine.create(function()
        assert(publisher:flush(60))
        done = done + 1
      end)
    end
    repeat
      for _, thread in ipairs(threads) do
        coroutine.resume(thread)
      end
      most = math.max(most, publisher:stats().in_flight)
    until done == 3
    if yields_through_pcall then
      assert.equal(60, publisher:stats().sent)
      assert.equal(20, most)
      assert.equal("1 2 3", world:took("a"):sub(1, 5))
    else
      assert.equal(60, publisher:stats().failed)
      assert.is_truthy(world.results[1].message:find("transport error: attempt to yield", 1, true))
    end
  end)
end)
