-- The driver against an nginx that exists in a table only, in a time of its own; spec/system/nginx has the real one.

local fails = require "spec.helpers.fails"
local scripted = require "spec.helpers.scripted"

local nginx

-- nginx has LuaJIT, where coroutines yield through pcall. This is a pcall for Lua 5.1, which cannot.
local function yielding_pcall(callback, ...)
  local thread = coroutine.create(function(...) -- 5.1 makes no coroutine of a C function
    return callback(...)
  end)
  local function go_on(ok, ...)
    if coroutine.status(thread) == "suspended" then
      return go_on(coroutine.resume(thread, coroutine.yield(...)))
    end
    return ok, ...
  end
  return go_on(coroutine.resume(thread, ...))
end

-- Timers and sleepers, run in the order of their time.
local function fake_nginx()
  local self = { jobs = {}, exiting = false, running = 0, limit = math.huge, allowed = true }
  local function add(time, thread, ...)
    self.jobs[#self.jobs + 1] = { time = time, thread = thread, arguments = { ... }, number = #self.jobs }
  end
  self.api = {
    ERR = 4, WARN = 5,
    socket = {},
    log = function(_, ...)
      self.logged = (self.logged or "") .. table.concat { ... } .. "\n"
    end,
    worker = { exiting = function() return self.exiting end },
    timer = {
      at = function(delay, callback, ...)
        if not self.allowed then
          error("API disabled in the current context", 2)
        elseif #self.jobs >= self.limit then
          return nil, "too many pending timers"
        elseif self.exiting and delay > 0 then
          return nil, "process exiting"
        end
        assert(delay >= 0 and delay < 1e6)
        local arguments = { ... }
        add(self.world.time + delay, coroutine.create(function()
          self.running = self.running + 1
          callback(self.exiting, arguments[1], arguments[2])
          self.running = self.running - 1
        end))
        return true
      end,
    },
    sleep = function(seconds)
      if not self.allowed then
        error("API disabled in the current context", 2)
      end
      add(self.world.time + seconds, self.thread)
      coroutine.yield()
    end,
  }
  --- Lets nginx work until `time`, or until there is nothing more to do.
  function self.run(time)
    while #self.jobs > 0 do
      local first = 1
      for index, job in ipairs(self.jobs) do
        if job.time < self.jobs[first].time then
          first = index
        end
      end
      local job = self.jobs[first]
      if time and job.time > time then
        self.world.time = time
        return
      end
      table.remove(self.jobs, first)
      self.world.time = math.max(self.world.time, job.time)
      self.thread = job.thread
      assert(coroutine.resume(job.thread))
    end
  end
  return self
end

local function new(options)
  options = options or {}
  local world = scripted.new { respond = options.respond, client = options.client }
  nginx.world = world
  local send = world.transport.send
  world.in_flight, world.most_in_flight = 0, 0
  world.transport.send = function(self, request, parse)
    world.in_flight = world.in_flight + 1
    world.most_in_flight = math.max(world.most_in_flight, world.in_flight)
    nginx.api.sleep(options.latency or 0.05)
    world.in_flight = world.in_flight - 1
    return send(self, request, parse)
  end
  return world, world:publisher(options.publisher)
end

describe("pusher.driver.nginx", function()
  local before, own_pcall = rawget(_G, "ngx"), pcall

  before_each(function()
    nginx = fake_nginx()
    rawset(_G, "ngx", nginx.api)
    if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
      rawset(_G, "pcall", yielding_pcall)
    end
  end)

  after_each(function()
    rawset(_G, "ngx", before)
    rawset(_G, "pcall", own_pcall)
  end)

  it("makes a timer for the first event, and one more when a batch is full", function()
    local world, publisher = new()
    publisher:trigger("a", "e", "1")
    assert.equal(1, #nginx.jobs)
    for number = 2, 9 do
      publisher:trigger("a", "e", tostring(number))
    end
    assert.equal(1, #nginx.jobs)
    publisher:trigger("a", "e", "10")
    publisher:trigger("a", "e", "11")
    assert.equal(2, #nginx.jobs)
    nginx.run()
    assert.equal("1 2 3 4 5 6 7 8 9 10 11", world:took("a"))
    assert.same({ 10, 1 }, world:sizes())
    assert.equal(11, publisher:stats().sent)
    assert.equal(0, nginx.running)
  end)

  it("lets an event linger, and leaves no timer behind when all is sent", function()
    local world, publisher = new { publisher = { linger = 0.5 } }
    local start = world.time
    publisher:trigger("a", "e", "1")
    nginx.run()
    assert.is_true(world.calls[1].time >= start + 0.5)
    assert.equal(0, #nginx.jobs)
  end)

  it("has several calls in flight, and no more than allowed", function()
    local world, publisher = new { publisher = { max_in_flight = 3 }, latency = 1 }
    local start = world.time
    for number = 1, 90 do
      publisher:trigger("c" .. number, "e", "x")
    end
    nginx.run()
    assert.equal(90, publisher:stats().sent)
    assert.equal(9, #world.calls)
    assert.equal(3, world.most_in_flight)
    assert.is_true(world.time - start < 3.1)
  end)

  it("lets events linger, also those that a running handler finds", function()
    local world, publisher = new { publisher = { linger = 0.5 }, latency = 1 }
    local start = world.time
    publisher:trigger("a", "e", "1")
    nginx.run(start + 1.4)
    publisher:trigger("b", "e", "2")
    nginx.run(start + 1.8)
    assert.equal(1, world.in_flight + #world.calls)
    nginx.run()
    assert.equal(2, #world.calls)
    assert.is_true(math.abs(world.time - start - 2.9) < 1e-6)
  end)

  it("makes no timer while as many handlers run as calls are allowed", function()
    local world, publisher = new { publisher = { max_in_flight = 2, linger = 0 }, latency = 1 }
    for number = 1, 2 do
      publisher:trigger("c" .. number, "e", "x")
      nginx.run(world.time + 0.1)
    end
    assert.same({ 2, 2 }, { nginx.running, world.in_flight })
    local jobs = #nginx.jobs
    assert.is_true(publisher:trigger("d", "e", "x"))
    assert.equal(jobs, #nginx.jobs)
    nginx.run()
    assert.equal(3, publisher:stats().sent)
  end)

  it("does not let an event wait for a call that hangs", function()
    local slow = true
    local world, publisher
    world, publisher = new { latency = 0 }
    local send = world.transport.send
    world.transport.send = function(...)
      if slow then
        slow = false
        nginx.api.sleep(5)
      end
      return send(...)
    end
    publisher:trigger("a", "e", "1")
    nginx.run(world.time + 0.01)
    local start = world.time
    publisher:trigger("b", "e", "2")
    nginx.run(start + 0.1)
    assert.equal("2", world:took("b"))
    assert.equal("", world:took("a"))
    nginx.run()
    assert.equal("1", world:took("a"))
  end)

  it("keeps a channel's order across retries, and other events pass meanwhile", function()
    local world, publisher = new {
      publisher = { max_in_flight = 2, retry = { base = 2, max = 8 } },
      respond = function(call)
        if call.number == 1 then
          return 503, ""
        end
        return 200, "{}"
      end,
    }
    for number = 1, 12 do
      publisher:trigger("a", "e", tostring(number))
    end
    nginx.run(world.time + 1)
    for number = 1, 30 do
      publisher:trigger("b", "e", tostring(number))
      nginx.run(world.time + 0.03)
    end
    nginx.run(world.time + 0.1)
    assert.equal(12, publisher:stats().queued + publisher:stats().in_flight)
    nginx.run()
    assert.equal("1 2 3 4 5 6 7 8 9 10 11 12", world:took("a"))
    assert.equal(42, publisher:stats().sent)
  end)

  it("refuses an event for which no timer can be made", function()
    local _, publisher = new()
    nginx.limit = 0
    fails("nginx cannot create a timer: too many pending timers", { code = "full", retryable = true },
      publisher:trigger("a", "e", "x"))
    nginx.allowed = false
    assert.is_nil((publisher:trigger("a", "e", "x")))
    assert.equal(0, publisher:stats().accepted)
  end)

  it("goes on though timers run out meanwhile", function()
    local world, publisher = new { respond = function(call)
      nginx.limit = 0
      if call.number < 3 then
        return 503, ""
      end
      return 200, "{}"
    end }
    publisher:trigger("a", "e", "1")
    nginx.run()
    assert.equal("1", world:took("a"))
  end)

  it("makes a new timer when nginx dropped one", function()
    local world, publisher = new()
    publisher:trigger("a", "e", "1")
    nginx.jobs = {} -- lua_max_running_timers
    publisher:trigger("a", "e", "2")
    assert.equal(0, #nginx.jobs)
    world.time = world.time + 2
    publisher:trigger("a", "e", "3")
    nginx.run()
    assert.equal("1 2 3", world:took("a"))
  end)

  it("does not spin in the last millisecond of a flush", function()
    local world, publisher = new { latency = 5 }
    local sleep, shortest, refused = nginx.api.sleep, math.huge, nil
    nginx.api.sleep = function(seconds)
      shortest = math.min(shortest, seconds)
      sleep(seconds)
    end
    publisher:trigger("a", "e", "1")
    nginx.api.timer.at(0, function() refused = select(3, publisher:flush(0.0102)) end)
    nginx.run(world.time + 1)
    assert.equal("timeout", refused.code)
    assert.equal(0.001, shortest)
  end)

  it("waits in a flush, without lingering", function()
    local world, publisher = new { publisher = { linger = 60 } }
    for number = 1, 25 do
      publisher:trigger("c" .. number, "e", "x")
    end
    local start, flushed = world.time, nil
    nginx.api.timer.at(0, function()
      flushed = publisher:flush(5)
    end)
    nginx.run(start + 1)
    assert.is_true(flushed)
    assert.equal(25, #world.received)
  end)

  it("says so where nothing can be waited for, and goes on", function()
    local world, publisher = new()
    publisher:trigger("a", "e", "x")
    nginx.allowed = false
    for _, method in ipairs { "flush", "close" } do
      local value, message, details = publisher[method](publisher, 5)
      assert.is_nil(value)
      assert.equal("cannot wait in this nginx phase; sending continues in the background", message)
      assert.equal("invalid", details.code)
      assert.equal(1, details.left)
    end
    nginx.allowed = true
    nginx.run()
    assert.equal("x", world:took("a"))
    assert.is_true(publisher:trigger("a", "e", "y"))
  end)

  it("sends at once what waits when the worker exits, and still accepts", function()
    local world, publisher = new { publisher = { linger = 60 } }
    publisher:trigger("a", "e", "1")
    nginx.exiting = true
    nginx.jobs[1].time = world.time -- nginx ends the wait of its timers
    nginx.run()
    assert.equal("1", world:took("a"))
    assert.is_true(publisher:trigger("a", "e", "2"))
    nginx.run()
    assert.equal("1 2", world:took("a"))
  end)

  it("goes on while an exiting worker has time, then reports what is lost", function()
    local world, publisher = new {
      publisher = { retry = { attempts = 100, base = 1, max = 1 } }, client = { timeout = 3 },
      respond = function()
        return 503, "", ""
      end,
    }
    publisher:trigger("a", "e", "1")
    publisher:trigger("b", "e", "1")
    nginx.exiting = true
    local start = world.time
    nginx.run()
    assert.is_true(#world.calls > 2)
    assert.is_true(world.time - start < 4.1)
    assert.equal(2, #world.results)
    assert.equal("closed", world.results[1].details.code)
    assert.equal(0, publisher:stats().queued + publisher:stats().in_flight)
    assert.equal(0, nginx.running)
  end)

  it("logs to nginx when the client has no log of its own", function()
    local world = scripted.new()
    nginx.world = world
    world.client.for_publisher.log = nil
    local publisher = world:publisher { on_result = function() error("boom") end }
    publisher:trigger("a", "e", "x")
    nginx.run()
    assert.is_truthy(nginx.logged:find("pusher: on_result raised: .*boom"))
  end)
end)
