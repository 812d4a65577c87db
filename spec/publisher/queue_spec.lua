local queue = require "pusher.publisher.queue"

local time

local function now()
  return time
end

local function new(settings)
  time = 100
  settings = settings or {}
  return queue.new {
    max_queue = settings.max_queue or 1000, overflow = settings.overflow or "reject", linger = settings.linger or 0,
    now = now,
  }
end

local function push(waiting, channel, text, key)
  return waiting:push(channel, { channel = channel, text = text }, key)
end

-- The channels of the lanes that `take` returned.
local function channels_of(lane)
  local list = {}
  while lane do
    list[#list + 1], lane = lane.channel, lane.next
  end
  return list
end

local function text_of(event)
  return type(event) == "string" and event or event.text
end

local function texts(events)
  local list = {}
  for index, event in ipairs(events or {}) do
    list[index] = text_of(event)
  end
  return table.concat(list, " ")
end

describe("pusher.publisher.queue", function()
  it("gives a channel's events in order, and channels in the order they came", function()
    local waiting = new()
    for _, text in ipairs { "a1", "b1", "a2", "c1", "b2" } do
      push(waiting, text:sub(1, 1), text)
    end
    local events, lanes = waiting:take(10, time)
    assert.equal("a1 a2 b1 b2 c1", texts(events))
    assert.same({ "a", "b", "c" }, channels_of(lanes))
    assert.equal(0, waiting:size())
  end)

  it("holds a channel back until its events are settled, and no other", function()
    local waiting = new()
    for number = 1, 4 do
      push(waiting, "a", "a" .. number)
    end
    local events, lanes = waiting:take(2, time)
    assert.equal("a1 a2", texts(events))
    push(waiting, "a", "a5")
    assert.is_nil(waiting:take(2, time))
    push(waiting, "b", "b1")
    assert.equal("b1", texts((waiting:take(2, time))))
    waiting:release(lanes)
    assert.equal("a3 a4", texts((waiting:take(2, time))))
  end)

  it("lets an incomplete batch linger, and a full one go", function()
    local waiting = new { linger = 0.5 }
    push(waiting, "a", "a1")
    assert.equal(100.5, waiting:due(3))
    assert.equal(-math.huge, waiting:due(1))
    assert.equal(100.5, waiting:due_when_added(3))
    assert.equal(-math.huge, waiting:due_when_added(2))
    time = 100.25
    push(waiting, "b", "b1")
    assert.is_nil(waiting:take(3, time))
    assert.equal("a1 b1", texts((waiting:take(2, time))))
    time = 101
    push(waiting, "c", "c1")
    assert.is_nil(waiting:take(3, 101.4))
    assert.equal("c1", texts((waiting:take(3, 101.5))))
  end)

  it("lets all that are ready go after hurry, in several batches, and new ones linger afterwards", function()
    local waiting = new { linger = 0.5 }
    for number = 1, 3 do
      push(waiting, "c" .. number, tostring(number))
    end
    waiting:hurry()
    assert.equal("1 2", texts((waiting:take(2, time))))
    assert.equal(-math.huge, waiting:due(2))
    assert.equal("3", texts((waiting:take(2, time))))
    push(waiting, "d", "4")
    assert.equal(time + 0.5, waiting:due(2))
  end)

  it("does not let events linger that have waited for their channel", function()
    local waiting = new { linger = 0.5 }
    push(waiting, "a", "a1")
    waiting:hurry()
    local _, lanes = waiting:take(1, time)
    push(waiting, "a", "a2")
    time = 103
    waiting:release(lanes)
    assert.equal("a2", texts((waiting:take(10, time))))
  end)

  it("takes turns between channels that are never empty", function()
    local waiting = new()
    for number = 1, 4 do
      push(waiting, "a", "a" .. number)
      push(waiting, "b", "b" .. number)
    end
    local seen = {}
    for round = 1, 4 do
      local events, lanes = waiting:take(2, time)
      seen[round] = texts(events)
      waiting:release(lanes)
    end
    assert.same({ "a1 a2", "b1 b2", "a3 a4", "b3 b4" }, seen)
  end)

  it("finds a waiting event by its key, until it is taken", function()
    local waiting = new()
    push(waiting, "a", "a1", "moved\0bob")
    assert.equal("a1", waiting:find("a", "moved\0bob").text)
    assert.is_nil(waiting:find("b", "moved\0bob"))
    assert.is_nil(waiting:find("a", "moved\0eve"))
    waiting:take(1, time)
    assert.is_nil(waiting:find("a", "moved\0bob"))
  end)

  it("replaces a waiting event in its place", function()
    local waiting = new()
    waiting:push("a", { channel = "a", name = "moved", text = "a1", replace = "bob", tag = 1 }, "moved\0bob")
    push(waiting, "a", "a2")
    local old = waiting:replace(waiting:find("a", "moved\0bob"), "a3", "Bob", 3)
    assert.same({ channel = "a", name = "moved", replace = "bob", tag = 1 }, old)
    assert.equal(2, waiting:size())
    local events = waiting:take(2, time)
    assert.equal("a3 a2", texts(events))
    assert.same({ "Bob", 3 }, { events[1].replace, events[1].tag })
  end)

  it("is full at its limit", function()
    local waiting = new { max_queue = 2 }
    assert.is_true(push(waiting, "a", "1"))
    assert.is_true(waiting:accepts())
    assert.is_true(push(waiting, "b", "2"))
    assert.is_false(waiting:accepts())
    assert.is_false(push(waiting, "c", "3"))
    waiting:take(1, time)
    assert.is_true(push(waiting, "c", "3"))
  end)

  it("drops the oldest of all, wherever it waits", function()
    local waiting = new { overflow = "drop_oldest", max_queue = 4 }
    push(waiting, "a", "a1")
    local _, lanes = waiting:take(1, time)
    push(waiting, "a", "a2") -- held back
    push(waiting, "b", "b1")
    push(waiting, "a", "a3")
    push(waiting, "b", "b2")
    assert.equal("a2", select(2, push(waiting, "c", "c1")).text)
    assert.equal("b1", select(2, push(waiting, "c", "c2")).text)
    waiting:release(lanes)
    assert.equal("b2 c1 c2 a3", texts((waiting:take(10, time))))
  end)

  it("drops the oldest when it is full", function()
    local waiting = new { overflow = "drop_oldest", max_queue = 2 }
    push(waiting, "a", "a1")
    push(waiting, "b", "b1")
    assert.is_true(waiting:accepts())
    local ok, dropped = push(waiting, "a", "a2")
    assert.is_true(ok)
    assert.equal("a1", dropped.text)
    assert.equal(2, waiting:size())
    assert.equal("b1 a2", texts((waiting:take(10, time))))
  end)

  it("forgets channels that have nothing to do", function()
    local waiting = new { overflow = "drop_oldest", max_queue = 1 }
    for number = 1, 100 do
      push(waiting, "dropped-" .. number, "x")
      push(waiting, "taken-" .. number, "x")
      local _, lanes = waiting:take(10, time)
      waiting:release(lanes)
    end
    assert.is_nil(next(waiting.lanes))
    assert.same({ 0, 0 }, { waiting.ready_lanes.size, waiting.by_age.size })
  end)

  it("keeps a few lanes without events to use them again, however many channels it has had", function()
    local waiting = new()
    local first = {}
    for number = 1, 300 do
      push(waiting, "c" .. number, "x")
      first[waiting.lanes["c" .. number]] = true
    end
    local _, lanes = waiting:take(300, time)
    waiting:release(lanes)
    local count, idle = 0, waiting.idle
    while idle do
      count, idle = count + 1, idle.next
    end
    assert.equal(128, count)
    for number = 301, 428 do
      push(waiting, "c" .. number, "x")
      assert.is_true(first[waiting.lanes["c" .. number]])
    end
    assert.is_false(waiting.idle)
    push(waiting, "c429", "y")
    assert.is_nil(first[waiting.lanes.c429])
    assert.equal(129, waiting:size())
    assert.equal(129, #waiting:take(300, time))
  end)

  it("does not use again a lane that has had keys, whose table may be large", function()
    local waiting = new()
    push(waiting, "a", "a1", "moved")
    local _, lanes = waiting:take(1, time)
    waiting:release(lanes)
    push(waiting, "b", "b1")
    assert.are_not.equal(lanes, waiting.lanes.b)
    assert.is_nil(waiting:find("b", "moved"))
    assert.is_nil(waiting:find("a", "moved"))
  end)

  it("takes events that are nothing but texts, between others", function()
    local waiting = new()
    waiting:push("a", "a1")
    push(waiting, "a", "a2", "moved")
    waiting:push("a", "a3")
    local events = waiting:take(3, time)
    assert.same({ "a1", "a2", "a3" }, { events[1], events[2].text, events[3] })
    assert.is_nil(waiting:find("a", "moved"))
  end)

  it("loses nothing when its clock adds an event", function()
    local waiting = new()
    local number, nested = 0, 0
    function waiting.now() -- as a finalizer may, too
      if nested < 3 then
        nested = nested + 1
        for _ = 1, 3 do
          number = number + 1
          waiting:push("a", "n" .. number)
        end
        nested = nested - 1
      end
      return time
    end
    waiting:push("a", "last")
    assert.equal(number + 1, waiting:size())
    assert.equal(waiting:size(), waiting.ready)
    local events = waiting:take(1000, time)
    assert.equal(number + 1, #events)
    assert.equal("last", events[#events])
    assert.equal(0, waiting:size())
  end)

  it("is emptied by drain, each channel in order", function()
    local waiting = new()
    push(waiting, "a", "a1")
    local _, lanes = waiting:take(1, time)
    push(waiting, "a", "a2")
    push(waiting, "a", "a3")
    assert.equal("a2 a3", texts(waiting:drain()))
    assert.equal(0, waiting:size())
    waiting:release(lanes)
    assert.is_nil(waiting:take(10, time))
    assert.is_nil(next(waiting.lanes))
  end)

  it("still holds a channel back after drain", function()
    local waiting = new()
    push(waiting, "a", "a1")
    local _, lanes = waiting:take(1, time)
    push(waiting, "a", "a2")
    push(waiting, "b", "b1")
    waiting:drain()
    push(waiting, "a", "a3")
    push(waiting, "b", "b2")
    assert.equal("b2", texts((waiting:take(10, time))))
    waiting:release(lanes)
    push(waiting, "a", "a4")
    assert.equal("a3 a4", texts((waiting:take(10, time))))
  end)
end)

-- The same queue, written the slow way: one list, searched each time. Its texts are all different.
local function model(settings)
  local list, held, channels = {}, {}, {}
  local self = { list = list }
  function self.push(channel, text)
    local dropped
    if #list >= settings.max_queue then
      if settings.overflow ~= "drop_oldest" then
        return false
      end
      dropped = table.remove(list, 1)
    end
    list[#list + 1], channels[text] = { channel = channel, text = text }, channel
    return true, dropped
  end
  function self.accepts(events) -- whether a batch is one that may leave now
    local seen = {}
    for _, event in ipairs(events) do
      local text = text_of(event)
      local channel = channels[text]
      assert(not held[channel], "a channel that is held back has sent")
      for index, own in ipairs(list) do
        if own.channel == channel then
          assert(own.text == text, "out of order")
          table.remove(list, index)
          break
        end
      end
      seen[channel] = true
    end
    for channel in pairs(seen) do
      held[channel] = true
    end
  end
  function self.release(lanes)
    for _, channel in ipairs(lanes) do
      held[channel] = nil
    end
  end
  function self.ready()
    local count = 0
    for _, event in ipairs(list) do
      count = count + (held[event.channel] and 0 or 1)
    end
    return count
  end
  return self
end

describe("pusher.publisher.queue against a slow model of itself", function()
  local function agree(overflow, channels)
    it(("agrees over random operations, %s, %d channels"):format(overflow, channels), function()
      local settings = { max_queue = 30, overflow = overflow }
      local waiting, slow, in_flight = new(settings), model(settings), {}
      local operations = {
        function(number)
          local channel = "c" .. math.random(channels)
          local text = tostring(number)
          -- As the publisher without on_result: a table only where the oldest may be dropped.
          local event = overflow == "reject" and text or { channel = channel, text = text }
          local expected, oldest = slow.push(channel, text)
          local ok, dropped = waiting:push(channel, event)
          assert.equal(expected, ok)
          assert.equal(oldest and oldest.text, dropped and dropped.text)
        end,
        function()
          local max = math.random(5)
          local ready = slow.ready()
          local events, lanes = waiting:take(max, time)
          assert.equal(math.min(max, ready), events and #events or 0)
          if events then
            slow.accepts(events)
            in_flight[#in_flight + 1] = lanes
          end
        end,
        function()
          local lanes = #in_flight > 0 and table.remove(in_flight, math.random(#in_flight))
          if lanes then
            slow.release(channels_of(lanes))
            waiting:release(lanes)
          end
        end,
      }
      for number = 1, 20000 do
        operations[math.random(10) <= 5 and 1 or math.random(3)](number)
        assert(waiting:size() == #slow.list)
        assert(waiting.ready == slow.ready())
      end
    end)
  end

  for _, overflow in ipairs { "reject", "drop_oldest" } do
    agree(overflow, 8)
    agree(overflow, 1) -- lanes of several blocks
  end
end)
