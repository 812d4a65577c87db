local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local core = require "pusher.core"
local environment = require "spec.helpers.environment"
local fails = require "spec.helpers.fails"
local local_server = require "tools.local_server"
local monotime = require("system").monotime
local process = require "pusher_test.process"
local ticks = require "tools.ticks"
local time_scale = require "spec.helpers.time_scale"

describe("pusher.transport.async", function()
  local server, opened

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    opened = {}
  end)

  after_each(function()
    for _, transport in ipairs(opened) do
      transport:close()
    end
  end)

  local function new(options)
    local transport = assert(async.new(options))
    opened[#opened + 1] = transport
    return transport
  end

  local function open(options)
    local transport = new(options)
    return function(request)
      return transport:send(request, contract.parse):wait()
    end, function()
      transport:close()
    end
  end

  describe("keeps the contract:", function()
    for _, case in ipairs(contract.cases) do
      it(case.name, function()
        contract.run(case, server, open, monotime)
      end)
    end
  end)

  describe("in a third-party environment", function()
    for _, entry in ipairs(environment.list) do
      it(entry.name, function()
        environment.run_in_child(entry, server, open, monotime)
      end)
    end
  end)

  local function request(path, over)
    return calls.request(server, path, over)
  end

  local function send(transport, path, over, parse)
    return calls.send(transport, server, path, over, parse or contract.parse)
  end

  local function echo(call)
    return cjson.decode(assert(call:wait(calls.WAIT)).body)
  end

  -- Steps without ever waiting.
  local function drain(transport)
    calls.drain(transport, 5, 0)
  end

  describe("a call", function()
    it("is in flight at once and ends in a later step", function()
      local transport = new()
      local call = send(transport, "none")
      assert.is_false(call.done)
      assert.equal("pending", calls.code(call))
      drain(transport)
      assert.is_true(call.done)
      assert.equal(200, call:result().status)
      assert.equal(0, transport:step())
    end)

    it("takes the request by value", function()
      local transport = new()
      local given = request("none", { headers = { { "X-A", "b" } } })
      local call = assert(transport:send(given, contract.parse))
      given.target, given.body, given.headers[1][2], given.port = "/other", "other", "other", 1
      local seen = echo(call)
      assert.equal("/_misbehave/none", seen.target)
      assert.equal("{}", seen.body)
    end)

    it("goes on when nobody keeps its pending", function()
      server:reset()
      local transport = new()
      for _ = 1, 5 do
        send(transport, "none")
      end
      collectgarbage()
      collectgarbage()
      drain(transport)
      assert.equal(5, server:inspect().requests)
    end)

    it("goes on when nobody keeps its transport", function()
      local call = send(assert(async.new()), "none")
      collectgarbage()
      collectgarbage()
      assert.equal("POST", echo(call).method)
      call.transport:close()
    end)

    it("may be forgotten with its transport while it is in flight", function()
      for _ = 1, 3 do
        local transport = assert(async.new())
        send(transport, "hang")
        send(transport, "none", { port = server.black_hole_port })
        send(transport, "none", { host = contract.NO_NAME })
        transport:step()
      end
      collectgarbage()
      collectgarbage()
    end)

    it("that is refused is a pending, too, done already", function()
      local transport = new()
      local closed = new()
      closed:close()
      for code, call in pairs {
        invalid = transport:send(request("none", { host = "" }), contract.parse),
        closed = closed:send(request(), contract.parse),
      } do
        assert.is_true(call.done)
        local result, message, details = call:wait()
        assert.is_nil(result)
        assert.is_string(message)
        assert.same({ code = code, retryable = false, sent = false }, details)
        assert.is_false(call:cancel())
        local seen
        call:on_done(function(...) seen = { ... } end)
        assert.same({ nil, message, details }, seen)
      end
      assert.equal(0, transport:step())
    end)

    it("can be refused as the transport refuses", function()
      local details = { code = "invalid", field = "x", retryable = false }
      for _, closed in ipairs { false, true } do
        local transport = new()
        if closed then
          transport:close()
        end
        local call = transport:fail("not this", details)
        assert.is_true(call.done)
        assert.same({ nil, "not this", details }, { call:result() })
        assert.same({ nil, "not this", details }, { call:wait(0) })
      end
    end)

    it("can be waited for a while, and again", function()
      local transport = new()
      local call = send(transport, "delay?ms=100")
      local result, _, details = call:wait(0.01)
      assert.is_nil(result)
      assert.equal("pending", details.code)
      assert.is_nil((call:wait(0)))
      assert.equal(200, call:wait().status)
      assert.equal(200, call:wait().status)
    end)

    it("that cancels itself while it is parsed leaves the count right", function()
      local transport = new()
      local call
      call = send(transport, "none", nil, function()
        assert(call:cancel())
        return "parsed"
      end)
      drain(transport)
      assert.equal(0, transport:step())
      assert.is_true(select(3, call:result()).cancelled)
      local other = send(transport, "hang")
      assert.equal(1, transport:step())
      assert.is_true(other:cancel())
      assert.equal(0, transport:step())
    end)

    it("that can end no more is not waited for", function()
      local transport = new()
      local call, inner
      call = send(transport, "none", nil, function()
        inner = { call:wait() }
        return "parsed"
      end)
      assert.equal("parsed", (call:wait()))
      assert.equal("pending", inner[3].code)
    end)

    it("waits for one and ends the others meanwhile", function()
      local transport = new()
      local slow, fast = send(transport, "delay?ms=100"), send(transport, "none")
      assert.equal(200, slow:wait().status)
      assert.is_true(fast.done)
    end)

    it("is ended by an error in parse, which is logged", function()
      local logged = {}
      local transport = new { log = function(...) logged[#logged + 1] = { ... } end }
      local call = send(transport, "none", nil, function() error("bad parse", 0) end)
      drain(transport)
      assert.equal("response", calls.code(call))
      assert.same({ { "error", "the response parser raised: bad parse", { code = "callback" } } }, logged)
    end)
  end)

  describe("step", function()
    it("ends every call, whatever the servers do", function()
      local transport = new { ca_file = server.ca_file }
      local list = {
        send(transport, "hang", { timeout = 0.3 }),
        send(transport, "stop_reading", { timeout = 0.3, body = ("x"):rep(8000000) }),
        send(transport, "trickle", { timeout = 0.3 }),
        send(transport, "none", { port = server.black_hole_port, timeout = 0.3 }),
        send(transport, "none", { port = server.silent_port, timeout = 0.3 }),
        send(transport, "none", { port = server.silent_port, scheme = "https", timeout = 0.3 }),
        send(transport, "none", { port = server.refusing_port }),
        send(transport, "none", { host = contract.NO_NAME }),
      }
      drain(transport)
      for index = 1, 6 do
        assert.equal("timeout", calls.code(list[index]))
      end
      assert.equal("network", calls.code(list[7]))
      assert.equal("network", calls.code(list[8]))
    end)

    -- libcurl forgets a deadline when bytes arrive within the millisecond before it, and none after.
    it("keeps deadlines also when the last bytes come just before", function()
      local transport = new()
      for _ = 1, 5 do
        local list = {}
        for index = 1, 30 do -- kept connections: new ones have timers that hide the fault
          list[index] = send(transport, "delay?ms=10")
        end
        drain(transport)
        local start = monotime()
        for index = 1, 30 do
          list[index] = send(transport, "trickle?part=body&ms=0.5&stop=50", {
            timeout = 0.04 + index * 0.0007, body = ("x"):rep(1000),
          })
        end
        for _, call in ipairs(list) do
          call:wait()
          assert.equal("timeout", calls.code(call))
        end
        assert.is_true(monotime() - start < 2 * time_scale)
      end
    end)

    it("waits as long as it may for the first call to end", function()
      local transport = new()
      send(transport, "hang", { timeout = 60 * time_scale })
      local start = monotime()
      assert.equal(1, transport:step(0.05))
      local waited = monotime() - start
      assert.is_true(waited >= 0.045 and waited < time_scale)
      send(transport, "delay?ms=50")
      start = monotime()
      repeat until transport:step(4 * time_scale) == 1
      assert.is_true(monotime() - start < 3 * time_scale)
    end)

    it("does not wait when nothing is in flight", function()
      local start = monotime()
      assert.equal(0, new():step(5 * time_scale))
      assert.is_true(monotime() - start < time_scale)
    end)

    it("settles one call that has ended, and more for 0.08 ms", function()
      local transport, now, real_now = new(), 0, core.now
      local real, left = transport.handle, 0
      transport.handle = {
        leave_parent = function() end, start = function() end,
        done = function()
          left, now = left - 1, now + (left > 90 and 0.00003 or 0)
          return left >= 0 and left or nil
        end,
      }
      core.now = function() return now end
      local rests = {}
      local ok, raised = pcall(function()
        for index, count in ipairs { 50, 100 } do
          left = count
          transport:step()
          rests[index] = left
        end
      end)
      core.now, transport.handle = real_now, real
      assert(ok, raised)
      assert.same({ -1, 96 }, rests)
    end)

    -- Over a thread that does what the test says, in a time of the test's own.
    local function with_fake_thread(handle, test)
      local transport, real_now, now = new(), core.now, 0
      local real = transport.handle
      local function nothing() end
      transport.handle = setmetatable(handle, { __index = {
        leave_parent = nothing, start = nothing, close = nothing, done = nothing, add = function() return 1 end,
        wait = function(_, seconds) now = now + seconds end,
      } })
      core.now = function() return now end
      local ok, raised = pcall(test, transport, function() return now end)
      core.now, transport.handle = real_now, real
      assert(ok, raised)
    end

    it("gives up a call whose thread does not respond, a second after its deadline", function()
      local cancelled
      with_fake_thread({ cancel = function(_, id) cancelled = id end }, function(transport, now)
        local call = transport:send(request("none", { timeout = 3 }), contract.parse)
        assert.equal("pending", select(3, call:wait(3.9)).code)
        assert.equal(3.9, now())
        fails("the network's thread does not respond", { code = "timeout" }, call:wait())
        assert.same({ 1, 3.9 + 4, 0 }, { cancelled, now(), (transport:step()) })
      end)
    end)

    it("takes what the parser returns though it closes the transport and waits for its own call", function()
      with_fake_thread({ done = function() return 1, 200, "", "" end }, function(transport)
        local call, inner
        call = transport:send(request(), function()
          transport:close()
          inner = select(3, call:wait())
          return "parsed"
        end)
        transport:step()
        assert.same({ "pending", "parsed" }, { inner.code, (call:result()) })
      end)
    end)

    it("refuses times that make no sense", function()
      local transport = new()
      for _, seconds in ipairs { -1, -1e-9, 0 / 0, -math.huge } do
        fails("step: seconds must be 0 or more, got " .. seconds, { code = "invalid", field = "seconds" }, transport:step(seconds))
      end
      local ok, message = pcall(function() transport:step("1") end)
      assert.is_false(ok)
      assert.matches("async_spec.lua:%d+: bad argument #1 to 'step' %(number or nil expected, got string%)", message)
    end)

    it("takes any time that makes sense", function()
      local transport = new()
      for _, seconds in ipairs { 0, 1e-9, 1e300, math.huge } do
        local call = send(transport, "none")
        repeat until transport:step(seconds) == 0
        assert.is_true(call.done)
      end
    end)
  end)

  describe("many calls", function()
    it("share the connections that keepalive.pool_size allows", function()
      local transport = new { keepalive = { pool_size = 4 } }
      local before, seen, list = server:inspect().accepted.http, {}, {}
      for index = 1, 200 do
        list[index] = send(transport, "none", { body = tostring(index) })
      end
      drain(transport)
      for index = 1, 200 do
        local response = echo(list[index])
        assert.equal(tostring(index), response.body)
        seen[response.connection] = true
      end
      local count = 0
      for _ in pairs(seen) do
        count = count + 1
      end
      assert.is_true(count <= 4)
      assert.is_true(server:inspect().accepted.http - before <= 4)
    end)

    it("leave in their order", function()
      local transport = new { keepalive = { pool_size = 1 } }
      local order = {}
      for index = 1, 20 do
        send(transport, "none", { body = tostring(index) }, function(_, body)
          order[#order + 1] = tonumber(cjson.decode(body).body)
        end)
      end
      drain(transport)
      for index = 1, 20 do
        assert.equal(index, order[index])
      end
    end)

    it("run out of time also while they wait for a connection", function()
      local transport = new { keepalive = { pool_size = 1 } }
      local first = send(transport, "hang", { timeout = time_scale })
      local short = send(transport, "none", { timeout = 0.1 * time_scale })
      local long = send(transport, "none")
      local start = monotime()
      local _, _, details = short:wait()
      assert.equal("timeout", details.code)
      assert.is_false(details.sent)
      assert.is_true(monotime() - start < 0.9 * time_scale)
      assert.is_false(first.done)
      assert.equal("POST", echo(long).method)
      assert.equal("timeout", calls.code(first))
    end)

    it("are refused above max_pending", function()
      local transport = new { max_pending = 5 }
      for _ = 1, 5 do
        send(transport, "none")
      end
      local call = transport:send(request(), contract.parse)
      assert.is_true(call.done)
      fails("max_pending calls are in flight already", { code = "full", retryable = true, sent = false }, call:result())
      assert.is_true(transport:step() <= 5)
      drain(transport)
      assert.equal("POST", echo(send(transport, "none")).method)
    end)

    -- Returns how many connections many calls at once opened.
    local function open_over_http2()
      local transport = new { ca_file = server.ca_file, keepalive = { pool_size = 8 } }
      local before, list = server:inspect().accepted.h2, {}
      for index = 1, 60 do
        list[index] = send(transport, "delay?ms=20", { scheme = "https", port = server.h2_port,
          body = tostring(index) })
      end
      drain(transport)
      for index = 1, 60 do
        local response = echo(list[index])
        assert.equal("h2", response.listener)
        assert.equal(tostring(index), response.body)
      end
      return server:inspect().accepted.h2 - before
    end

    -- They wait for the first connection for 0.25 s only, and on a busy machine a handshake may take longer.
    it("share one connection over HTTP/2", function()
      local attempts, count = 0
      repeat
        attempts, count = attempts + 1, open_over_http2()
      until count == 1 or attempts == 5
      assert.equal(1, count)
    end)

    it("on one HTTP/2 connection do not suffer from one that hangs or is cancelled", function()
      local transport = new { ca_file = server.ca_file }
      local before = server:inspect().accepted.h2
      local over = { scheme = "https", port = server.h2_port }
      assert.equal("h2", echo(send(transport, "none", over)).listener)
      -- One of the responses must come before this, or else the connection counts as silent and is left.
      over.timeout = 0.5 * time_scale
      local hanging = send(transport, "hang", over)
      local cancelled = send(transport, "hang", over)
      over.timeout = 5 * time_scale
      local slow = send(transport, "delay?ms=" .. 600 * time_scale, over)
      local refused = send(transport, "status?status=429", over)
      transport:step(0.02)
      assert.is_true(cancelled:cancel())
      assert.equal("h2", echo(slow).listener)
      assert.equal(429, refused:wait().status)
      assert.equal("timeout", calls.code(hanging))
      assert.equal("h2", echo(send(transport, "none", over)).listener)
      assert.equal(1, server:inspect().accepted.h2 - before)
    end)

    it("over TLS follow one that leads, also when that one fails, hangs or is cancelled", function()
      local transport = new { keepalive = { pool_size = 4 } }
      local list = {}
      local over = { scheme = "https", port = server.untrusted_port }
      for index = 1, 10 do
        list[index] = send(transport, "none", over)
      end
      drain(transport)
      for index = 1, 10 do
        assert.equal("tls", calls.code(list[index]))
      end
      transport = new { tls_verify = false }
      local hanging = send(transport, "none", { scheme = "https", port = server.silent_port, timeout = 0.2 })
      local cancelled = send(transport, "none", { scheme = "https", port = server.silent_port })
      local good = send(transport, "none", over)
      transport:step()
      assert.is_true(cancelled:cancel())
      assert.equal("untrusted", echo(good).listener)
      assert.equal("timeout", select(3, hanging:wait()).code)
      assert.equal("untrusted", echo(send(transport, "none", over)).listener)
    end)

    it("fail alone", function()
      local transport = new { max_response_bytes = 65536 }
      local codes = { reset = "network", ["cut?reset=1"] = "network", ["oversize?form=chunked"] = "too_large",
        ["garbage"] = "network" }
      local list = {}
      for round = 1, 5 do
        for path, code in pairs(codes) do
          list[#list + 1] = { send(transport, path), code }
          list[#list + 1] = { send(transport, "none", { body = tostring(round) }) }
        end
      end
      drain(transport)
      for _, pair in ipairs(list) do
        if pair[2] then
          assert.equal(pair[2], calls.code(pair[1]))
        else
          assert.equal("POST", echo(pair[1]).method)
        end
      end
    end)
  end)

  describe("callbacks", function()
    it("run from step, with the outcome of the call", function()
      local transport = new()
      local seen = {}
      send(transport, "none"):on_done(function(result) seen[1] = result.status end)
      send(transport, "none", { port = server.refusing_port }):on_done(function(result, message, details)
        seen[2] = { result, type(message), details.code }
      end)
      assert.same({}, seen)
      drain(transport)
      assert.same({ 200, { nil, "string", "network" } }, seen)
    end)

    it("may raise: the others still run, and the error is logged", function()
      local logged, ran = {}, 0
      local transport = new { log = function(level, message) logged[#logged + 1] = level .. ": " .. message end }
      for _ = 1, 3 do
        send(transport, "none"):on_done(function() error("boom", 0) end):on_done(function() ran = ran + 1 end)
      end
      drain(transport)
      assert.equal(3, ran)
      assert.equal(3, #logged)
      assert.equal("error: on_done raised: boom", logged[1])
    end)

    it("that raise are reported on stderr when there is no log, or log itself raises", function()
      local stderr, written = io.stderr, {}
      finally(function() rawset(io, "stderr", stderr) end)
      rawset(io, "stderr", { write = function(_, ...) written[#written + 1] = table.concat { ... } end })
      for _, log in ipairs { false, function() error("log is broken") end } do
        local transport = new { log = log or nil, keepalive = { pool_size = 1 } } -- one after the other
        send(transport, "none"):on_done(function() error("boom", 0) end)
        send(transport, "none"):on_done(function() error(setmetatable({}, { __tostring = error })) end)
        drain(transport)
      end
      rawset(io, "stderr", stderr)
      assert.equal(4, #written)
      assert.equal("pusher: error: on_done raised: boom\n", written[1])
    end)

    it("may send, step, wait and cancel", function()
      local transport = new()
      local order = {}
      local other = send(transport, "hang")
      send(transport, "none"):on_done(function()
        send(transport, "none"):on_done(function() order[#order + 1] = "sent" end)
        transport:step()
        local status = send(transport, "none"):wait().status -- ends the first one, too
        order[#order + 1] = status
        order[#order + 1] = other:cancel()
        order[#order + 1] = other:cancel()
        order[#order + 1] = "end"
      end)
      drain(transport)
      table.sort(order, function(a, b) return tostring(a) < tostring(b) end)
      assert.same({ 200, "end", false, "sent", true }, order)
    end)

    it("may close the transport", function()
      local transport = new()
      local ends = {}
      for index = 1, 10 do
        send(transport, "none"):on_done(function(_, _, details)
          ends[index] = (ends[index] or 0) + 1
          transport:close()
          assert(calls.code(transport:send(request(), contract.parse)) == "closed")
          assert(not details or details.code == "closed")
        end)
      end
      local running
      repeat running = transport:step(1) until running == 0
      assert.equal(0, running)
      for index = 1, 10 do
        assert.equal(1, ends[index])
      end
      local result, _, details = transport:step()
      assert.is_nil(result)
      assert.equal("closed", details.code)
    end)

    it("may step as deep as their calls are many", function()
      local transport = new { keepalive = { pool_size = 20 } }
      local deepest, depth = 0, 0
      for _ = 1, 20 do
        send(transport, "none"):on_done(function()
          depth = depth + 1
          deepest = math.max(deepest, depth)
          transport:step(1)
          depth = depth - 1
        end)
      end
      drain(transport)
      assert.equal(0, depth)
      assert.equal(20, deepest)
    end)
  end)

  describe("coroutines", function()
    it("may send in one, step in another and wait in a third", function()
      local transport = new()
      local call
      coroutine.wrap(function() call = send(transport, "none") end)()
      local status
      call:on_done(function(result) status = result.status end)
      local stepper = coroutine.wrap(function()
        while transport:step(1) > 0 do
          coroutine.yield(true)
        end
      end)
      while not status do
        stepper()
      end
      assert.equal(200, status)
      coroutine.wrap(function() status = send(transport, "none"):wait().status + 1 end)()
      assert.equal(201, status)
    end)

    it("that yield from a callback suspend the step, or on Lua 5.1 are an error that is logged", function()
      local logged, finished
      local transport = new { log = function(_, message) logged = message end }
      send(transport, "none"):on_done(function()
        coroutine.yield("in the callback")
        finished = true
      end)
      local stepper = coroutine.create(function()
        while transport:step(1) > 0 do end -- luacheck: ignore 542
        return "end"
      end)
      local _, first = coroutine.resume(stepper)
      if first == "in the callback" then
        assert.equal(0, transport:step())
        assert.is_nil(finished)
        local _, last = coroutine.resume(stepper)
        assert.equal("end", last)
        assert.is_true(finished)
      else
        assert.equal("Lua 5.1", _VERSION)
        assert.equal("end", first)
        assert.matches("yield", logged)
      end
    end)
  end)

  describe("cancel", function()
    it("ends a call at any stage, and only that", function()
      local transport = new { keepalive = { pool_size = 2 } }
      local list, ends = {}, 0
      for index = 1, 6 do
        list[index] = send(transport, index % 2 == 0 and "hang" or "none")
        list[index]:on_done(function() ends = ends + 1 end)
      end
      assert.is_true(list[6]:cancel()) -- not started
      transport:step()
      assert.is_true(list[2]:cancel()) -- active
      assert.is_true(list[4]:cancel())
      assert.is_false(list[4]:cancel())
      drain(transport)
      assert.equal(6, ends)
      for index = 1, 6 do
        if index % 2 == 0 then
          local _, _, details = list[index]:result()
          assert.equal("closed", details.code)
          assert.is_true(details.cancelled)
        else
          assert.equal("POST", echo(list[index]).method)
        end
      end
    end)
  end)

  describe("close", function()
    it("ends each call in flight once, in their order", function()
      local transport = new { keepalive = { pool_size = 2 } }
      local order, list = {}, {}
      for index = 1, 9 do
        list[index] = send(transport, "hang"):on_done(function(_, _, details)
          order[#order + 1] = details.code .. index
        end)
      end
      transport:step()
      transport:close()
      transport:close()
      assert.same({ "closed1", "closed2", "closed3", "closed4", "closed5", "closed6", "closed7", "closed8", "closed9" },
        order)
      assert.equal("closed", calls.code(list[1]))
      assert.equal("closed", select(3, list[9]:wait()).code)
      assert.is_false(list[1]:cancel())
    end)

    it("is met by callbacks that cancel, raise and send", function()
      local logged = 0
      local transport = new { log = function() logged = logged + 1 end }
      local second, third
      send(transport, "hang"):on_done(function()
        assert(third:cancel())
        assert(calls.code(transport:send(request(), contract.parse)) == "closed")
        assert(select(3, transport:step()).code == "closed")
        error("boom")
      end)
      second = send(transport, "hang")
      third = send(transport, "hang")
      transport:close()
      assert.equal(1, logged)
      assert.is_nil(select(3, second:result()).cancelled)
      assert.is_true(select(3, third:result()).cancelled)
    end)

    it("ends a call that a callback waits for", function()
      local transport, list, order = new(), {}, {}
      for index = 1, 3 do
        list[index] = send(transport, "hang"):on_done(function(_, message, details)
          order[#order + 1] = index
          assert(details.code == "closed" and message == "the transport was closed")
        end)
      end
      list[1]:on_done(function()
        local _, _, details = list[3]:wait()
        order[#order + 1] = details.code
      end)
      transport:close()
      assert.same({ 1, 3, "closed", 2 }, order)
    end)

    it("leaves nothing to ask", function()
      local transport = new()
      transport:close()
      assert.is_nil(transport:pollfd())
      assert.is_nil(transport:timeout())
      assert.equal("r", transport:events())
      for _, seconds in ipairs { 0, -1 } do
        fails("the transport is closed", { code = "closed" }, transport:step(seconds))
      end
      fails("the transport is closed", { code = "closed", sent = false }, transport:send(request(), contract.parse):result())
    end)
  end)

  describe("a loop of the caller's", function()
    -- Steps only when the descriptor is ready, as loops do.
    local function watch(transport)
      local deadline, steps = monotime() + calls.WAIT, 0
      repeat
        assert(transport:timeout() == nil)
        assert(process.poll(transport:pollfd(), calls.WAIT))
        steps = steps + 1
        assert(monotime() < deadline, "it takes too long")
      until transport:step() == 0
      return steps
    end

    it("needs the descriptor alone", function()
      local transport = new { ca_file = server.ca_file }
      local fd = transport:pollfd()
      assert.is_number(fd)
      assert.equal("r", transport:events())
      local list = {}
      for index, path in ipairs { "none", "delay?ms=50", "chunked", "cut", "stale", "trickle?ms=1&bytes=50" } do
        list[index] = send(transport, path)
      end
      list[7] = send(transport, "hang", { timeout = 0.2 })
      list[8] = send(transport, "none", { host = contract.NO_NAME })
      list[9] = send(transport, "none", { port = server.black_hole_port, timeout = 0.2 })
      list[10] = send(transport, "none", { scheme = "https", port = server.tls_port })
      list[11] = send(transport, "none", { scheme = "https", port = server.h2_port })
      watch(transport)
      for index, call in ipairs(list) do
        assert.is_true(call.done)
        assert.equal(not (index == 4 or index >= 7 and index <= 9), (call:result()) ~= nil, index)
      end
      assert.equal(fd, transport:pollfd())
    end)

    it("sleeps while nothing happens", function()
      local transport = new()
      send(transport, "hang", { timeout = 0.3 })
      assert.is_true(watch(transport) < 30)
      local call = send(transport, "delay?ms=100")
      assert.is_true(watch(transport) < 30)
      assert.equal(200, call:result().status)
    end)

    it("learns of calls that wait for a connection", function()
      local transport = new { keepalive = { pool_size = 1 } }
      for _ = 1, 50 do
        send(transport, "none")
      end
      send(transport, "hang", { timeout = 0.1 })
      send(transport, "none", { timeout = 0.2 })
      watch(transport)
    end)
  end)

  describe("after a fork", function()
    before_each(calls.await_threads)

    for _, scheme in ipairs { "http", "https" } do
      it("a child does not carry on what its parent began, and the parent does: " .. scheme, function()
        local over = { scheme = scheme, port = scheme == "https" and server.tls_port or server.port }
        local transport = new { ca_file = server.ca_file, keepalive = { pool_size = 2 } }
        server:reset()
        local kept = echo(send(transport, "none", over)).connection
        local list = {}
        for index = 1, 4 do
          list[index] = send(transport, "delay?ms=100", over)
        end
        transport:step()
        assert.equal(0, process.run(function()
          local own = send(transport, "none", over)
          drain(transport)
          for index = 1, 4 do
            fails("the call was left to the parent process, which carries it on", { code = "closed" }, list[index]:result())
          end
          assert(echo(own).connection ~= kept)
          send(transport, "hang", over)
          transport:close()
        end))
        drain(transport)
        for index = 1, 4 do
          assert.equal("POST", echo(list[index]).method)
        end
        local requests = server:inspect().requests
        assert.is_true(requests == 6 or requests == 7, requests) -- the child's last one may have left
      end)
    end

    it("a child that closes, or forgets, leaves the parent's calls alone", function()
      local transport = new()
      for _, act in ipairs { "close", "forget", "cancel" } do
        local call = send(transport, "delay?ms=50")
        transport:step()
        assert.equal(0, process.run(function()
          if act == "close" then
            transport:close()
          elseif act == "cancel" then
            call:cancel()
          end
          call, transport, opened = nil, nil, nil
          collectgarbage()
          collectgarbage()
        end))
        assert.equal(200, call:wait().status)
      end
    end)

    it("a child does not send what its parent had not begun to send", function()
      server:reset()
      local transport = new()
      local call = send(transport, "none")
      assert.equal(0, process.run(function()
        drain(transport)
        assert(select(3, call:result()).code == "closed")
      end))
      assert.equal("POST", echo(call).method)
      assert.equal(1, server:inspect().requests)
    end)
  end)

  it("is not stalled by a name server that does not respond", function()
    assert.equal("good\n", calls.run_preloaded("slow_resolver", "spec/helpers/slow_resolver.lua"))
  end)

  it("starts a call once whose name takes long to look up", function()
    assert.equal("good\n",
      calls.run_preloaded_with_file("slow_resolver", "LATE_LOOKUPS", "spec/helpers/late_resolver.lua"))
  end)

  -- In a program of its own: OpenSSL reads the authorities once, and the heap of the specs is not a game's.
  describe("no step and no trigger of a game takes long:", function()
    local SECONDS = 1
    local MAX_US = 250 * time_scale -- CPU time of the game's thread
    -- The kernel counts interrupts as the thread's time, and other programs empty the caches. That comes at random, and
    -- what it does to a fixed piece of work is not judged; what the library does comes each time.
    local ATTEMPTS = 5 -- a busy minute of the machine has outlasted three

    for _, situation in ipairs(ticks.situations) do
      it(situation.title, function()
        local texts = {}
        for attempt = 1, ATTEMPTS do
          local text = calls.run_preloaded("slow_resolver", "spec/helpers/ticks.lua", situation.name, SECONDS)
          local trigger, step, noise = text:match("^trigger (%d+) step (%d+) noise (%d+)\n$")
          -- Calls share a connection over HTTP/2 only if its handshake takes less than 0.25 s.
          assert(trigger or text:find("%d connections"), text)
          if trigger and math.max(tonumber(trigger), tonumber(step)) - tonumber(noise) <= MAX_US then
            return
          end
          texts[attempt] = text
        end
        error(table.concat(texts))
      end)
    end
  end)
end)
