-- Forks while the network's thread works. spec/system/async/fork_check.lua does more of them.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local forks = require "spec.helpers.forks"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"
local pusher = require "pusher"

describe("a fork with calls in flight over the async transport", function()
  local server, transport

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    calls.await_threads()
    transport = calls.transport(server)
  end)

  after_each(function()
    transport:close()
  end)

  local function send(path)
    return calls.send(transport, server, path)
  end

  for _, listener in ipairs { "http", "https" } do
    it("leaves them to the parent: kept connections, " .. listener, function()
      forks.run(server, listener, {}, 20)
    end)

    it("leaves them to the parent: a handshake for each call, " .. listener, function()
      forks.run(server, listener, { keepalive = { pool_size = 0 } }, 20)
    end)
  end

  it("lets the parent alone observe them", function()
    local seen = {}
    local client = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret,
      host = server.host, port = server.port, secure = false, transport = transport, observe = function(call)
        seen[#seen + 1] = call.code or call.status
      end })
    local call, cancelled = client:trigger("forks", "observed", 1), client:trigger("forks", "cancelled", 2)
    assert.equal(0, process.run(function()
      assert(cancelled:cancel() and transport:step() == 0)
      assert(calls.code(call) == "closed" and #seen == 0)
      assert(client:trigger("forks", "child", 3):wait(2 * calls.WAIT) and seen[1] == 200)
    end, calls.CHILD))
    assert(call:wait(2 * calls.WAIT) and cancelled:wait(2 * calls.WAIT))
    assert.same({ 200, 200 }, seen)
  end)

  it("waits until the thread has left libcurl, whose locks the child inherits", function()
    assert.equal("good\n", calls.run_preloaded("faults", "spec/helpers/faults_fork.lua", server.host, server.port,
      "short"))
  end)

  it("may be followed by another one in the child", function()
    local call = send("delay?ms=50")
    transport:step()
    assert.equal(0, process.run(function()
      -- Its thread runs: AddressSanitizer does not survive a fork while a thread starts.
      assert(send("none"):wait(2 * calls.WAIT) == 200)
      local own = send("delay?ms=20")
      assert(process.run(function()
        transport:step()
        assert(calls.code(call) == "closed" and calls.code(own) == "closed")
        assert(send("none"):wait(2 * calls.WAIT) == 200)
      end, calls.CHILD) == 0)
      assert(own:wait(2 * calls.WAIT) == 200)
      assert(calls.code(call) == "closed")
    end, calls.CHILD))
    assert.equal(200, call:wait(2 * calls.WAIT))
  end)

  -- All calls have ended when the step begins, and the clock stands still, so that the step goes on after the fork.
  it("may happen in a callback: the outcomes that are left are the parent's", function()
    local now = core.now
    finally(function() core.now = now end)
    server:reset()
    local results, pid, fd, child = 0, nil, nil, false
    for _ = 1, 10 do
      send("none"):on_done(function(status)
        results = results + (status and 1 or 0)
        if results == 5 and not child then
          pid, fd = process.fork(calls.CHILD)
          child = not pid
        end
      end)
    end
    assert.is_true(process.poll(transport:pollfd(), calls.WAIT))
    server:wait { responses = 10, timeout = calls.WAIT }
    core.now = function() return 0 end
    local running
    repeat running = transport:step() until child or running == 0
    if child then
      local ok = pcall(function()
        core.now = now
        assert(transport:step() == 0 and results == 5)
        assert(send("none"):wait(2 * calls.WAIT) == 200)
      end)
      process.leave(ok)
    end
    assert.equal(0, process.wait(pid, fd))
    assert.equal(10, results)
  end)

  it("leaves the calls of many transports to the parent", function()
    local list = {}
    for index = 1, 20 do
      list[index] = calls.transport(server)
      calls.send(list[index], server, "none", calls.over(server, "https"))
    end
    local status = process.run(function()
      for _, one in ipairs(list) do
        assert(one:step() == 0)
        one:close()
      end
    end, calls.CHILD)
    for _, one in ipairs(list) do
      calls.drain(one, 10)
      one:close()
    end
    assert.equal(0, status)
  end)
end)
