local cjson = require "cjson"
local endpoint = require "pusher.base.endpoint"
local messages = require "pusher.push.fcm.message"
local receipts = require "pusher.push.tinode.receipt"
local schedule = require "pusher.base.schedule"
local world = require "spec.helpers.fcm_world"

local ANN = "CAcGBQQDAgE"
local FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"

local function devices(count)
  local list = {}
  for index = 1, count do
    list[index] = { device_id = "t" .. index }
  end
  return { [ANN] = list }
end

local function failing(status, code, headers)
  return status, { error = { code = status, message = "M", status = "X",
    details = code and { { ["@type"] = FCM_ERROR, errorCode = code } } or nil } }, headers or ""
end

-- One device, responses as given in order, the last one for ever; the times at which FCM was called.
local function times_of(responses, config, changes)
  local fake = world.new { respond = function(call)
    local response = responses[math.min(call.number, #responses)]
    if response == "sent" then
      return 200, { name = "m" }
    end
    return response()
  end }
  local handler = fake:handler(devices(1), config, changes)
  assert(handler:push(world.receipt { [ANN] = {} }))
  handler:flush(100000)
  local times = {}
  for index, call in ipairs(fake.calls) do
    times[index] = call.time - 1000
  end
  return times, fake, handler
end

local function responding(...)
  local given = { ... }
  return function()
    return failing(given[1], given[2], given[3])
  end
end

describe("pusher.push.fcm.sender", function()
  describe("tries again", function()
    it("after 10 seconds, then twice as long each time, up to its longest wait", function()
      local times = times_of({ responding(503), responding(500), responding(503), "sent" })
      assert.are.same({ 0, 10, 30, 70 }, times)
      times = times_of({ responding(503) }, { retry = { max = 40, attempts = 6 } })
      assert.are.same({ 0, 10, 30, 50, 70, 90 }, times)
    end)

    it("with jitter that only adds", function()
      local times = times_of({ responding(503), responding(503), "sent" }, nil, { random = function(count)
        return ("\255"):rep(count)
      end })
      assert.is_true(times[2] > 19.9 and times[2] < 20)
      assert.is_true(times[3] - times[2] > 39.9 and times[3] - times[2] < 40)
    end)

    it("no sooner than Retry-After says", function()
      assert.are.same({ 0, 25 }, times_of { responding(503, nil, "Retry-After: 25\r\n"), "sent" })
      assert.are.same({ 0, 10 }, times_of { responding(503, nil, "Retry-After: 2\r\n"), "sent" })
      assert.are.same({ 0, 90 }, times_of { responding(429, "QUOTA_EXCEEDED", "Retry-After: 90\r\n"), "sent" })
    end)

    it("a minute after the quota was used up, when nothing says how long", function()
      assert.are.same({ 0, 60 }, times_of { responding(429, "QUOTA_EXCEEDED"), "sent" })
      assert.are.same({ 0, 10 }, times_of({ responding(429, "QUOTA_EXCEEDED"), "sent" }, { retry = { quota = 1 } }))
    end)

    it("after a failure below HTTP that may pass", function()
      for _, code in ipairs { "network", "timeout" } do
        assert.are.same({ 0, 10 }, times_of { function()
          return require("pusher.base.errors").fail(code, "failure")
        end, "sent" })
      end
    end)

    it("so often and no oftener", function()
      local times, fake = times_of({ responding(503) }, { retry = { attempts = 3 } })
      assert.are.same({ 0, 10, 30 }, times)
      assert.are.same({ failed = 1 }, fake:outcomes())
      assert.are.equal("server", fake.results[1].details.code)
      assert.is_false(fake.calls[1].request.once)
      times, fake = times_of({ responding(503) }, { retry = { attempts = 1 } })
      assert.is_true(fake.calls[1].request.once)
      assert.are.same({ 0 }, times)
      assert.are.same({ failed = 1 }, fake:outcomes())
    end)

    it("within its deadline, and within the time to live", function()
      assert.are.same({ 0, 10, 30 }, times_of({ responding(503) }, { retry = { deadline = 69 } }))
      assert.are.same({ 0, 10 }, times_of({ responding(503) }, { time_to_live = 29 }))
      assert.are.same({ 0 }, times_of({ responding(503) }, { time_to_live = 0 }))
      assert.are.same({ 0 }, times_of({ responding(503, nil, "Retry-After: 7200\r\n"), "sent" },
        { retry = { deadline = 3599 } }))
    end)

    it("after an hour at most, whatever FCM asks for", function()
      local rules = { retry = { deadline = 86400 } }
      assert.are.same({ 0, 3600 }, times_of({ responding(503, nil, "Retry-After: 99999999999\r\n"), "sent" }, rules))
      for _, asked in ipairs { 1e12, math.huge } do
        assert.are.same({ 0, 3600 }, times_of({ function()
          return require("pusher.base.errors").fail("network", "failure", { retry_after = asked })
        end, "sent" }, rules))
      end
    end)

    it("not after what will not pass", function()
      for status, code in pairs { [400] = "INVALID_ARGUMENT", [403] = "SENDER_ID_MISMATCH", [404] = "UNREGISTERED",
        [401] = "THIRD_PARTY_AUTH_ERROR" } do
        assert.are.same({ 0 }, times_of { responding(status, code) })
      end
      assert.are.same({ 0 }, times_of { function()
        return require("pusher.base.errors").fail("tls", "certificate")
      end })
    end)

    it("the same bytes", function()
      local _, fake = times_of { responding(503), responding(503), "sent" }
      assert.are.equal(fake.calls[1].request.body, fake.calls[2].request.body)
      assert.are.equal(fake.calls[1].request.body, fake.calls[3].request.body)
    end)

    it("and lets the other devices pass meanwhile", function()
      local fake = world.new { respond = function(call)
        if call.number == 1 then
          return failing(503)
        end
        return 200, { name = "m" }
      end }
      local handler = fake:handler(devices(5))
      assert(handler:push(world.receipt { [ANN] = {} }))
      assert(handler:flush(100))
      local order = {}
      for index, result in ipairs(fake.results) do
        order[index] = result.device.device_id
      end
      assert.are.same({ "t2", "t3", "t4", "t5", "t1" }, order)
      assert.are.equal(1, handler:stats().retried)
    end)
  end)

  it("takes no new messages while very many wait to be sent again", function()
    local fake = world.new { respond = function(call)
      return failing(call.time < 1010 and 503 or 400)
    end }
    local handler = fake:handler(devices(1500))
    assert(handler:push(world.receipt { [ANN] = {} }))
    handler:flush(5)
    assert.are.equal(1000, #fake.calls)
    assert.are.equal(1000, handler:stats().retrying)
    assert.are.equal(500, handler:stats().waiting)
    assert(handler:flush(1000))
    assert.are.same({ invalid = 1500 }, fake:outcomes())
  end)

  describe("in flight", function()
    it("are never more than allowed, and as many as allowed", function()
      for _, limit in ipairs { 1, 3, 8 } do
        local fake = world.new { deferred = true, latency = 1 }
        local handler = fake:handler(devices(40), { max_in_flight = limit })
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(100))
        assert.are.equal(limit, fake.most_in_flight)
        assert.are.equal(40, #fake.calls)
        assert.is_true(fake.time - 1000 <= 1 + math.ceil(40 / limit) + 0.1)
      end
    end)
  end)

  describe("the access token", function()
    it("is fetched once for all, before the first message", function()
      local fake = world.new { deferred = true, latency = 1 }
      local handler = fake:handler(devices(20))
      assert(handler:push(world.receipt { [ANN] = {} }))
      assert(handler:flush(100))
      assert.are.equal(1, #fake.token_calls)
      assert.are.equal(1001, fake.calls[1].time)
      assert.are.equal(1, handler:stats().token_fetches)
    end)

    for _, deferred in ipairs { false, true } do
      it("is fetched once more on 401, for all that were in flight" .. (deferred and ", together" or ""), function()
        local fake = world.new { deferred = deferred, latency = 1, respond = function(call)
          if call.bearer == "Bearer ya29.token-1" then
            return failing(401)
          end
          return 200, { name = "m" }
        end }
        local handler = fake:handler(devices(20))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(100))
        assert.are.same({ sent = 20 }, fake:outcomes())
        assert.are.equal(2, #fake.token_calls)
        assert.are.equal(deferred and 28 or 21, #fake.calls)
        assert.are.equal(0, fake.slept)
      end)

      it("is not fetched for each message when none is any good" .. (deferred and ", together" or ""), function()
        local fake = world.new { deferred = deferred, respond = function()
          return failing(401)
        end }
        local handler = fake:handler(devices(50))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(100))
        assert.are.same({ failed = 50 }, fake:outcomes())
        assert.are.equal(2, #fake.token_calls)
        assert.are.equal(100, #fake.calls)
        for _, result in ipairs(fake.results) do
          assert.are.equal("unauthorized", result.details.code)
        end
      end)

      it("does not suffer from devices that are always refused" .. (deferred and ", together" or ""), function()
        local fake = world.new { deferred = deferred, respond = function(call)
          if call.message.token:find("[05]$") then
            return failing(401)
          end
          return 200, { name = "m" }
        end }
        local handler = fake:handler(devices(50))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(100))
        assert.are.same({ failed = 10, sent = 40 }, fake:outcomes())
        assert.are.equal(2, #fake.token_calls)
        assert.are.equal(60, #fake.calls)
      end)

      it("that cannot be had for a while lets messages wait" .. (deferred and ", together" or ""), function()
        local fake = world.new { deferred = deferred, grant = function(call)
          if call.number < 3 then
            return 503, ""
          end
          return 200, { access_token = "t", expires_in = 3599 }
        end }
        local handler = fake:handler(devices(5))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(1000))
        assert.are.same({ sent = 5 }, fake:outcomes())
        assert.are.equal(3, #fake.token_calls)
      end)

      it("that is refused for good fails every message" .. (deferred and ", together" or ""), function()
        local fake = world.new { deferred = deferred, grant = function()
          return 400, { error = "invalid_grant" }
        end }
        local handler = fake:handler(devices(5))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(1000))
        assert.are.same({ failed = 5 }, fake:outcomes())
        assert.are.equal(1, #fake.token_calls)
        assert.matches("cannot fetch an access token: .*invalid_grant", fake.results[1].message)
      end)
    end

    it("is waited for no longer than flush or stop may take", function()
      local fake = world.new { latency = 10, grant = function()
        return nil, "timed out", { code = "timeout", retryable = true }
      end }
      local handler = fake:handler(devices(1))
      assert(handler:push(world.receipt { [ANN] = {} }))
      assert.is_nil((handler:flush(2)))
      assert.are.equal(1002, fake.time)
      fake.time = 1100
      handler:stop(0)
      assert.is_true(fake.time <= 1100.1)
      assert.are.equal(0.1, fake.token_calls[2].request.timeout)
    end)

    it("is renewed while messages go on", function()
      local fake = world.new { deferred = true, latency = 1, grant = function(call)
        return 200, { access_token = "token-" .. call.number, expires_in = 300 }
      end }
      local handler = fake:handler(devices(400), { max_in_flight = 1 })
      assert(handler:push(world.receipt { [ANN] = {} }))
      assert(handler:flush(1000))
      assert.are.same({ sent = 400 }, fake:outcomes())
      assert.are.equal(3, #fake.token_calls)
      -- Nobody waited for the renewals: the first token took a second, each message one more.
      assert.are.equal(1401, fake.time)
    end)
  end)

  describe("survives a transport", function()
    local broken = {
      ["that raises"] = function()
        error("boom")
      end,
      ["that says nothing"] = function() end,
      ["that has another failure shape"] = function()
        return nil, "no luck"
      end,
      ["whose details are not a table"] = function()
        return nil, "no luck", "really"
      end,
      ["whose details have no code"] = function()
        return false, "no luck", {}
      end,
    }
    for name, send in pairs(broken) do
      it(name, function()
        local fake = world.new()
        local inner = fake.transport.send
        fake.transport.send = function(self, request, parse)
          if request.target:find("token", 1, true) then
            return inner(self, request, parse)
          end
          return send()
        end
        local handler = fake:handler(devices(3))
        assert(handler:push(world.receipt { [ANN] = {} }))
        assert(handler:flush(10))
        assert.are.same({ failed = 3 }, fake:outcomes())
        for _, result in ipairs(fake.results) do
          assert.is_string(result.message)
          assert.are.equal("network", result.details.code)
        end
      end)
    end
  end)

  describe("used by several coroutines at once, as inside nginx", function()
    local account = require "tools.local_server.account"
    local config = require "pusher.push.fcm.config"
    local credentials = require "pusher.push.fcm.credentials"
    local json = assert(require("pusher.base.json").new())
    local sender = require "pusher.push.fcm.sender"

    -- A sender whose source yields before it gives a job; responses come when `fake.transport` steps.
    local function new(fake, count, next_job)
      local given, settled = 0, {}
      local source = {
        next_job = next_job or function()
          coroutine.yield()
          given = given + 1
          return given <= count and { body = '{"message":{}}', number = given } or nil, given <= count
        end,
        is_empty = function()
          return given >= count
        end,
        abandon = function() end,
      }
      local outcomes = {
        judge = function(_, job, result)
          settled[#settled + 1] = { number = job.number, sent = result ~= nil }
        end,
      }
      local loaded = assert(credentials.load({ credentials = account.new() }, function() end, json))
      return sender.new(fake:options({}, { json = json }), assert(config.check {}), loaded, fake.transport, source,
        outcomes), settled
    end

    local function drive(made)
      return coroutine.wrap(function()
        local job = made:next()
        if job then
          made:send(job)
        end
      end)
    end

    it("asks the source 32 times at most for a job, which receipts without devices do not make", function()
      local turns = 0
      local made = new(world.new(), 1, function()
        turns = turns + 1
        return nil, true
      end)
      assert.is_nil(made:next())
      assert.are.equal(32, turns)
    end)

    it("says when it has something to send", function()
      local fake = world.new { respond = responding(503) }
      local handler = fake:handler(devices(1))
      local sending = handler.sender
      assert.is_nil(sending:due())
      assert(handler:push(world.receipt { [ANN] = {} }))
      assert.are.equal(0, sending:due())
      handler:flush(1)
      assert.are.equal(1010, sending:due())
      sending:set_deadline(1005)
      assert.are.equal(1005, sending:due())
      sending:set_deadline(nil)
      sending.in_flight.size = sending.max_in_flight
      assert.is_nil(sending:due())
    end)

    it("counts the responses, those of the token endpoint too", function()
      local fake = world.new { respond = function() return 200, { name = "m" } end }
      local handler = fake:handler(devices(3))
      assert(handler:push(world.receipt { [ANN] = {} }))
      handler:flush(10)
      assert.are.equal(4, handler.sender.judged)
    end)

    it("loses no message that waits for the token", function()
      local fake = world.new { deferred = true }
      local made, settled = new(fake, 3)
      local drivers = { drive(made), drive(made), drive(made) }
      for _, driver in ipairs(drivers) do
        driver() -- into the source
      end
      for _, driver in ipairs(drivers) do
        driver() -- out of it: the first starts to fetch the token, which the others wait for
      end
      assert.are.equal(1, #fake.token_calls)
      assert.are.equal(3, made:unsettled())
      assert.are.equal(nil, made:due())
      fake.transport:step(0)
      assert.are.equal(fake.time, made:due())
      for _ = 1, 3 do
        drive(made)()
      end
      fake.transport:step(0)
      assert.are.equal(3, #settled)
      assert.are.equal(0, made:unsettled())
    end)
  end)

  it("leaves the calls in flight alone when a worker exits, and ends the rest with that message", function()
    local fake = world.new { deferred = true, respond = function(call)
      call.latency = 100
      return 200, { name = "m" }
    end }
    local handler = fake:handler(devices(3), { max_in_flight = 2 })
    assert(handler:push(world.receipt { [ANN] = {} }))
    handler:step(1)
    assert.are.equal(2, handler:stats().in_flight)
    handler.sender:abandon("the nginx worker exits", { code = "closed" }, true)
    assert.are.same({ closed = 1 }, fake:outcomes())
    assert.are.equal("the nginx worker exits", fake.results[1].message)
    assert.are.equal(0, fake.cancelled)
    handler:flush(200)
    assert.are.same({ closed = 1, sent = 2 }, fake:outcomes())
  end)

  it("cancels the calls that it has given up", function()
    local fake = world.new { deferred = true, respond = function(call)
      call.latency = 100
      return 200, { name = "m" }
    end }
    local handler = fake:handler(devices(3))
    assert(handler:push(world.receipt { [ANN] = {} }))
    handler:step(1)
    assert.are.equal(3, handler:stats().in_flight)
    handler:stop(1)
    assert.are.equal(3, fake.cancelled)
    assert.are.same({ closed = 3 }, fake:outcomes())
    assert.are.equal(0, handler:stats().in_flight)
  end)

  it("ends all that it has given up, though a call cannot be cancelled", function()
    local fake = world.new { deferred = true, latency = 100 }
    local send = fake.transport.send
    function fake.transport.send(...)
      local pending = send(...)
      pending.cancel = error
      return pending
    end
    local handler = fake:handler(devices(3))
    handler.sender.tokens.current = function() return "token" end
    assert(handler:push(world.receipt { [ANN] = {} }))
    handler:step(1)
    assert.are.equal(3, handler:stats().in_flight)
    handler:stop(1)
    assert.are.same({ closed = 3 }, fake:outcomes())
  end)

  it("ends all that it gives up, in the end, when memory is short", function()
    local fake = world.new { deferred = true, respond = function(call)
      call.latency = call.message.token == "t1" and 0 or 100
      return call.message.token == "t1" and 503 or 200, { name = "m" }
    end }
    local handler = fake:handler(devices(3), { max_in_flight = 2 })
    assert(handler:push(world.receipt { [ANN] = {} }))
    handler:step(1)
    local stats, reads = handler:stats(), 0
    assert.are.same({ 1, 2 }, { stats.retrying, stats.in_flight })
    local details = setmetatable({}, { __index = function(_, name)
      reads = name == "code" and reads + 1 or reads
      return name == "code" and (reads % 3 ~= 2 and "closed" or error("not enough memory", 0)) or nil
    end })
    for _ = 1, 6 do
      pcall(handler.sender.abandon, handler.sender, "stopped", details)
    end
    assert.are.same({ closed = 3 }, fake:outcomes())
  end)

  it("loses no message when memory is short once, and keeps no place for it", function()
    local waiting = getmetatable(schedule.new()).__index
    for _, part in ipairs {
      { endpoint, "request" }, { messages, "build" }, { receipts, "uids" }, { waiting, "add" },
    } do
      for _, deferred in ipairs { false, true } do
        local fake = world.new { deferred = deferred, respond = function(call)
          if call.message.token == "t2" then
            return failing(404, "UNREGISTERED")
          end
          return call.number > 1 and 200 or 503, { name = "m" }
        end }
        local handler = fake:handler(devices(2), { max_in_flight = 1 })
        assert(handler:send { token = "first" })
        local owner, name = part[1], part[2]
        local original = owner[name]
        owner[name] = function()
          owner[name] = original
          error("not enough memory", 0)
        end
        assert(handler:push(world.receipt { [ANN] = {} }))
        for _ = 1, 3 do
          pcall(handler.flush, handler, 100)
        end
        assert.are.equal(original, owner[name]) -- it was called
        assert.is_true(handler:flush(100))
        assert.are.equal(3, #fake.results)
      end
    end
  end)

  it("ends every device in one outcome, whatever happens, by thousands of throws of the dice", function()
    local codes = { { 200 }, { 200 }, { 200 }, { 503 }, { 500, "INTERNAL" }, { 429, "QUOTA_EXCEEDED" },
      { 404, "UNREGISTERED" }, { 400, "INVALID_ARGUMENT" }, { 401 }, { 403, "SENDER_ID_MISMATCH" }, { 418 }, { 200, "bad" } }
    for seed = 1, 6 do
      math.randomseed(seed)
      local fake = world.new { deferred = seed % 2 == 0, latency = 0.3, respond = function()
        local drawn = codes[math.random(#codes)]
        if drawn[1] == 200 then
          return 200, drawn[2] and "oops" or { name = "m" }
        elseif math.random(10) == 1 then
          return require("pusher.base.errors").fail("network", "reset")
        end
        return failing(drawn[1], drawn[2])
      end }
      local list = {}
      for index = 1, 200 do
        list[index] = { device_id = "t" .. index }
      end
      local handler = fake:handler({ [ANN] = list }, { retry = { attempts = 4 } })
      assert(handler:push(world.receipt { [ANN] = {} }))
      if seed == 6 then
        handler:stop(20)
      else
        assert(handler:flush(100000))
      end
      local seen = {}
      for _, result in ipairs(fake.results) do
        assert.is_nil(seen[result.device.device_id])
        seen[result.device.device_id] = result.outcome
      end
      assert.are.equal(200, #fake.results)
      local stats = handler:stats()
      assert.are.equal(200, stats.sent + stats.unregistered + stats.invalid + stats.failed + stats.closed)
      assert.are.equal(stats.unregistered, #fake.removed)
      assert.are.equal(cjson.encode {}, cjson.encode(fake.waiting))
    end
  end)
end)
