local connect = require "pusher.transport.ngx.connect"
local url = require "pusher.base.url"
local core = require "pusher.core"
local fake = require "spec.helpers.fake_ngx"

describe("pusher.transport.ngx.connect", function()
  local real, real_now, now, down

  before_each(function()
    real, real_now, now, down = rawget(_G, "ngx"), core.now, 1000, {}
    core.now = function() return now end
  end)

  after_each(function()
    rawset(_G, "ngx", real)
    core.now = real_now
  end)

  -- Connects to the host on scripted sockets.
  local function run(host, scripts, seconds, sleep)
    local api, record = fake.new { sockets = scripts, sleep = sleep }
    rawset(_G, "ngx", api)
    local plan = { host = host, address = host, port = 80, is_address = url.is_address(host),
      pool = "pool of " .. host, pool_options = { pool = "pool of " .. host, pool_size = 3 } }
    local deadline = now + (seconds or 5)
    return record, connect.open({ socket = api.socket.tcp() }, plan, down, deadline, deadline)
  end

  local function times(count, script)
    local list = {}
    for index = 1, count do
      list[index] = { connect = script.connect }
    end
    return list
  end

  -- The milliseconds that each try was given.
  local function given_ms(record)
    local list = {}
    for index, timeouts in ipairs(record.timeouts) do
      list[index] = timeouts[1]
    end
    return list
  end

  local function takes(seconds, cause)
    return function()
      now = now + seconds
      return cause
    end
  end

  local REFUSED = { connect = "connection refused" }

  it("tries again after a failed connect to a name, for nginx draws another of its addresses", function()
    for _, host in ipairs { "api.test", "1.2.3.400" } do
      local sockets = times(4, REFUSED)
      sockets[5] = {}
      local record, ok = run(host, sockets)
      assert.is_truthy(ok)
      assert.equal(5, #record.connections)
      for _, made in ipairs(record.connections) do
        assert.same({ host, 80, { pool = "pool of " .. host, pool_size = 3 } }, { made.host, made.port, made.options })
      end
    end
  end)

  it("spends the first half of the time in short tries, and the other half in the last one", function()
    local sockets = {}
    for index = 1, 17 do
      sockets[index] = { connect = takes(index < 17 and 5 / 32 or 2.5, "timeout") }
    end
    local record, ok, cause = run("api.test", sockets)
    assert.same({ nil, "timeout" }, { ok, cause })
    local expected = {}
    for index = 1, 16 do
      expected[index] = 157
    end
    expected[17] = 2500
    assert.same(expected, given_ms(record))
    assert.equal(1005, now)
  end)

  it("gives a server at least a tenth of a second, if there is so much", function()
    local record, ok = run("api.test", { { connect = takes(0.1, "timeout") }, { connect = takes(0.05, "timeout") } }, 0.15)
    assert.is_nil(ok)
    assert.same({ 100, 50 }, given_ms(record))
  end)

  it("stops at the deadline", function()
    local _, ok, cause = run("api.test", { { connect = takes(6, "connection refused") } })
    assert.same({ nil, "timeout" }, { ok, cause })
    _, ok, cause = run("127.0.0.1", {}, 0)
    assert.same({ nil, "timeout" }, { ok, cause })
  end)

  it("tries twice where the last call reached no address, until one is reached", function()
    local function count(host, sockets)
      local record = run(host, sockets)
      return #record.connections
    end
    assert.equal(20, count("api.test", times(20, REFUSED)))
    assert.equal(2, count("api.test", times(3, REFUSED)))
    assert.equal(20, count("other.test", times(20, REFUSED)))
    assert.equal(2, count("api.test", { { connect = "connection refused" }, {} }))
    assert.equal(20, count("api.test", times(20, REFUSED)))
  end)

  it("tries once when the name is not found, or the host is an address", function()
    for host, cause in pairs { ["api.test"] = "api.test could not be resolved (3: Host not found)",
      ["kong.test"] = "[cosocket] DNS resolution failed: no such name", ["apisix.test"] = "failed to parse domain: no such name",
      ["127.0.0.1"] = "connection refused", ["::1"] = "connection refused" } do
      local record, ok, message = run(host, { { connect = cause } })
      assert.same({ nil, cause }, { ok, message })
      assert.equal(1, #record.connections)
    end
  end)

  describe("with a light thread that watches the clock", function()
    local WAITS = { connect = function() coroutine.yield() end }

    it("needs none for a connection of the pool", function()
      local record, ok = run("api.test", { {} })
      assert.is_truthy(ok)
      assert.same({}, record.killed)
    end)

    it("stops watching when it is connected", function()
      local record, ok = run("api.test", { WAITS })
      assert.is_truthy(ok)
      assert.same({ "suspended" }, record.killed)
    end)

    it("gives up the lookup at the deadline", function()
      local slept
      local record, ok, cause = run("api.test", { WAITS }, 5, function(seconds)
        slept = seconds
      end)
      assert.same({ nil, "the name was not resolved in time", 5 }, { ok, cause, slept })
      assert.same({ "suspended" }, record.killed)
    end)

    it("blames the lookup only when the try should have ended before", function()
      local function late() end -- the clock's thread comes first
      local sockets = { { connect = takes(2.5, "timeout") }, WAITS }
      local _, ok, cause = run("api.test", sockets, 5, late)
      assert.same({ nil, "timeout" }, { ok, cause })
      _, ok, cause = run("api.test", { WAITS }, 0.1, late)
      assert.same({ nil, "timeout" }, { ok, cause })
    end)

    it("is not connected when one raised", function()
      local raises = { connect = function() error("raised", 0) end }
      local _, ok, cause = run("api.test", { raises })
      assert.same({ nil, "raised" }, { ok, cause })
      _, ok, cause = run("api.test", { { connect = function()
        coroutine.yield()
        error("raised later", 0)
      end } })
      assert.same({ nil, "raised later" }, { ok, cause })
      local record
      record, ok, cause = run("api.test", { WAITS }, 5, function()
        error("no sleep", 0)
      end)
      assert.same({ nil, "no sleep" }, { ok, cause })
      assert.same({ "suspended" }, record.killed)
    end)
  end)
end)
