local scripted = require "spec.helpers.scripted"
local stepped = require "pusher.driver.stepped"

local function new(options)
  options = options or {}
  local world = scripted.new { deferred = true, respond = options.respond, latency = options.latency or 0.05 }
  return world, world:publisher(options.publisher)
end

describe("pusher.driver.stepped", function()
  it("starts several batches in a step, and settles them in later ones", function()
    local world, publisher = new()
    for number = 1, 35 do
      publisher:trigger("c" .. number, "e", "x")
    end
    assert.equal(35, publisher:step())
    assert.same({ 10, 10, 10 }, world:sizes())
    world.time = world.time + 0.05
    assert.equal(5, publisher:step())
    assert.same({ 10, 10, 10, 5 }, world:sizes())
    world.time = world.time + 0.05
    assert.equal(0, publisher:step())
  end)

  it("has no more calls in flight than allowed", function()
    local world, publisher = new { publisher = { max_in_flight = 2 } }
    for number = 1, 100 do
      publisher:trigger("c" .. number, "e", "x")
    end
    publisher:step()
    assert.equal(2, #world.waiting)
    local most = 0
    while publisher:step(0.01) > 0 do
      most = math.max(most, #world.waiting)
    end
    assert.equal(2, most)
  end)

  it("sends in the same step what may follow the responses", function()
    local world, publisher = new { publisher = { linger = 0 } }
    publisher:trigger("a", "e", "1")
    publisher:step()
    publisher:trigger("a", "e", "2")
    publisher:step(1)
    assert.equal(2, #world.calls)
  end)

  it("steps once more after what it hands over meanwhile, as many calls as are allowed or fewer", function()
    for count, expected in pairs { [0] = { 0 }, [1] = { 0, 1 }, [2] = { 0, 2 }, [3] = { 0, 2 } } do
      local sent, seen, left = 0, {}, 0
      local source = {
        max_in_flight = 2, judged = 0,
        next = function()
          left = left - 1
          return left >= 0 and {} or nil
        end,
        send = function() sent = sent + 1 end,
        unsettled = function() return 0 end,
      }
      local driver = stepped.new {
        source = source,
        transport = { step = function()
          seen[#seen + 1], left, source.judged = sent, #seen == 0 and count or left, 1
          return sent
        end },
      }
      assert.equal(0, driver:advance(0))
      assert.same(expected, seen)
    end
  end)

  it("asks the source once in a step that settles nothing", function()
    local asked = 0
    local driver = stepped.new {
      source = { max_in_flight = 2, judged = 0, next = function() asked = asked + 1 end, unsettled = function() return 0 end },
      transport = { step = function() return 0 end },
    }
    driver:advance(0)
    assert.equal(1, asked)
  end)

  it("sleeps a little while another coroutine has what is left", function()
    local slept = {}
    local driver = stepped.new {
      source = { max_in_flight = 2, judged = 0, next = function() end, due = function() end, unsettled = function() return 1 end },
      transport = { step = function() return 0 end }, now = function() return 0 end,
      sleep = function(seconds) slept[#slept + 1] = seconds end,
    }
    assert.equal(1, driver:advance(2))
    assert.equal(1, driver:advance(0.001))
    assert.same({ 0.005, 0.001 }, slept)
  end)

  it("does not wait when there is nothing to wait for", function()
    local world, publisher = new()
    local before = world.time
    assert.equal(0, publisher:step(10))
    assert.equal(before, world.time)
    assert.equal(0, world.slept)
  end)

  it("waits for the first response, or until a batch is due, and not longer than allowed", function()
    local world, publisher = new { publisher = { linger = 0.5 }, latency = 3 }
    local start = world.time
    publisher:trigger("a", "e", "1")
    publisher:step(0.2)
    assert.equal(start + 0.2, world.time)
    publisher:step(10)
    assert.equal(start + 0.5, world.time)
    publisher:step(1)
    assert.equal(start + 1.5, world.time)
    publisher:trigger("b", "e", "2")
    publisher:step(10)
    assert.equal(start + 2, world.time)
    publisher:step(10)
    assert.equal(start + 3.5, world.time)
  end)

  it("shows an event loop what to watch and when to come back", function()
    local world, publisher = new { publisher = { linger = 0.5 } }
    assert.same({ 7, "r" }, { publisher:pollfd(), publisher:events() })
    assert.is_nil(publisher:timeout())
    publisher:trigger("a", "e", "1")
    assert.equal(0.5, publisher:timeout())
    world.time = world.time + 0.7
    assert.equal(0, publisher:timeout())
    publisher:step()
    assert.equal(0.25, publisher:timeout()) -- the transport's own
  end)

  it("hands on the failure of a transport that was closed", function()
    local world, publisher = new()
    world.transport.close()
    local value, _, details = publisher:step()
    assert.is_nil(value)
    assert.equal("closed", details.code)
  end)

  it("keeps a step short though every call fails at once", function()
    local world, publisher = new()
    world.transport.send = function()
      return nil, "no", { code = "invalid", retryable = false }
    end
    for number = 1, 1000 do
      publisher:trigger("c" .. number, "e", "x")
    end
    publisher:step()
    assert.is_true(publisher:stats().failed <= 160)
    assert.is_true(publisher:flush(5))
  end)
end)
