local cjson = require "cjson"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local scripted = require "spec.helpers.scripted"

local unpack = table.unpack or unpack -- luacheck: ignore 143

local function refused(code, value, message, details)
  assert.is_nil(value)
  assert.equal("string", type(message))
  assert.equal(code, details.code)
  return message, details
end

-- The responses of a script in turn; after its end, 200.
local function in_turn(script)
  return function(call)
    local response = script[call.number]
    if type(response) == "function" then
      return response(call)
    elseif type(response) == "string" then
      return errors.fail(response, "failed: " .. response)
    elseif response then
      return response, response == 200 and "{}" or "no", ""
    end
    return 200, "{}"
  end
end

local function counts(publisher)
  local stats = publisher:stats()
  assert.equal(stats.accepted,
    stats.queued + stats.in_flight + stats.sent + stats.failed + stats.dropped + stats.replaced)
  return stats
end

local function outcomes(world)
  local list = {}
  for index, reported in ipairs(world.results) do
    list[index] = (reported.event.tag or reported.event.channel) .. ":"
      .. (reported.result and "ok" or reported.details.code)
  end
  return table.concat(list, " ")
end

for _, deferred in ipairs { false, true } do
  local function new(script, options)
    local world = scripted.new {
      deferred = deferred, respond = type(script) == "function" and script or in_turn(script or {}), latency = 0.05,
      client = options and options.client,
    }
    return world, world:publisher(options and options.publisher)
  end

  describe(deferred and "pusher.publisher over a transport with a step" or "pusher.publisher over a blocking transport",
    function()
      it("works by a clock below zero", function()
        local world, publisher = new({ 503, 400 })
        world.time = -5000
        for number = 1, 3 do
          assert.is_true(publisher:trigger("c" .. number, "e", "d"))
        end
        assert.is_true(publisher:close(30))
        assert.equal("c1:ok c2:ok c3:ok", outcomes(world))
        assert.is_true(world.time < -4900)
      end)

      it("ends by a clock that is none", function()
        for _, time in ipairs { -math.huge, math.huge } do
          local world, publisher = new({}, { publisher = { now = function() return time end } })
          assert.is_true(publisher:trigger("c", "e", "d"))
          publisher:flush(1)
          publisher:close(1)
          assert.equal(1, #world.results)
          counts(publisher)
        end
      end)

      it("accepts at once, sends in batches, reports every event once", function()
        local world, publisher = new()
        for number = 1, 25 do
          assert.is_true(publisher:trigger("c" .. number % 3, "e", { n = number }, { tag = number }))
        end
        assert.equal(0, #world.calls)
        assert.is_true(publisher:flush(5))
        local total = 0
        for _, size in ipairs(world:sizes()) do
          total = total + size
          assert.is_true(size <= 10)
        end
        assert.equal(25, total)
        assert.equal(25, #world.results)
        local stats = counts(publisher)
        assert.same({ 25, 0, 0, #world.calls }, { stats.sent, stats.queued, stats.in_flight, stats.calls })
        assert.same({ channel = "c1", name = "e", tag = 1 }, world.results[1].event)
        assert.same({}, world.results[1].result)
      end)

      it("sends what trigger_batch would send", function()
        local world, publisher = new()
        publisher:trigger("presence-a", "e", { x = 1 }, { socket_id = "1.2", info = { "user_count" } })
        publisher:trigger("b", 'n"1', "unchanged")
        publisher:flush(5)
        world.client:trigger_batch {
          { channel = "presence-a", name = "e", data = { x = 1 }, socket_id = "1.2", info = { "user_count" } },
          { channel = "b", name = 'n"1', data = "unchanged" },
        }
        assert.equal(2, #world.calls)
        assert.equal(world.calls[2].request.body, world.calls[1].request.body)
        assert.equal("/apps/3/batch_events", world.calls[1].request.target:match("^[^?]*"))
      end)

      it("sends an event without data as null", function()
        local world, publisher = new()
        assert.is_true(publisher:trigger("a", "e"))
        assert.is_true(publisher:trigger("a", "e", nil, { tag = 2 }))
        publisher:flush(5)
        assert.equal("null null", world:took("a"))
      end)

      it("gives each event what its info asked for", function()
        local world, publisher = new(function()
          return 200, '{"batch":[{"user_count":1},{},{"user_count":3}]}'
        end)
        for number = 1, 3 do
          publisher:trigger("presence-a", "e", "x", { info = "user_count", tag = number })
        end
        publisher:flush(5)
        assert.same({ { user_count = 1 }, {}, { user_count = 3 } },
          { world.results[1].result, world.results[2].result, world.results[3].result })
      end)

      it("encrypts events at once, and never reports their plaintext", function()
        local world, publisher = new { "network", "network" }
        assert.is_true(publisher:trigger("private-encrypted-a", "e", "attack at dawn"))
        publisher:flush(5)
        local envelope = cjson.decode(world.calls[1].events[1].data)
        assert.equal("attack at dawn", core.open(core.base64_decode(envelope.ciphertext),
          core.channel_key("private-encrypted-a", ("m"):rep(32)), core.base64_decode(envelope.nonce)))
        assert.is_nil(world.calls[1].request.body:find("attack", 1, true))
        assert.equal(world.calls[1].request.body, world.calls[3].request.body)
        assert.is_nil(cjson.encode(world.results):find("attack", 1, true))
      end)

      it("tries again what may pass, signed afresh, the same bytes", function()
        local world, publisher = new { 503, "network", "timeout", 429 }
        publisher:trigger("a", "e", { x = 1, y = 2, z = 3 })
        assert.is_true(publisher:flush(60))
        assert.equal(5, #world.calls)
        local seen = {}
        for index, call in ipairs(world.calls) do
          assert.equal(world.calls[1].request.body, call.request.body)
          local stamp = call.request.target:match("auth_timestamp=(%d+)")
          assert.equal(math.floor(1700000000 + call.time), tonumber(stamp))
          seen[call.request.target] = index
        end
        assert.equal(5, seen[world.calls[5].request.target])
        assert.equal("a:ok", outcomes(world))
        assert.equal(4, counts(publisher).retried)
      end)

      it("backs off ever longer, with chance in it", function()
        local world, publisher = new({ 500, 500, 500, 500, 500 }, {
          client = { random = function(n) return ("\0"):rep(n) end },
          publisher = { retry = { base = 0.5, max = 4 }, linger = 0 },
        })
        publisher:trigger("a", "e", "x")
        assert.is_true(publisher:flush(60))
        local gaps = {}
        for index = 2, #world.calls do
          gaps[index - 1] = math.floor((world.calls[index].time - world.calls[index - 1].time - 0.05) * 1000 + 0.5)
        end
        assert.same({ 500, 1000, 2000, 2000, 2000 }, gaps)
      end)

      it("honours Retry-After, for all that waits", function()
        local world, publisher = new({ function() return 429, "slow down", "Retry-After: 7\r\n" end },
          { publisher = { linger = 0 } })
        publisher:trigger("a", "e", "x")
        publisher:step() -- the call is sent
        publisher:step(1) -- its response comes in
        publisher:trigger("b", "e", "x")
        assert.is_true(publisher:flush(60))
        assert.same({ 1, 1, 1 }, world:sizes())
        for index = 2, 3 do
          assert.is_true(world.calls[index].time >= 1007)
        end
        assert.equal("x x", world:took("a") .. " " .. world:took("b"))
      end)

      it("waits an hour at most, whatever a server or a transport says", function()
        local function server(text)
          return function() return 429, "slow down", "Retry-After: " .. text .. "\r\n" end
        end
        local function transport(seconds)
          return function() return errors.fail("network", "failed", { retry_after = seconds }) end
        end
        for _, respond in ipairs { server "99999999999", server(("9"):rep(400)), server "Fri, 31 Dec 9999 23:59:59 GMT",
          transport(1e12), transport(math.huge), transport(0 / 0), transport(-1e12), transport("1e12") } do
          local world, publisher = new { respond }
          publisher:trigger("a", "e", "x")
          assert.is_true(publisher:flush(3700))
          assert.equal(2, #world.calls)
          assert.is_true(world.calls[2].time <= 1000 + 3601)
        end
      end)

      it("gives up after as many attempts as allowed", function()
        local world, publisher = new(function() return 500, "broken", "" end,
          { publisher = { retry = { attempts = 3 } } })
        publisher:trigger("a", "e", "x")
        assert.is_true(publisher:flush(60))
        assert.equal(3, #world.calls)
        assert.equal("a:server", outcomes(world))
        assert.same({ 500, 3 }, { world.results[1].details.status, world.results[1].details.attempts })
        assert.equal(1, counts(publisher).failed)
      end)

      it("says that nothing was sent only when no attempt sent anything", function()
        local function reached() return errors.fail("network", "failed") end
        local function not_sent() return errors.fail("network", "failed", { sent = false }) end
        for first, expected in pairs { [reached] = "nil", [not_sent] = "false" } do
          local world, publisher = new({ first, not_sent },
            { publisher = { retry = { attempts = 2 } } })
          publisher:trigger("a", "e", "x")
          assert.is_true(publisher:flush(60))
          assert.same({ 2, expected }, { #world.calls, tostring(world.results[1].details.sent) })
        end
      end)

      it("sends at most once with attempts = 1", function()
        local world, publisher = new(function(call)
          call.lost = true
          return errors.fail("timeout", "no response")
        end, { publisher = { retry = { attempts = 1 } } })
        for number = 1, 12 do
          publisher:trigger("a", "e", tostring(number))
        end
        assert.is_true(publisher:flush(60))
        assert.equal("1 2 3 4 5 6 7 8 9 10 11 12", world:took("a"))
        assert.equal(12, counts(publisher).failed)
        assert.is_true(world.calls[1].request.once)
      end)

      it("does not try again what cannot pass", function()
        for _, status in ipairs { 401, 403 } do
          local world, publisher = new(function() return status, "no", "" end)
          publisher:trigger("a", "e", "x")
          publisher:trigger("b", "e", "x")
          publisher:flush(5)
          assert.equal(1, #world.calls)
          assert.equal(2, #world.results)
          assert.equal(status, world.results[2].details.status)
        end
      end)

      it("gives each event a key of its own, when asked to, and keeps it over all attempts and singles", function()
        local world, publisher = new({ 503, 400, "network" }, { client = { idempotency = true } })
        for number = 1, 3 do
          publisher:trigger("a", "e", tostring(number), { idempotency_key = number == 2 and "own" or nil })
        end
        assert.is_true(publisher:flush(60))
        local keys = {}
        for _, call in ipairs(world.calls) do
          for _, event in ipairs(call.events) do
            keys[event.data] = keys[event.data] or event.idempotency_key
            assert.equal(keys[event.data], event.idempotency_key)
          end
        end
        local base = keys["1"]:match("^([%w_-]+):1$")
        assert.equal(22, #base)
        assert.same({ "own", base .. ":2" }, { keys["2"], keys["3"] })
        assert.same({ 3, 3, 1, 1, 1, 1 }, world:sizes())
      end)

      it("has an option idempotency that beats the client's", function()
        for _, given in ipairs { true, false } do
          local world, publisher = new({}, { client = { idempotency = not given }, publisher = { idempotency = given } })
          publisher:trigger("a", "e", "x")
          publisher:trigger("a", "e", "x", { tag = 1 })
          assert.is_true(publisher:flush(5))
          for _, event in ipairs(world.received) do
            assert.equal(given, event.idempotency_key ~= nil)
          end
        end
      end)

      it("adds the members of extra, as they were when it was called", function()
        local world, publisher = new()
        local extra = { tags = { room = "7" }, delta = true }
        assert.is_true(publisher:trigger("a", "e", "x", { extra = extra }))
        extra.tags.room, extra.more = "8", 1
        publisher:flush(5)
        assert.same({ channel = "a", name = "e", data = "x", tags = { room = "7" }, delta = true }, world.received[1])
        refused("invalid", publisher:trigger("a", "e", "x", { extra = { data = "y" } }))
        refused("invalid", publisher:trigger("a", "e", "x", { idempotency_key = "" }))
        assert.equal(1, counts(publisher).accepted)
      end)

      -- A server without batch_events, as ipe, poxa and slanger are.
      local function without_batches(first)
        return function(call)
          local path = call.request.target:match("^/apps/3(/[%w_]+)")
          call.path = path
          if path == "/batch_events" then
            return 404, "Not found", ""
          end
          return first and first(call) or 200, first and first(call) and "no" or '{"channels":{"a":{"user_count":7}}}'
        end
      end

      local function paths(world)
        local list = {}
        for index, call in ipairs(world.calls) do
          list[index] = call.path
        end
        return list
      end

      it("falls back to /events, in order and for all later batches, where there is no batch_events", function()
        local world, publisher = new(without_batches())
        for number = 1, 3 do
          publisher:trigger("a", "e", tostring(number), { info = "user_count" })
        end
        assert.is_true(publisher:flush(5))
        assert.same({ "/batch_events", "/events", "/events", "/events" }, paths(world))
        publisher:trigger("a", "e", "4")
        publisher:trigger("a", "e", "5")
        assert.is_true(publisher:flush(5))
        local other = world.client:publisher { now = function() return world.time end, sleep = function() end }
        other:trigger("a", "e", "6")
        assert.is_true(other:flush(5))
        assert.equal("1 2 3 4 5 6", world:took("a"))
        assert.same({ 7 }, { #world.calls })
        assert.same({ user_count = 7 }, world.results[3].result)
        assert.equal(5, counts(publisher).sent)
        assert.equal("warn: the server has no batch_events: events are sent one by one\n", world.logged)
      end)

      it("falls back while it sends the events of a batch that was refused one by one", function()
        for _, status in ipairs { 400, 413, 422 } do
          local world, publisher = new(function(call)
            call.path = call.request.target:match("^/apps/3(/[%w_]+)")
            local batch = call.path == "/batch_events"
            return call.number == 1 and status or batch and 404 or 200, batch and "no" or "{}", ""
          end)
          for number = 1, 5 do
            publisher:trigger("a", "e", tostring(number))
          end
          assert.is_true(publisher:flush(5))
          assert.same({ "/batch_events", "/batch_events", "/events", "/events" }, { unpack(paths(world), 1, 4) })
          assert.equal("1 2 3 4 5", world:took("a"))
          assert.same({ 5, 0 }, { counts(publisher).sent, counts(publisher).failed })
        end
      end)

      it("sends one by one what was in flight when it learned that there is no batch_events", function()
        local world, publisher = new(function(call)
          local responses = { 503, 404, 200 } -- the first batch waits, the second one learns
          call.path = call.request.target:match("^/apps/3(/[%w_]+)")
          local status = responses[call.number] or call.path == "/events" and 200 or 404
          return status, status == 200 and "{}" or "no", ""
        end)
        for number = 1, 4 do
          publisher:trigger("a", "e", tostring(number))
        end
        publisher:step()
        publisher:step(0.06)
        publisher:trigger("b", "e", "b1")
        assert.is_true(publisher:flush(60))
        assert.equal("1 2 3 4", world:took("a"))
        assert.equal("b1", world:took("b"))
        assert.same({ "/batch_events", "/batch_events", "/events" }, { unpack(paths(world), 1, 3) })
        assert.equal(5, counts(publisher).sent)
      end)

      it("fails a batch as a whole when /events is not there, either", function()
        local world, publisher = new(function(call)
          call.path = call.request.target:match("^/apps/3(/[%w_]+)")
          return 404, "no " .. call.path, ""
        end)
        for number = 1, 12 do
          publisher:trigger("c" .. number, "e", "x")
        end
        publisher:flush(5)
        local sorted = paths(world)
        table.sort(sorted)
        assert.same({ "/batch_events", "/batch_events", "/events", "/events" }, sorted)
        assert.equal(12, #world.results)
        for _, reported in ipairs(world.results) do
          assert.same({ "not_found", 404 }, { reported.details.code, reported.details.status })
          assert.truthy(reported.message:find("no /batch_events", 1, true))
        end
        assert.equal(12, counts(publisher).failed)
      end)

      it("goes on looking for /events while calls to it fail otherwise", function()
        local failures = { [2] = 503, [3] = 403 }
        local world, publisher = new(without_batches(function(call) return failures[call.number] end))
        for number = 1, 3 do
          publisher:trigger("a", "e", tostring(number))
        end
        assert.is_true(publisher:flush(60))
        assert.equal("a:forbidden a:ok a:ok", outcomes(world))
        assert.equal("2 3", world:took("a"))
        assert.same({ "/batch_events", "/events", "/events", "/events", "/events" }, paths(world))
      end)

      it("reports how often each event was sent, whatever became of its batch", function()
        for _, script in ipairs {
          { 404, 404 }, { 404, 403, 404 }, { 400, 404, 404 }, { 400, 404, 403, 403 }, { 422, 429, 404, 404 },
          { 422, 404, 503, 403, 404 }, { 404, 503, 403, 404 }, { 422, 403, 404, 404 }, { 503, 413, 503, 404, 503, 401, 401 },
        } do
          local world, publisher = new(function(call)
            return script[call.number] or 401, "no", ""
          end, { publisher = { retry = { attempts = 3, base = 0.1, max = 1 } } })
          for number = 1, 3 do
            publisher:trigger("a", "e", tostring(number), { tag = tostring(number) })
          end
          assert.is_true(publisher:flush(60))
          local sent, reported = {}, {}
          for _, call in ipairs(world.calls) do
            for _, event in ipairs(call.events) do
              sent[event.data] = (sent[event.data] or 0) + 1
            end
          end
          for _, one in ipairs(world.results) do
            reported[one.event.tag] = one.details.attempts
          end
          assert.same({ 3, sent }, { #world.results, reported }, table.concat(script, " "))
          assert.is_true(#world.calls >= #script)
        end
      end)

      it("keeps a channel's order across retries, and lets other channels pass", function()
        local world, publisher = new({ 500, 200, 500 }, { publisher = { linger = 0 } })
        for number = 1, 15 do
          publisher:trigger("slow", "e", tostring(number))
        end
        publisher:step()
        publisher:trigger("fast", "e", "q")
        publisher:step()
        publisher:step(0.06)
        assert.is_true(publisher:flush(60))
        assert.equal("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", world:took("slow"))
        assert.equal("q", world:took("fast"))
      end)

      it("sends the events of a faulty batch one by one, so that only the bad one fails", function()
        for _, status in ipairs { 400, 413, 422 } do
          local world, publisher = new(function(call)
            for _, event in ipairs(call.events) do
              if event.data == "4" then
                return status, "not this one", ""
              end
            end
            return 200, "{}"
          end)
          for number = 1, 12 do
            publisher:trigger("c" .. number % 2, "e", tostring(number), { tag = number })
          end
          assert.is_true(publisher:flush(5))
          assert.equal("2 6 8 10 12", world:took("c0"))
          assert.equal("1 3 5 7 9 11", world:took("c1"))
          local stats = counts(publisher)
          assert.same({ 11, 1, 0 }, { stats.sent, stats.failed, stats.retried })
          for _, reported in ipairs(world.results) do
            assert.equal(reported.event.tag ~= 4, reported.result ~= nil)
          end
          assert.is_true(#world.calls <= 13)
        end
      end)

      it("retries the single events, too", function()
        local world, publisher = new { 400, 500, 200, 400 }
        for number = 1, 3 do
          publisher:trigger("a", "e", tostring(number), { tag = number })
        end
        assert.is_true(publisher:flush(60))
        assert.same({ 3, 1, 1, 1, 1 }, world:sizes())
        assert.equal("1 3", world:took("a"))
        assert.equal("1:ok 2:invalid 3:ok", outcomes(world))
      end)

      it("replaces a waiting event of the same channel, name and key in its place", function()
        local world, publisher = new()
        publisher:trigger("a", "moved", "bob 1", { replace = "bob", tag = "old" })
        publisher:trigger("a", "chat", "hi")
        publisher:trigger("a", "moved", "eve 1", { replace = "eve" })
        publisher:trigger("a", "turned", "bob 5", { replace = "bob" })
        publisher:trigger("b", "moved", "bob 9", { replace = "bob" })
        publisher:trigger("a", "moved", "bob 2", { replace = "bob", tag = "new" })
        assert.equal("old:ok", outcomes(world))
        assert.same({ replaced = true }, world.results[1].result)
        assert.same({ channel = "a", name = "moved", replace = "bob", tag = "old" }, world.results[1].event)
        publisher:flush(5)
        assert.equal("bob 2 hi eve 1 bob 5", world:took("a"))
        assert.equal("bob 9", world:took("b"))
        local stats = counts(publisher)
        assert.same({ 6, 5, 1 }, { stats.accepted, stats.sent, stats.replaced })
        assert.equal("new", world.results[2].event.tag)
      end)

      it("takes no key for another one, of numbers with many digits", function()
        local world, publisher = new()
        for _, key in ipairs { 1234567890123456, 1234567890123457, 2 ^ 53 - 1, 2 ^ 53 - 2, 0.1234567890123456, 0.1234567890123457 } do
          publisher:trigger("a", "moved", "x", { replace = key })
        end
        assert.equal(0, counts(publisher).replaced)
        publisher:trigger("a", "moved", "x", { replace = 1 })
        publisher:trigger("a", "moved", "x", { replace = 1.0 })
        publisher:trigger("a", "moved", "x", { replace = "1" })
        assert.equal(2, counts(publisher).replaced)
        publisher:flush(5)
        assert.equal("1", world.results[#world.results].event.replace) -- as its sender wrote it
      end)

      it("replaces nothing that is in flight", function()
        local world, publisher = new({ 500 }, { publisher = { linger = 0 } })
        publisher:trigger("a", "moved", "1", { replace = 7 })
        publisher:step()
        publisher:trigger("a", "moved", "2", { replace = 7 })
        publisher:trigger("a", "moved", "3", { replace = 7 })
        assert.is_true(publisher:flush(60))
        assert.equal("1 3", world:took("a"))
        assert.equal(1, counts(publisher).replaced)
      end)

      it("refuses when the queue is full, but still replaces", function()
        local _, publisher = new(nil, { publisher = { max_queue = 2 } })
        publisher:trigger("a", "e", "1", { replace = "k" })
        publisher:trigger("a", "e", "2")
        local _, details = refused("full", publisher:trigger("a", "e", "3"))
        assert.is_true(details.retryable)
        assert.equal(2, details.limit)
        assert.is_true(publisher:trigger("a", "e", "4", { replace = "k" }))
        assert.equal(3, counts(publisher).accepted)
      end)

      it("drops the oldest instead, when asked to, and reports it", function()
        local world, publisher = new(nil, { publisher = { max_queue = 3, overflow = "drop_oldest" } })
        for number = 1, 5 do
          assert.is_true(publisher:trigger("c" .. number % 2, "e", tostring(number), { tag = number }))
        end
        assert.equal("1:full 2:full", outcomes(world))
        publisher:flush(5)
        assert.equal("3 5", world:took("c1"))
        assert.equal("4", world:took("c0"))
        local stats = counts(publisher)
        assert.same({ 2, 3, 0 }, { stats.dropped, stats.sent, stats.failed })
      end)

      -- What the server got, and the counts, after random calls; the random numbers are those of the seed.
      local function live(seed, on_result, overflow)
        local rolled = seed
        local function roll(max)
          rolled = (rolled * 16807) % 2147483647
          return rolled % max + 1
        end
        local responses = { 200, 200, 200, 503, 400, 404, 429, "network" }
        local world, publisher = new(function(call)
          local response = responses[roll(#responses)]
          return in_turn({ [call.number] = response })(call)
        end, { client = { random = function(count) return ("r"):rep(count) end }, publisher = {
          on_result = on_result, overflow = overflow, max_queue = 15 + roll(30), max_in_flight = roll(3),
        } })
        for number = 1, 150 do
          local params = roll(4) == 1 and { replace = roll(3), tag = number } or roll(3) == 1 and { tag = number } or nil
          publisher:trigger("c" .. roll(5), "e" .. roll(2), tostring(number), params)
          if roll(12) == 1 then
            world.time = world.time + roll(10) / 100
            publisher:step()
          end
        end
        publisher:close(roll(2) == 1 and 0 or 100)
        local got = {}
        for _, call in ipairs(world.calls) do
          got[#got + 1] = "call"
          for _, event in ipairs(call.events) do
            got[#got + 1] = event.channel .. " " .. event.name .. " " .. event.data
          end
        end
        return got, counts(publisher)
      end

      it("sends without on_result what it sends with it", function()
        local lines = 0
        for seed = 1, 40 do
          for _, overflow in ipairs { "reject", "drop_oldest" } do
            local got, stats = live(seed, nil, overflow)
            local silent, silent_stats = live(seed, false, overflow)
            assert.same(got, silent)
            assert.same(stats, silent_stats)
            lines = lines + #got
          end
        end
        assert.is_true(lines > 5000)
      end)

      it("refuses what trigger refuses, with the same message", function()
        local world, publisher = new()
        for _, case in ipairs {
          { "", "e", "x" }, { "a b", "e", "x" }, { ("a"):rep(201), "e", "x" }, { "a", "", "x" },
          { "a", ("e"):rep(201), "x" }, { "a", "e", ("x"):rep(10241) }, { "a", "e", 0 / 0 },
          { "a", "e", "x", { socket_id = "1" } }, { "a", "e", "x", { info = 1 } }, { "a", "e", "x", { soket_id = "1" } },
          { "a", "e", function() end },
        } do
          local value, message, details = publisher:trigger(case[1], case[2], case[3], case[4])
          local other, expected, same = world.client:trigger(case[1], case[2], case[3], case[4])
          assert.is_nil(value)
          assert.is_nil(other)
          assert.equal(expected, message)
          assert.same(same, details)
        end
        refused("invalid", publisher:trigger("a", "e", "x", { replace = {} }))
        assert.equal(0, counts(publisher).accepted)
      end)

      it("raises on wrong types at the caller's line", function()
        local _, publisher = new()
        for pattern, call in pairs {
          ["publisher_spec.lua:%d+: bad argument #1 to 'trigger' %(string expected, got no value%)"] = function()
            publisher:trigger()
          end,
          ["publisher_spec.lua:%d+: bad argument #1 to 'trigger' %(string expected, got table%)"] = function()
            publisher:trigger({ "a", "b" }, "e", "x")
          end,
          ["publisher_spec.lua:%d+: bad argument #2 to 'trigger'"] = function()
            publisher:trigger("a", 7, "x")
          end,
          ["publisher_spec.lua:%d+: bad argument #4 to 'trigger'"] = function()
            publisher:trigger("a", "e", "x", "1.2")
          end,
          ["publisher_spec.lua:%d+: bad argument #1 to 'step'"] = function()
            publisher:step("1")
          end,
          ["publisher_spec.lua:%d+: bad argument #1 to 'flush'"] = function()
            publisher:flush {}
          end,
          ["publisher_spec.lua:%d+: bad argument #1 to 'close'"] = function()
            publisher:close("now")
          end,
        } do
          local ok, message = pcall(call)
          assert.is_false(ok)
          assert.matches(pattern, message)
        end
      end)

      it("refuses times that cannot be meant", function()
        local _, publisher = new()
        for _, seconds in ipairs { -1, 0 / 0, -math.huge } do
          refused("invalid", publisher:step(seconds))
          refused("invalid", publisher:flush(seconds))
          refused("invalid", publisher:close(seconds))
        end
        assert.is_true(publisher:trigger("a", "e", "x"))
      end)

      it("takes infinity for no limit", function()
        local _, publisher = new()
        assert.is_true(publisher:trigger("a", "e", "x"))
        assert.is_number(publisher:step(math.huge))
        assert.is_true(publisher:flush(math.huge))
        assert.is_true(publisher:trigger("a", "e", "x"))
        assert.is_true(publisher:close(math.huge))
      end)

      it("says how much is left when the flush takes too long", function()
        local world, publisher = new(function(call)
          call.latency = 100
          return 500, "", ""
        end)
        for number = 1, 30 do
          publisher:trigger("c" .. number, "e", "x")
        end
        local _, details = refused("timeout", publisher:flush(1))
        assert.equal(30, details.left)
        assert.equal(0, #world.results)
      end)

      it("sends everything before it closes", function()
        local world, publisher = new()
        for number = 1, 30 do
          publisher:trigger("a", "e", tostring(number))
        end
        assert.is_true(publisher:close(5))
        assert.equal(30, #world.received)
        refused("closed", publisher:trigger("a", "e", "x"))
        assert.is_true(publisher:close())
        assert.is_true(publisher:flush(1))
        assert.equal(0, publisher:step())
      end)

      it("ends as closed what it cannot send in time", function()
        local world, publisher = new(function() return 500, "", "" end)
        for number = 1, 25 do
          publisher:trigger("a", "e", tostring(number), { tag = number })
        end
        local _, details = refused("closed", publisher:close(0.5))
        assert.equal(25, details.left)
        assert.equal(25, #world.results)
        for number, reported in ipairs(world.results) do
          assert.equal("closed", reported.details.code)
          assert.equal(number, reported.event.tag)
        end
        assert.same({ 25, 0, 0 }, { counts(publisher).failed, counts(publisher).queued, counts(publisher).in_flight })
        assert.equal(0, publisher:step(1))
      end)

      it("keeps nothing of the events that it has sent", function()
        local world, publisher = new()
        local function kilobytes_after(events)
          for number = 1, events do
            assert.is_true(publisher:trigger("c" .. number % 50, "e", "x", { tag = number, replace = number }))
            if number % 500 == 0 then
              assert.is_true(publisher:flush(5))
            end
          end
          world.calls, world.received, world.results = {}, {}, {}
          collectgarbage()
          collectgarbage()
          return collectgarbage("count")
        end
        kilobytes_after(1000)
        local growth = math.huge
        for _ = 1, 2 do -- what stays does so each time; Lua's table of strings is doubled once, by 64 KB
          local before = kilobytes_after(1000)
          growth = math.min(growth, kilobytes_after(2000) - before)
        end
        assert.is_true(growth < 32, ("%.1f KB stay"):format(growth)) -- a batch takes a KB, an event 0.1 KB
      end)

      it("says how many it gives up, also when it is one", function()
        for _, left in ipairs { 1, 2 } do
          local world, publisher = new(function() return 500, "", "" end)
          for number = 1, left do
            publisher:trigger("a", "e", "x", { tag = number })
          end
          local message, details = refused("timeout", publisher:flush(0.01))
          assert.equal(("%d events are not settled yet"):format(left), message)
          assert.equal(left, details.left)
          message, details = refused("closed", publisher:close(0.01))
          assert.equal(("closed with %d events unsent"):format(left), message)
          assert.equal(left, details.left)
          assert.equal(left, #world.results)
          assert.equal("the publisher was closed before the event was sent", world.results[left].message)
        end
      end)

      it("ends all as closed when the client was closed", function()
        local world, publisher = new { 503 }
        publisher:trigger("a", "e", "x")
        refused("timeout", publisher:flush(0.06)) -- now it waits to be sent again
        publisher:trigger("b", "e", "x")
        world.client:close()
        refused("closed", publisher:trigger("a", "e", "x"))
        refused("closed", publisher:step())
        assert.is_true(publisher:flush(5))
        assert.equal("a:closed b:closed", outcomes(world))
        refused("closed", world.client:publisher())
      end)

      it("ends all as closed when on_result closes the client", function()
        local world, publisher
        local reported = {}
        world, publisher = new(nil, { publisher = { on_result = function(event, result, _, details)
          reported[#reported + 1] = event.tag .. (result and "+" or details.code)
          world.client:close()
        end } })
        for number = 1, 25 do
          publisher:trigger("a", "e", "x", { tag = number })
        end
        assert.is_true(publisher:flush(5))
        assert.equal(25, #reported)
        assert.same({ "1+", "10+", "11closed", "25closed" }, { reported[1], reported[10], reported[11], reported[25] })
      end)

      it("lets on_result trigger, step and close, and refuses it to wait", function()
        local world, publisher
        local inside = {}
        world, publisher = new(nil, { publisher = { on_result = function(event)
          if event.tag == "first" then
            inside.trigger = publisher:trigger("a", "e", "second")
            inside.step = publisher:step(1)
            inside.flush = select(3, publisher:flush(1)).code
          end
        end } })
        publisher:trigger("a", "e", "first", { tag = "first" })
        assert.is_true(publisher:flush(5))
        assert.equal("first second", world:took("a"))
        assert.same({ trigger = true, step = 1, flush = "invalid" }, inside)
      end)

      it("reports each event once, though on_result closes in the middle", function()
        local publisher
        local reported = {}
        local world
        world, publisher = new(nil, { publisher = { on_result = function(event, result)
          reported[#reported + 1] = event.tag .. (result and "+" or "-")
          if event.tag == 3 then
            publisher:close(5)
          end
        end } })
        for number = 1, 15 do
          publisher:trigger("a", "e", tostring(number), { tag = number })
        end
        publisher:flush(5)
        table.sort(reported)
        assert.equal("1+ 10+ 11- 12- 13- 14- 15- 2+ 3+ 4+ 5+ 6+ 7+ 8+ 9+", table.concat(reported, " "))
        assert.equal(1, #world.calls)
        counts(publisher)
      end)

      it("has counts that agree inside on_result, too", function()
        local world, publisher
        local reports = 0
        world, publisher = new({ 200, "closed" }, { publisher = { max_queue = 12, overflow = "drop_oldest",
          on_result = function()
            reports = reports + 1
            counts(publisher)
          end } })
        for number = 1, 14 do
          publisher:trigger("c" .. number, "e", "x")
        end
        publisher:trigger("c14", "moved", "1", { replace = 1 })
        publisher:trigger("c14", "moved", "2", { replace = 1 })
        publisher:step()
        world.time = world.time + 1
        publisher:step()
        publisher:trigger("d", "e", "x")
        publisher:close(0)
        assert.equal(17, reports)
        assert.equal("", world.logged or "")
      end)

      it("loses nothing when on_result raises", function()
        local world, publisher = new(nil, { publisher = { on_result = function() error("boom") end } })
        for number = 1, 25 do
          publisher:trigger("a", "e", tostring(number))
        end
        assert.is_true(publisher:flush(5))
        assert.equal(25, counts(publisher).sent)
        assert.is_truthy(world.logged:find("error: on_result raised: ", 1, true))
        assert.is_truthy(world.logged:find("boom", 1, true))
      end)

      it("makes do with a transport that raises or returns nonsense", function()
        local script = {
          function() error("socket fell off") end,
          function() return nil, "no details", nil end,
          function() return nil, nil, {} end,
        }
        for index, fault in ipairs(script) do
          local world, publisher = new(fault)
          publisher:trigger("a", "e", "x")
          assert.is_true(publisher:flush(5), "case " .. index)
          assert.equal("a:network", outcomes(world))
          assert.equal(1, #world.calls)
        end
      end)

      it("talks to servers without batches when max_batch is 1", function()
        local world, publisher = new(function(call)
          return 200, '{"channels":{"' .. call.events[1].channel .. '":{"user_count":2}}}'
        end, { client = { max_batch = 1 } })
        publisher:trigger("presence-a", "e", { x = 1 }, { info = "user_count" })
        publisher:trigger("presence-a", "e", "y")
        publisher:flush(5)
        assert.equal("/apps/3/events", world.calls[1].request.target:match("^[^?]*"))
        assert.same({ channel = "presence-a", name = "e", data = '{"x":1}', info = "user_count" },
          world.calls[1].events[1])
        assert.same({ user_count = 2 }, world.results[1].result)
        assert.equal(2, #world.calls)
      end)

      it("shows no secret", function()
        local _, publisher = new()
        publisher:trigger("a", "e", "x")
        assert.equal("pusher.publisher (1 waiting, 0 in flight)", tostring(publisher))
        publisher:close(0)
        assert.equal("pusher.publisher (0 waiting, 0 in flight, closed)", tostring(publisher))
      end)

      -- A codec whose encode calls the function `during` once, when it gets data that says so.
      local function with_codec()
        local codec = { decode = cjson.decode }
        function codec.encode(value)
          local during = type(value) == "table" and value.marked and codec.during
          if during then
            codec.during = nil
            during()
          end
          return cjson.encode(value)
        end
        local world, publisher = new(nil, { client = { json = codec } })
        return codec, world, publisher
      end

      it("loses no event when the codec flushes while a replacement is written", function()
        local codec, world, publisher = with_codec()
        assert.is_true(publisher:trigger("a", "e", "old", { replace = "k", tag = "old" }))
        codec.during = function()
          assert.is_true(publisher:flush(5))
        end
        assert.is_true(publisher:trigger("a", "e", { marked = true }, { replace = "k", tag = "new" }))
        assert.is_nil(codec.during)
        assert.is_true(publisher:flush(5))
        assert.equal("old:ok new:ok", outcomes(world))
        assert.equal('old {"marked":true}', world:took("a"))
        assert.same({ 2, 0 }, { counts(publisher).sent, counts(publisher).replaced })
      end)

      it("accepts nothing when the codec closes the publisher or the client, or fills the queue", function()
        for code, close in pairs { ["closed"] = "publisher", ["closed "] = "client" } do
          local codec, world, publisher = with_codec()
          codec.during = function()
            local object = close == "client" and world.client or publisher
            object:close()
          end
          refused((code:gsub(" ", "")), publisher:trigger("a", "e", { marked = true }))
          assert.equal(0, counts(publisher).accepted)
        end
        local codec, _, publisher = with_codec()
        codec.during = function()
          while publisher:trigger("b", "e", "x") do end
        end
        refused("full", publisher:trigger("a", "e", { marked = true }))
      end)

      it("checks its options", function()
        local world = new()
        refused("config", world.client:publisher { max_queue = -1 })
        assert.error_matches(function()
          world.client:publisher(7)
        end, "bad argument #1 to 'publisher'")
      end)

      it("sends events of any number of channels and names", function()
        local world, publisher = new(nil, { publisher = { max_queue = 1e6 } })
        for number = 1, 3000 do
          publisher:trigger("c" .. number, "e" .. number, "x")
        end
        assert.is_true(publisher:flush(60))
        assert.equal(3000, #world.received)
        for _, event in ipairs(world.received) do
          assert.equal(event.channel:sub(2), event.name:sub(2))
        end
      end)
    end)
end

describe("pusher.publisher", function()
  it("waits ten seconds for flush and close, where nothing is said", function()
    local world = scripted.new { deferred = true, latency = 10.001 }
    for _, name in ipairs { "flush", "close" } do
      local publisher, start = world:publisher { linger = 0 }, world.time
      publisher:trigger("a", "e")
      publisher[name](publisher)
      assert.is_true(math.abs(world.time - start - 10) < 1e-6, name)
    end
  end)

  it("says what is wrong", function()
    local world = scripted.new { deferred = true, latency = 10 }
    local publisher = world:publisher { max_queue = 2 }
    fails('unknown trigger parameter "x"', { code = "invalid", field = "x" }, publisher:trigger("a", "e", "", { x = 1 }))
    fails("replace must be a string or a number, got table", { code = "invalid", field = "replace" },
      publisher:trigger("a", "e", "", { replace = {} }))
    publisher:trigger("a", "e")
    publisher:trigger("a", "e")
    fails("the queue is full: 2 events are waiting; see max_queue and overflow", { code = "full", limit = 2 },
      publisher:trigger("a", "e"))
    assert.equal("pusher.publisher (2 waiting, 0 in flight)", tostring(publisher))
    for _, name in ipairs { "step", "flush", "close" } do
      fails(name .. ": seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, publisher[name](publisher, -1))
    end
    fails("2 events are not settled yet", { code = "timeout", left = 2 }, publisher:flush(0))
    fails("closed with 2 events unsent", { code = "closed", left = 2 }, publisher:close(0))
    assert.equal("pusher.publisher (0 waiting, 0 in flight, closed)", tostring(publisher))
    for _, reported in ipairs(world.results) do
      fails("the publisher was closed before the event was sent", { code = "closed", attempts = 0 }, reported.result, reported.message,
        reported.details)
    end
    assert.equal(2, #world.results)
    fails("the publisher is closed", { code = "closed" }, publisher:trigger("a", "e"))
  end)

  it("says that its client is closed", function()
    local world = scripted.new { deferred = true, latency = 10 }
    local publisher = world:publisher()
    publisher:trigger("a", "e")
    world.client:close()
    fails("the client is closed", { code = "closed" }, publisher:trigger("a", "e"))
    fails("the client is closed", { code = "closed" }, publisher:step())
    fails("the client is closed", { code = "closed", attempts = 0 }, nil, world.results[1].message, world.results[1].details)
  end)

  it("says that an event may have arrived which was sent in a batch whose response was lost", function()
    local lost = { code = "network", retryable = true }
    for _, status in ipairs { 404, 413 } do
      local world = scripted.new { respond = function(call)
        call.lost = call.number == 1
        if call.number == 2 then
          return status, "no"
        end
        return nil, "broke", call.lost and lost or { code = "network", retryable = true, sent = false }
      end }
      local publisher = world:publisher { linger = 0, retry = { attempts = 2, base = 0.1 } }
      publisher:trigger("a", "e")
      publisher:trigger("b", "e")
      for _ = 1, 2 do
        publisher:step()
        world.time = world.time + 5
      end
      assert.equal(2, #world.calls)
      if status == 404 then
        publisher:close(0)
      else
        publisher:flush(60)
      end
      assert.equal(2, #world.results)
      for _, reported in ipairs(world.results) do
        assert.is_true(reported.details.attempts >= 2)
        assert.is_nil(reported.details.sent)
      end
    end
  end)

  it("is not closed from on_result inside observe", function()
    local publisher, message
    local world = scripted.new { client = { observe = function()
      if not message then
        publisher:trigger("z", "e", "1", { replace = 1 })
        publisher:trigger("z", "e", "2", { replace = 1 })
      end
    end } }
    publisher = world:publisher { on_result = function(_, result)
      if result and result.replaced then
        message = select(2, publisher:close(0))
      end
    end }
    publisher:trigger("a", "e")
    publisher:flush(1)
    assert.equal("close must not be called from observe", message)
  end)

  it("says that flush must not be called from on_result", function()
    local world = scripted.new {}
    local publisher, results
    publisher = world:publisher { on_result = function()
      results = { publisher:flush() }
    end }
    publisher:trigger("a", "e")
    publisher:flush()
    fails("flush must not be called from on_result", { code = "invalid", left = 0 }, results[1], results[2], results[3])
  end)
end)
