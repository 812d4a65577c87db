-- Calls of the async transport that are made again: the pending stays the same, and the wait blocks nothing.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local LONG = 600 -- seconds

describe("a call that is repeated over the async transport", function()
  local server, transport

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    calls.await_threads()
    server:reset()
    transport = calls.transport(server)
  end)

  after_each(function()
    transport:close()
  end)

  -- Attempts that wait `seconds` after each failure but the last one.
  local function attempts(max, seconds, path)
    local made = { made = 0, failures = {} }
    function made.request()
      made.made = made.made + 1
      return calls.request(server, path or "none")
    end
    function made.delay(_, details)
      made.failures[#made.failures + 1] = details.code
      details.attempts = made.made
      return made.made < max and details.retryable and seconds or nil
    end
    return made
  end

  local function parse(status)
    if status == 200 then
      return "done"
    end
    return errors.fail("server", "status " .. status)
  end

  local function send(made)
    return transport:send(made:request(), parse, made)
  end

  -- One that failed and waits.
  local function waiting(seconds)
    local made = attempts(2, seconds or LONG)
    server:misbehave { mode = "status", status = 503, times = 1 }
    local call = send(made)
    calls.eventually(calls.WAIT, "it does not fail", function()
      transport:step(0.01)
      return made.failures[1]
    end)
    return call, made
  end

  it("ends with the result of a later attempt", function()
    local made = attempts(5, 0.001)
    server:misbehave { mode = "status", status = 503, times = 2 }
    server:misbehave { mode = "cut", times = 1 }
    local call, seen = send(made), nil
    call:on_done(function(result) seen = result end)
    assert.equal("done", call:wait())
    assert.equal("done", seen)
    assert.same({ 4, { "server", "server", "network" } }, { made.made, made.failures })
    assert.equal(0, transport:step())
  end)

  it("ends with the failure of the last attempt", function()
    server:misbehave { mode = "status", status = 503 }
    local call = send(attempts(3, 0.001))
    local result, message, details = call:wait()
    assert.same({ nil, "status 503", 3 }, { result, message, details.attempts })
    assert.equal(3, server:inspect().requests)
  end)

  it("is counted while it waits, and blocks no step", function()
    local call = waiting()
    local start = process.thread_cpu()
    assert.equal(1, transport:step())
    assert.is_true(process.thread_cpu() - start < 0.05)
    assert.is_false(call.done)
    assert.equal("pending", calls.code(call))
    assert.is_true(transport:timeout() > LONG - 100 and transport:timeout() <= LONG)
  end)

  it("is made by the step after its time, and not before", function()
    local call, made = waiting(0.2)
    local due = core.now() + transport:timeout()
    while made.made == 1 do
      transport:step(LONG)
    end
    assert.is_true(core.now() >= due - 0.01)
    assert.is_nil(transport:timeout())
    assert.equal("done", call:wait())
  end)

  it("can be waited for, for some time", function()
    local call = waiting()
    local start = core.now()
    assert.is_nil((call:wait(0.05)))
    assert.is_true(core.now() - start >= 0.04)
    assert.equal("pending", calls.code(call))
  end)

  it("lets other calls pass", function()
    local call = waiting()
    assert.equal(200, calls.send(transport, server, "none"):wait())
    assert.is_false(call.done)
  end)

  it("can be cancelled while it waits", function()
    local call, made = waiting()
    local other = waiting(0)
    assert.is_true(call:cancel())
    assert.is_false(call:cancel())
    assert.equal("closed", calls.code(call))
    assert.equal("done", other:wait())
    assert.equal(0, transport:step())
    assert.is_nil(transport:timeout())
    assert.equal(1, made.made)
  end)

  it("ends when the transport is closed while it waits", function()
    local call, other, seen = waiting(), waiting(), nil
    call:on_done(function(_, _, details) seen = details.code end)
    transport:close()
    assert.same({ "closed", "closed", "closed" }, { seen, calls.code(call), calls.code(other) })
  end)

  it("can be waited for by a callback that close runs", function()
    local call, first = waiting(), calls.send(transport, server, "hang")
    local seen
    first:on_done(function()
      seen = select(3, call:wait()).code
    end)
    transport:close()
    assert.equal("closed", seen)
  end)

  it("keeps its place among max_pending calls", function()
    transport:close()
    transport = calls.transport(server, { max_pending = 1 })
    local call = waiting(0.05)
    assert.equal("full", calls.code(calls.send(transport, server, "none")))
    assert.equal("done", call:wait())
    assert.equal(200, calls.send(transport, server, "none"):wait())
  end)

  it("is not repeated when the transport has no place for it", function()
    transport:close()
    transport = calls.transport(server, { max_pending = 1 })
    calls.send(transport, server, "hang")
    local made = attempts(3, 0)
    assert.equal("full", calls.code(send(made)))
    assert.same({}, made.failures)
  end)

  it("ends with the failure of making its next request", function()
    for _, request in ipairs {
      function() return errors.fail("closed", "the client is closed") end,
      function() error("the clock raised") end,
    } do
      local logged
      transport:close()
      transport = calls.transport(server, { log = function(_, message) logged = message end })
      local call, made = waiting(0)
      made.request = request
      calls.drain(transport, calls.WAIT)
      local _, message, details = call:result()
      assert.equal(logged and "server" or "closed", details.code)
      assert.equal(logged and "status 503" or "the client is closed", message)
    end
  end)

  it("ends with its failure when the wait cannot be reckoned", function()
    transport:close()
    local logged
    transport = calls.transport(server, { log = function(_, message) logged = message end })
    local made = attempts(3, 0)
    function made.delay() error("random raised") end
    server:misbehave { mode = "status", status = 503, times = 1 }
    local call = send(made)
    assert.equal("status 503", select(2, call:wait()))
    assert.truthy(logged:find("random raised", 1, true))
  end)

  it("may be cancelled, and the transport closed, by what makes its next request", function()
    local call, made = waiting(0)
    function made.request()
      call:cancel()
      return calls.request(server, "none")
    end
    calls.drain(transport, calls.WAIT)
    assert.is_true(select(3, call:result()).cancelled)
    call, made = waiting(0)
    function made.request()
      transport:close()
      return calls.request(server, "none")
    end
    while not call.done do
      transport:step(0.01)
    end
    assert.equal("closed", calls.code(call))
  end)

  it("is left to the parent by a fork", function()
    local call, other = waiting(), waiting()
    assert.equal(0, process.run(function()
      assert(transport:step() == 0 and transport:timeout() == nil)
      assert(calls.code(call) == "closed" and calls.code(other) == "closed")
      assert(calls.send(transport, server, "none"):wait(calls.WAIT) == 200)
    end, calls.CHILD))
    assert.is_false(call.done)
    assert.is_true(call:cancel() and other:cancel())
  end)

  it("is made by one of several steps when many are due at once", function()
    local COUNT = 500
    local due, started, list, most = core.now() + 0.5 * time_scale, 0, {}, 0
    server:misbehave { mode = "status", status = 503, times = COUNT }
    for index = 1, COUNT do
      local made = attempts(10)
      local request = made.request
      function made.request()
        started = started + 1
        return request()
      end
      function made.delay()
        return math.max(0, due - core.now())
      end
      list[index] = send(made)
    end
    repeat
      local before = started
      transport:step(0.01)
      most = math.max(most, started - before)
    until transport:step() == 0
    for _, call in ipairs(list) do
      assert.equal("done", call:result())
    end
    assert.is_true(most >= 1 and most < COUNT / 2, most)
  end)

  describe("by a client", function()
    local function client(given)
      return assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret, host = server.host,
        port = server.port, secure = false, transport = transport, retry = given or { attempts = 4, base = 0, max = 0 } })
    end

    it("is signed afresh, and waits as the server asks", function()
      local clock = 0
      local own = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret,
        host = server.host, port = server.port, secure = false, transport = transport,
        retry = { attempts = 2, base = 0, max = 0 }, clock = function()
          clock = clock + 1
          return os.time() + clock
        end })
      server:misbehave { mode = "status", status = 429, retry_after = 1, times = 1 }
      local call = own:trigger("a", "e", "x")
      calls.eventually(calls.WAIT, "it does not wait", function()
        transport:step(0.01)
        return transport:timeout()
      end)
      assert.is_true(transport:timeout() > 0.5)
      assert.truthy(call:wait())
      local requests = server:requests()
      assert.not_equal(requests[1].target, requests[2].target)
      assert.equal(requests[1].body, requests[2].body)
    end)

    it("ends as closed with the client", function()
      server:misbehave { mode = "status", status = 503 }
      local own = client { attempts = 1000, base = 0, max = 0 }
      local call = own:channels()
      transport:step(0.05)
      own:close()
      assert.equal("closed", select(3, call:wait()).code)
    end)

    it("is refused at once when it cannot be made", function()
      local call = client():trigger("a b", "e", "x")
      assert.is_true(call.done)
      assert.is_nil(select(3, call:result()).attempts)
    end)
  end)
end)
