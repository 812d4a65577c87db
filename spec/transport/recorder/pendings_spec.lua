local pusher = require "pusher"
local recorded = require "spec.helpers.recorded"
local recorder = require "pusher.transport.recorder"

local function request()
  return { method = "GET", scheme = "http", host = "h", port = 80, target = "/", headers = {} }
end

describe("transport.recorder with pendings", function()
  local transport, client

  local function make(options, given)
    options = options or {}
    options.pendings = true
    transport = recorder.new(options)
    local all = { app_id = "3", key = "k", secret = "s", transport = transport }
    for name, value in pairs(given or {}) do
      all[name] = value
    end
    client = assert(pusher.new(all))
  end

  before_each(function()
    make()
  end)

  it("settles the calls in flight at a step", function()
    local order = {}
    local first = client:trigger("a", "e"):on_done(function(result) order[1] = result end)
    local second = client:channels()
    assert.is_false(first.done)
    assert.equal("pending", select(3, first:result()).code)
    assert.equal("", recorded.channels(transport))
    assert.equal("nil nil", recorded.outcomes(transport))
    assert.equal(0, transport:timeout())
    transport:respond { code = "timeout", path = "/channels" }
    assert.equal(0, transport:step())
    assert.is_nil(transport:timeout())
    assert.same({ {} }, order)
    assert.equal("timeout", select(3, second:result()).code)
    assert.equal("a", recorded.channels(transport))
    assert.equal("200 timeout", recorded.outcomes(transport))
  end)

  it("leaves the calls of callbacks to the next step", function()
    client:trigger("a", "e"):on_done(function()
      client:trigger("b", "e")
    end)
    assert.equal(1, transport:step())
    assert.equal("a", recorded.channels(transport))
    assert.equal(0, transport:step(1))
    assert.equal("a b", recorded.channels(transport))
  end)

  it("may step and wait in a callback", function()
    local second
    client:trigger("a", "e"):on_done(function()
      assert.is_table(second:wait())
    end)
    second = client:trigger("b", "e")
    local third = client:trigger("c", "e")
    assert.equal(0, transport:step())
    assert.is_true(third.done)
    assert.equal("a b c", recorded.channels(transport))
  end)

  it("waits for one call, through all its attempts", function()
    make(nil, { retry = { attempts = 3, base = 3600, max = 3600 } })
    transport:respond { code = "network", times = 2 }
    local call = client:channels()
    assert.equal("pending", select(3, call:wait(0)).code)
    assert.equal("network nil", recorded.outcomes(transport))
    assert.same({ channels = {} }, call:wait())
    assert.equal("network network 200", recorded.outcomes(transport))
    transport:respond { code = "network", times = 3 }
    assert.equal(3, select(3, client:channels():wait()).attempts)
    assert.is_true(transport:step() == 0)
  end)

  it("cancels a call", function()
    local call, other = client:trigger("a", "e"), client:trigger("b", "e")
    assert.is_true(call:cancel())
    assert.equal("closed", select(3, call:result()).code)
    assert.equal(0, transport:step())
    assert.is_table(other:result())
    assert.equal("b", recorded.channels(transport))
    assert.equal(2, #transport:requests())
  end)

  it("makes no further attempt of a call that is cancelled meanwhile", function()
    local call
    make(nil, { retry = { attempts = 3 }, random = function(count)
      call:cancel()
      return ("x"):rep(count)
    end })
    transport:respond { code = "network", times = 3 }
    call = client:channels()
    assert.equal(0, transport:step())
    assert.is_true(select(3, call:result()).cancelled)
    assert.equal(1, #transport:requests())
  end)

  it("returns a pending that is done for a refused call", function()
    local call = client:trigger("a b", "e")
    assert.is_true(call.done)
    assert.equal("invalid", select(3, call:result()).code)
    call = transport:send({ method = "GET" }, function() end)
    assert.equal("invalid", select(3, call:result()).code)
    assert.same({}, transport:requests())
  end)

  it("works below a publisher, by a clock of the test's own", function()
    local now, results = 0, {}
    local publisher = client:publisher { linger = 0.1, now = function() return now end, on_result = function(event)
      results[#results + 1] = event.channel
    end }
    publisher:trigger("a", "e")
    publisher:trigger("b", "e")
    assert.equal(2, publisher:step())
    assert.same({}, transport:requests())
    now = 1
    assert.equal(0, publisher:step())
    assert.equal("a b", recorded.channels(transport))
    assert.same({ "a", "b" }, results)
    assert.is_nil(publisher:pollfd())
    assert.is_nil(publisher:events())
  end)

  it("logs what a callback and a parser raise", function()
    local logged = {}
    make { log = function(_, message) logged[#logged + 1] = message end }
    client:trigger("a", "e"):on_done(function() error("oh", 0) end)
    local call = transport:send(request(), function() error("no", 0) end)
    assert.equal(0, transport:step())
    assert.same({ "on_done raised: oh", "a function of the call raised: no" }, logged)
    assert.equal("response", select(3, call:result()).code)
  end)

  it("ends with the calls in flight", function()
    local call, again = client:trigger("a", "e"), nil
    call:on_done(function()
      again = client:trigger("b", "e")
    end)
    transport:close()
    assert.same({ code = "closed", retryable = false }, select(3, call:result()))
    assert.same({ code = "closed", retryable = false, sent = false }, select(3, again:result()))
    assert.equal("closed", select(3, transport:step()).code)
    assert.is_nil(transport:timeout())
    transport:close()
  end)

  it("checks the seconds of a step", function()
    assert.has_error(function() transport:step("1") end, "bad argument #1 to 'step' (number or nil expected, got string)")
    assert.equal("invalid", select(3, transport:step(-1)).code)
  end)
end)
