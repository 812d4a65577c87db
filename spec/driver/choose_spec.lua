local blocking = require "pusher.driver.blocking"
local choose = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local nginx = require "pusher.driver.nginx"
local pending = require "pusher.pending"
local stepped = require "pusher.driver.stepped"

local function with_ngx(api, run)
  local before = rawget(_G, "ngx")
  rawset(_G, "ngx", api)
  local ok, message = pcall(run)
  rawset(_G, "ngx", before)
  assert(ok, message)
end

-- What `done` gets, in order.
local function collect()
  local seen = {}
  return function(owner, item, result, message, details)
    assert(owner == "owner" and item == "item")
    seen[#seen + 1] = { result = result, message = message, code = details and details.code }
    return "done"
  end, seen
end

describe("pusher.driver.choose", function()
  it("takes a result that raises for names it does not know as a result", function()
    local done, seen = collect()
    local strict = setmetatable({}, { __index = function(_, name) error("no " .. name) end })
    choose.send({ send = function() return strict end }, {}, print, done, "owner", "item")
    assert.equal(1, #seen)
    assert.is_true(rawequal(strict, seen[1].result))
  end)

  it("cancels what can be cancelled", function()
    local cancelled = 0
    for _, given in ipairs { {}, { cancel = true }, { cancel = function() cancelled = cancelled + 1 end } } do
      choose.cancel(given)
    end
    choose.cancel(nil)
    assert.equal(1, cancelled)
  end)

  describe("new", function()
    local function kind_of(transport)
      local driver, blocks = choose.new { source = {}, transport = transport }
      return getmetatable(driver).__name, blocks
    end

    it("takes the driver that fits", function()
      assert.same({ "pusher.driver.blocking", true }, { kind_of {} })
      assert.same({ "pusher.driver.stepped", false }, { kind_of { step = function() end } })
      assert.same({ "pusher.driver.blocking", true }, { kind_of { step = 7 } })
      assert.same({ "pusher.driver.blocking", true }, { kind_of(setmetatable({}, { __index = error })) })
      with_ngx({ timer = {} }, function()
        assert.same({ "pusher.driver.nginx", false }, { kind_of {} })
        assert.same({ "pusher.driver.stepped", false }, { kind_of { step = function() end } })
      end)
    end)

    it("takes drivers that return how many items are not settled", function()
      local source = {
        max_in_flight = 1, judged = 0, next = function() end, due = function() end,
        unsettled = function()
          return 7
        end,
      }
      local parts = { source = source, transport = { step = function() return 0 end }, now = os.time, sleep = error }
      assert.equal(7, blocking.new(parts):advance(0))
      assert.equal(7, stepped.new(parts):advance(0))
      with_ngx({ timer = {} }, function()
        assert.equal(7, nginx.new(parts):advance(0))
      end)
    end)
  end)

  describe("log", function()
    it("writes to standard error", function()
      local stderr, written = io.stderr, nil
      finally(function() rawset(io, "stderr", stderr) end)
      rawset(io, "stderr", { write = function(_, ...) written = table.concat { ... } end })
      choose.log("error", "text")
      assert.equal("pusher: error: text\n", written)
    end)

    it("writes to nginx's error log inside nginx, by level", function()
      local lines = {}
      with_ngx({
        timer = {}, ERR = 4, WARN = 5, INFO = 7, DEBUG = 8,
        log = function(...) lines[#lines + 1] = table.concat({ ... }, "|") end,
      }, function()
        for _, level in ipairs { "error", "warn", "info", "debug", "odd" } do
          choose.log(level, "text")
        end
      end)
      assert.same({ "4|pusher: |text", "5|pusher: |text", "7|pusher: |text", "8|pusher: |text", "5|pusher: |text" }, lines)
    end)
  end)

  describe("send", function()
    local function send(behaviour)
      local done, seen = collect()
      return seen, choose.send({ send = behaviour }, "request", "parse", done, "owner", "item")
    end

    it("passes the request on and the outcome back", function()
      local result = {}
      local seen = send(function(_, request, parse)
        assert(request == "request" and parse == "parse")
        return result
      end)
      assert.equal(1, #seen)
      assert.equal(result, seen[1].result)
      seen = send(function()
        return errors.fail("timeout", "too late")
      end)
      assert.same({ { message = "too late", code = "timeout" } }, seen)
    end)

    it("makes failures of what is not a failure of the library", function()
      for expected, behaviour in pairs {
        ["transport error: fell off"] = function() error("fell off", 0) end,
        ["transport error: no details"] = function() return nil, "no details" end,
        ["transport error: nil"] = function() return nil, nil, {} end,
        ["transport error: an error that cannot be shown"] = function()
          return nil, setmetatable({}, { __tostring = error })
        end,
      } do
        assert.same({ { message = expected, code = "network" } }, (send(behaviour)))
      end
    end)

    it("waits for a pending, and returns it unless it is done", function()
      local call = pending.new { log = error }
      local seen, returned = send(function() return call end)
      assert.equal(call, returned)
      assert.same({}, seen)
      pending.settle(call, "there")
      assert.same({ { result = "there" } }, seen)
      seen, returned = send(function() return call end)
      assert.is_nil(returned)
      assert.same({ { result = "there" } }, seen)
    end)
  end)
end)
