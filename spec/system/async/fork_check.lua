-- A thousand forks with calls in flight, and what a fork costs while the thread is busy.

local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local forks = require "spec.helpers.forks"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"
local time_scale = require "spec.helpers.time_scale"

local LONGEST = 1 * time_scale -- seconds; a fork waits for 0.5 at most, and the machine may be busy

describe("forks with calls in flight over the async transport", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function report(longest)
    print(("the longest fork took %.1f ms"):format(longest * 1000))
    assert.is_true(longest < LONGEST)
  end

  for listener, count in pairs { http = 200, https = 200, h2 = 100 } do
    it(("leave them to the parent: %d forks, kept connections, %s"):format(count, listener), function()
      report(forks.run(server, listener, {}, count))
    end)

    it(("leave them to the parent: %d forks, a handshake for each call, %s"):format(count, listener), function()
      report(forks.run(server, listener, { keepalive = { pool_size = 0 } }, count))
    end)
  end

  it("wait while the threads parse the system's authorities", function()
    local longest = 0
    for round = 1, 100 do
      local transport = assert(async.new()) -- without ca_file
      for _ = 1, 4 do
        calls.send(transport, server, "none", calls.over(server, "https"))
      end
      process.poll(-1, round % 10 / 1000)
      local status, seconds = process.run(function() assert(transport:step() == 0) end, calls.CHILD)
      assert.equal(0, status)
      longest = math.max(longest, seconds)
      transport:close()
    end
    report(longest)
  end)
end)
