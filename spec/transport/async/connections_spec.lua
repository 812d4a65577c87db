-- Which connections the network's thread ends: idle ones that have input or an end waiting, and never one in use; and
-- that a connection which hangs stops no other call, and keeps none beyond its deadline.

local calls = require "spec.helpers.calls"
local local_server = require "tools.local_server"

describe("the connections of the async transport", function()
  local server, transport

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    transport = calls.transport(server)
  end)

  after_each(function()
    transport:close()
  end)

  local function send(...)
    return calls.send(transport, server, ...)
  end

  -- libcurl (7.88) does not say that it closed a socket that never got connected; the next one has the same number.
  it("are not ended in use, whatever the earlier sockets with their number were", function()
    local black_hole = { port = server.black_hole_port, timeout = 0.02 }
    assert.equal("timeout", select(3, send("none", black_hole):wait(calls.WAIT)).code)
    assert.equal(200, send("stale?when=reuse"):wait(calls.WAIT))
    local list = { send("trickle?ms=1&bytes=4") } -- on a new connection; its input often waits while others start
    for index = 2, 300 do
      list[index] = send("none")
    end
    for _, call in ipairs(list) do
      assert.equal(200, (call:wait(calls.WAIT)))
    end
  end)

  it("are waited for until each call's own deadline, in whatever order the calls came", function()
    local narrow = calls.transport(server, { keepalive = { pool_size = 1 } })
    local hung, ends = calls.send(narrow, server, "hang", { timeout = 30 }), {}
    for index, timeout in ipairs { 0.3, 30, 0.1, 20, 0.2 } do
      calls.send(narrow, server, "none", { timeout = timeout }):on_done(function(_, _, details)
        ends[#ends + 1] = details.code .. " " .. index
      end)
    end
    calls.eventually(2, "calls are late", function()
      assert(narrow:step(0.05))
      return #ends == 3
    end)
    assert.same({ "timeout 3", "timeout 5", "timeout 1" }, ends)
    assert.equal("pending", calls.code(hung))
    narrow:close()
  end)

  it("are as many as pool_size says, also more than HTTP/2 has streams", function()
    local wide = calls.transport(server, { keepalive = { pool_size = 120 } })
    local before = server:inspect().requests
    for _ = 1, 121 do
      calls.send(wide, server, "hang")
    end
    assert.is_true(server:wait({ requests = before + 120, timeout = calls.WAIT }).reached)
    assert.equal(before + 120, server:inspect().requests)
    wide:close()
  end)

  -- libcurl (7.88) says only with the first response that a connection is one of HTTP/2.
  it("of HTTP/2 are shared before the first response", function()
    local before = server:inspect()
    local over = calls.over(server, "h2")
    local hung = send("hang", over)
    assert.is_true(server:wait({ requests = before.requests + 1 }).reached)
    for _ = 1, 5 do
      assert.equal(200, (send("none", over):wait(calls.WAIT)))
    end
    assert.equal("pending", calls.code(hung))
    assert.equal(1, server:inspect().accepted.h2 - before.accepted.h2)
  end)

  -- libcurl 8 lets calls wait to share a connection until its first transfer has ended, although it is one of HTTP/1.1.
  it("of HTTP/1.1 are not waited for", function()
    local over = calls.over(server, "https")
    local hung, others = send("hang", over), {}
    for index = 1, 5 do
      others[index] = send("none", over)
    end
    for index = 1, 5 do
      assert.equal(200, (others[index]:wait(5)))
    end
    assert.equal("pending", calls.code(hung))
  end)

  -- libcurl (7.88) gives a call the connection of the one that hangs.
  it("of HTTP/1.1 hang alone, where the host speaks HTTP/2 as well", function()
    local mixed = local_server.start { h2_requests = 1 }
    local of_mixed = calls.transport(mixed)
    local over = { scheme = "https", port = mixed.mixed_port }
    local function send_mixed(...)
      return calls.send(of_mixed, mixed, ...)
    end
    assert.equal(200, (send_mixed("none", over):wait(calls.WAIT)))
    local hung = send_mixed("hang", over)
    assert.is_true(mixed:wait({ requests = 2 }).reached)
    for _ = 1, 5 do
      assert.equal(200, (send_mixed("none", over):wait(calls.WAIT)))
    end
    assert.equal(200, (send_mixed("none"):wait(calls.WAIT)))
    assert.equal("pending", calls.code(hung))
    of_mixed:close()
    mixed:stop()
  end)
end)
