local cjson = require "cjson"
local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local push = require "pusher.push"
local vectors = require("spec.helpers.push_vectors").tinode_push_init

local ANN = "CAcGBQQDAgE"

local function receipt(changes)
  local given = {
    to = { [ANN] = { unread = 1 } },
    payload = { what = push.ACT_MSG, topic = "grpAbCdEf", content = "hello", seq = 1 },
  }
  for name, value in pairs(changes or {}) do
    given.payload[name] = value
  end
  return given
end

-- A handler as a game server would write it.
local function recorder()
  return {
    configs = {},
    receipts = {},
    init = function(self, config)
      self.configs[#self.configs + 1] = config == nil and "missing" or config
      if self.fails_with then
        return errors.fail("config", self.fails_with)
      end
    end,
    push = function(self, given)
      self.receipts[#self.receipts + 1] = given
    end,
  }
end

local function registry(handlers, options)
  local made = assert(push.new(options))
  for _, name in ipairs { "a", "b" } do
    if handlers[name] then
      made:register(name, handlers[name])
    end
  end
  return made
end

describe("pusher.push", function()
  it("has the actions' names", function()
    assert.are.equal("msg", push.ACT_MSG)
    assert.are.equal("sub", push.ACT_SUB)
  end)

  describe("init, known answers", function()
    for _, case in ipairs(vectors.cases) do
      it(case.config, function()
        local handlers = { a = recorder(), b = recorder() }
        handlers.a.fails_with = case.a_init_fails_with
        local ok, message, details = registry(handlers):init(case.config)
        if case.error == cjson.null then
          assert.is_true(ok)
        else
          assert.is_nil(ok)
          -- What follows the prefix is the message of Go's decoder.
          local expected = case.error:find("^failed to parse config: ") and "failed to parse config: " or case.error
          assert.are.equal(expected, message:sub(1, #expected))
          assert.are.equal("config", details.code)
        end
        for name, handler in pairs(handlers) do
          assert.are.equal(#case[name], #handler.configs)
          for index, text in ipairs(case[name]) do
            assert.are.same(cjson.decode("[" .. text .. "]")[1], handler.configs[index])
          end
        end
      end)
    end
  end)

  describe("init", function()
    it("takes a decoded list, too", function()
      local a = recorder()
      assert.is_true(registry({ a = a }):init { { name = "a", config = { x = 1 } } })
      assert.are.same({ { x = 1 } }, a.configs)
    end)

    it("distinguishes a missing configuration from JSON null, which is an empty one", function()
      local a = recorder()
      assert.is_true(registry({ a = a }):init('[{"name":"a"},{"name":"a","config":null}]'))
      assert.are.same({ "missing", {} }, a.configs)
    end)

    it("reads all of the configuration before it touches a handler", function()
      for _, config in ipairs { '[{"name":"a"},7]', '[{"name":"a"},{"name":[]}]', '[{"name":"a"}', "", "5", '"a"',
        '{"name":"a"}' } do
        local a = recorder()
        local ok, message, details = registry({ a = a }):init(config)
        assert.is_nil(ok, config)
        assert.matches("^failed to parse config: ", message)
        assert.are.equal("config", details.code)
        assert.are.same({}, a.configs)
      end
    end)

    it("skips unknown names, unless it is strict", function()
      local config = '[{"name":"zzz","config":{}},{"name":"a","config":{}}]'
      local a = recorder()
      assert.is_true(registry({ a = a }):init(config))
      assert.are.equal(1, #a.configs)
      local ok, message, details = registry({ a = recorder() }, { strict = true }):init(config)
      assert.is_nil(ok)
      assert.matches('unknown push handler "zzz"', message)
      assert.are.equal("config", details.code)
    end)

    it("starts a handler that has no init", function()
      local made = registry { a = { push = function() end } }
      assert.is_true(made:init '[{"name":"a"}]')
      assert.are.equal(1, made:push(receipt()))
    end)

    it("makes a failure of what a handler raises, or refuses without our form", function()
      for _, init in ipairs {
        function()
          error("boom")
        end,
        function()
          return nil, "boom"
        end,
        function()
          return nil, "boom", "details"
        end,
      } do
        local ok, message, details = registry({ a = { init = init, push = function() end } }):init '[{"name":"a"}]'
        assert.is_nil(ok)
        assert.matches("boom", message)
        assert.is_string(details.code)
      end
      local ok, message = registry({ a = { push = function() end, init = function()
        return false
      end } }):init '[{"name":"a"}]'
      assert.is_nil(ok)
      assert.is_string(message)
    end)

    it("raises on an argument that is not a configuration", function()
      local made = registry {}
      assert.has_error(function()
        made:init(5)
      end, "bad argument #1 to 'init' (string or table expected, got number)")
    end)
  end)

  describe("register", function()
    it("raises the original's messages", function()
      local made = registry {}
      for _, case in ipairs(vectors.register) do
        local called, message = pcall(function()
          if case.case == "nil handler" then
            made:register("n", nil)
          elseif case.case == "empty name" then
            made:register("", recorder())
          else
            made:register("a", recorder())
            made:register("a", recorder())
          end
        end)
        if case.panic == cjson.null then
          assert.is_true(called)
        else
          assert.is_false(called)
          assert.are.equal(case.panic, (message:gsub("^.-:%d+: ", "")))
          assert.matches("push_spec.lua", message)
        end
      end
    end)

    it("raises on what is not a handler, or not a name", function()
      local made = registry {}
      for _, handler in ipairs { 5, "x", {}, { push = 5 }, print } do
        assert.has_error(function()
          made:register("x", handler)
        end)
      end
      assert.has_error(function()
        made:register(nil, recorder())
      end, "bad argument #1 to 'register' (string expected, got no value)")
    end)
  end)

  describe("push", function()
    it("gives every ready handler the receipt, checked and copied", function()
      local a, b = recorder(), recorder()
      local made = registry { a = a, b = b }
      assert.is_true(made:init '[{"name":"a"},{"name":"b"}]')
      local given = receipt { want = "JRW" }
      assert.are.equal(2, made:push(given))
      assert.are_not.equal(given, a.receipts[1])
      assert.are.equal(a.receipts[1], b.receipts[1])
      assert.are.equal(7, a.receipts[1].payload.want)
    end)

    it("does nothing without handlers", function()
      assert.are.equal(vectors.push[1].effect, "returns")
      assert.are.equal(0, registry({}):push(receipt()))
    end)

    it("counts what a full queue drops, for that handler only", function()
      local case = vectors.push[2]
      local queue = { receipts = {}, push = function(self, given)
        if #self.receipts == 2 then
          return errors.fail("full", "the queue is full")
        end
        self.receipts[#self.receipts + 1] = given
        return true
      end }
      local b = recorder()
      local made = registry { a = queue, b = b }
      made:init '[{"name":"a"},{"name":"b"}]'
      local accepted, message, details
      for _ = 1, 5 do
        accepted, message, details = made:push(receipt())
      end
      assert.is_nil(accepted)
      assert.are.equal("the queue is full", message)
      assert.are.equal("full", details.code)
      assert.is_true(details.retryable)
      assert.are.equal("a", details.handler)
      assert.are.equal(1, details.accepted)
      local stats = made:stats()
      assert.are.equal(case.queued, stats.a.pushed)
      assert.are.equal(case.dropped, stats.a.dropped)
      assert.are.equal(5, stats.b.pushed)
      assert.are.equal(5, #b.receipts)
    end)

    it("passes over handlers that are not ready, or were never configured", function()
      assert.are.equal("skipped", vectors.push[3].effect)
      local a, b = recorder(), recorder()
      a.is_ready = function()
        return false
      end
      local made = registry { a = a, b = b }
      made:init '[{"name":"a"}]'
      assert.are.equal(0, made:push(receipt()))
      assert.are.same({}, a.receipts)
      assert.are.same({}, b.receipts)
      assert.is_false(made:stats().a.ready)
      assert.are.equal(0, made:stats().a.dropped)
    end)

    it("asks a handler that knows whether it is ready, as the original does", function()
      local a = recorder()
      a.is_ready = function()
        return true
      end
      assert.are.equal(1, registry({ a = a }):push(receipt()))
    end)

    it("does not block on a ready handler that has nowhere to put a receipt", function()
      assert.are.equal("dropped, does not block", vectors.push[4].effect)
      local made = registry { a = { push = function()
        return errors.fail("full", "no queue")
      end } }
      made:init '[{"name":"a"}]'
      assert.is_nil((made:push(receipt())))
      assert.are.equal(1, made:stats().a.dropped)
    end)

    it("survives handlers that raise, and gives the receipt to the others", function()
      local logged = {}
      local made = registry({ a = { push = function()
        error("boom")
      end }, b = recorder() }, { log = function(level, message)
        logged[#logged + 1] = level .. ": " .. message
        error("a logger that raises")
      end })
      made:init '[{"name":"a"},{"name":"b"}]'
      local accepted, message, details = made:push(receipt())
      assert.is_nil(accepted)
      assert.matches("boom", message)
      assert.are.equal(1, details.accepted)
      assert.are.equal(1, made:stats().a.refused)
      assert.are.equal(1, made:stats().b.pushed)
      assert.matches("^error: push handler a: push raised: .*boom", logged[1])
      assert.matches("^warn: push handler a: push raised: .*boom", logged[2])
    end)

    it("refuses malformed receipts, and goes on with others", function()
      local a = recorder()
      local made = registry { a = a }
      made:init '[{"name":"a"}]'
      for _, bad in ipairs { {}, { to = {} }, { to = { [5] = {} }, payload = { what = "msg" } },
        receipt { topic = "\255" }, receipt { seq = -1 } } do
        local accepted, message, details = made:push(bad)
        assert.is_nil(accepted)
        assert.is_string(message)
        assert.are.equal("invalid", details.code)
      end
      assert.are.equal(1, made:push(receipt()))
      assert.are.equal(1, #a.receipts)
    end)

    it("raises on an argument that is not a receipt", function()
      local made = registry {}
      assert.has_error(function()
        made:push()
      end, "bad argument #1 to 'push' (table expected, got no value)")
    end)
  end)

  describe("step, flush and stop", function()
    -- Takes receipts, and needs `turns` steps for them.
    local function worker(turns)
      return {
        left = 0,
        log = {},
        push = function(self)
          self.left = self.left + turns
        end,
        step = function(self, seconds)
          self.log[#self.log + 1] = seconds
          self.left = math.max(0, self.left - 1)
          return self.left
        end,
        stop = function(self, seconds)
          self.stopped = (self.stopped or 0) + 1
          self.stopped_with = seconds
          return true
        end,
      }
    end

    it("let the handlers work, and count what is left", function()
      local a = worker(2)
      local made = registry({ a = a, b = recorder() }, { now = function()
        return 100
      end })
      made:init '[{"name":"a"},{"name":"b"}]'
      assert.are.equal(0, made:step())
      made:push(receipt())
      assert.are.equal(1, made:step())
      assert.are.equal(0, made:step(0.5))
      assert.are.same({ 0, 0, 0.5 }, a.log)
      made:push(receipt())
      local done, message, details = made:flush(0)
      assert.is_nil(done)
      assert.are.equal("1 items are not settled yet", message)
      assert.are.equal("timeout", details.code)
      assert.is_true(made:flush())
      assert.are.equal(60, a.log[#a.log])
    end)

    it("count the items of all handlers", function()
      local a, b = worker(4), worker(3)
      local made = registry { a = a, b = b }
      made:init '[{"name":"a"},{"name":"b"}]'
      made:push(receipt())
      assert.are.equal(5, made:step())
      assert.are.equal(3, made:step())
    end)

    it("pass a handler's failure on, after the others had their turn", function()
      local a, b = worker(1), worker(1)
      a.step = function()
        return errors.fail("closed", "the transport is closed")
      end
      local made = registry { a = a, b = b }
      made:init '[{"name":"a"},{"name":"b"}]'
      local done, message, details = made:step()
      assert.is_nil(done)
      assert.are.equal("the transport is closed", message)
      assert.are.equal("closed", details.code)
      assert.are.equal(1, #b.log)
    end)

    it("end the handlers once, after which none is ready", function()
      local a = worker(1)
      local made = registry({ a = a }, { now = function()
        return 100
      end })
      made:init '[{"name":"a"}]'
      assert.is_true(made:stop(2))
      assert.is_true(made:stop())
      assert.is_true(made:stop())
      assert.are.equal(1, a.stopped)
      assert.are.equal(2, a.stopped_with)
      assert.is_false(made:stats().a.ready)
      assert.are.equal(0, made:push(receipt()))
      assert.are.equal(0, made:step())
      assert.are.same({ 2 }, a.log) -- the last work before the end
    end)

    it("end a handler once more whose end failed", function()
      local a = worker(1)
      local made, stop = registry { a = a }, a.stop
      function a.stop(self, seconds)
        stop(self, seconds)
        if self.stopped == 1 then
          return nil, "not now"
        end
        return made:stop()
      end
      made:init '[{"name":"a"}]'
      fails("not now", { code = "invalid" }, made:stop())
      assert.is_false(made:stats().a.ready)
      assert.is_true(made:stop())
      assert.is_true(made:stop())
      assert.equal(2, a.stopped)
    end)

    it("share the time between the handlers, in turns", function()
      local order = {}
      local time = 0
      local function slow(name, turns)
        return { push = function() end, step = function(_, seconds)
          order[#order + 1] = name
          time = time + seconds
          turns = turns - 1
          return turns <= 0
        end }
      end
      local made = registry({ a = slow("a", 3), b = slow("b", 2) }, { now = function()
        return time
      end })
      made:init '[{"name":"a"},{"name":"b"}]'
      assert.is_true(made:flush(10))
      assert.are.equal("a b a b a", table.concat(order, " "))
      assert.is_true(time > 9.5 and time <= 10)
    end)

    it("let the others finish while one fails", function()
      local a, b = worker(1), worker(5)
      a.step = function()
        return errors.fail("closed", "the transport is closed")
      end
      local made = registry { a = a, b = b }
      made:init '[{"name":"a"},{"name":"b"}]'
      made:push(receipt())
      local done, _, details = made:flush(10)
      assert.is_nil(done)
      assert.are.equal("closed", details.code)
      assert.are.equal(0, b.left)
    end)

    it("take no time that cannot be meant", function()
      local made = registry { a = recorder() }
      for _, call in ipairs { "step", "flush", "stop" } do
        for _, seconds in ipairs { -1, 0 / 0 } do
          local ok, message, details = made[call](made, seconds)
          assert.is_nil(ok)
          assert.matches("^" .. call .. ": seconds must be 0 or more", message)
          assert.are.equal("invalid", details.code)
        end
        assert.truthy(made[call](made, math.huge))
      end
    end)

    it("start no handler while they stop it", function()
      local a, made = recorder(), nil
      local codes = {}
      local function start()
        codes[#codes + 1] = select(3, made:init '[{"name":"a"}]').code
        return 0
      end
      a.step = start
      function a.stop()
        assert.is_true(made:stop())
        return start()
      end
      made = registry { a = a }
      assert(made:init '[{"name":"a"}]')
      assert.is_true(made:stop())
      assert.are.same({ "closed", "closed" }, codes)
      assert.is_false(made:stats().a.ready)
      assert.is_true(made:init '[{"name":"a"}]')
      assert.is_true(made:stats().a.ready)
    end)

    it("keep registrations: init starts the handlers anew", function()
      local a = recorder()
      local made = registry { a = a }
      made:init '[{"name":"a"}]'
      made:stop()
      made:init '[{"name":"a"}]'
      assert.are.equal(1, made:push(receipt()))
      assert.are.equal(2, #a.configs)
    end)
  end)

  it("logs errors where the other parts log them, without a log of the application's own", function()
    local real = io.stderr
    local lines = {}
    rawset(io, "stderr", { write = function(_, ...) lines[#lines + 1] = table.concat { ... } end })
    local a = recorder()
    a.stats = function() error("boom") end
    local ok, message = pcall(function()
      local made = registry { a = a }
      assert(made:init '[{"name":"a"}]')
      made:stats()
      a.push = function() return errors.fail("full", "no place") end
      made:push(receipt()) -- a warning, which push returns
    end)
    rawset(io, "stderr", real)
    assert(ok, message)
    assert.are.equal(1, #lines)
    assert.matches("^pusher: error: push handler a: stats raised: .*boom", lines[1])
  end)

  it("keeps registries apart", function()
    local one, two = registry { a = recorder() }, registry { a = recorder() }
    one:init '[{"name":"a"}]'
    assert.are.equal(1, one:push(receipt()))
    assert.are.equal(0, two:push(receipt()))
  end)

  it("is a registry itself, for programs that have one", function()
    package.loaded["pusher.push"] = nil
    local fresh = require "pusher.push"
    package.loaded["pusher.push"] = push
    local a = recorder()
    fresh.register("a", a)
    assert.is_true(fresh.init '[{"name":"a"}]')
    assert.are.equal(1, fresh.push(receipt()))
    assert.are.equal(0, fresh.step())
    assert.is_true(fresh.flush())
    assert.are.equal(1, fresh.stats().a.pushed)
    assert.is_true(fresh.stop())
    assert.is_false(fresh.stats().a.ready)
  end)

  it("refuses options it does not know", function()
    local made, message, details = push.new { strikt = true }
    assert.is_nil(made)
    assert.matches('did you mean "strict"', message)
    assert.are.equal("config", details.code)
  end)

  it("adds a handler's own figures to its stats", function()
    local a = recorder()
    a.stats = function()
      return { sent = 5 }
    end
    local made = registry { a = a }
    assert.are.same({ a = { ready = false, pushed = 0, dropped = 0, refused = 0, handler = { sent = 5 } } }, made:stats())
  end)

  it("waits a minute for flush and five seconds for stop, where nothing is said", function()
    local time, seconds = 0, {}
    local function note(_, given)
      seconds[#seconds + 1] = given
    end
    local handler = recorder()
    handler.step, handler.stop = note, note
    local made = registry({ a = handler }, { now = function() return time end })
    made:init { { name = "a" } }
    made:step()
    made:flush()
    made:stop()
    assert.same({ 0, 60, 5, 5 }, seconds)
  end)

  it("says what is wrong", function()
    local made = registry({ a = recorder() }, { strict = true })
    assert.has_error(function() made:register("b") end, "Register: push handler is nil")
    assert.has_error(function() made:register("a", recorder()) end, "Register: called twice for handler a")
    assert.has_error(function() made:register("b", {}) end,
      "bad argument #2 to 'register' (table with a function push expected, got table)")
    fails('unknown push handler "x"', { code = "config", field = "name" }, made:init { { name = "x" } })
    fails("step: seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, made:step(-1))
    fails("flush: seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, made:flush(-1))
    fails("stop: seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, made:stop(-1))
    local handler = recorder()
    handler.stop = function()
      fails("the registry is being stopped; init may be called when stop has returned", { code = "closed" }, made:init {})
      handler.stopped = true
    end
    made:register("b", handler)
    assert(made:init { { name = "b" } })
    assert(made:stop())
    assert.is_true(handler.stopped)
  end)
end)
