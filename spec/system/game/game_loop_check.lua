-- The example of a game's loop, run as a program while the server hangs.

local cqueues = require "cqueues"
local local_server = require "tools.local_server"
local program = require "spec.system.hosts.program"
local time_scale = require "spec.helpers.time_scale"

-- A tick that waits for the network or computes for long is far above this; the garbage collector's work is below.
local LONGEST_TICK_MS = 10 * time_scale

describe("the example", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function data_of(channel)
    local list = {}
    for _, event in ipairs(server:events { limit = 100000 }) do
      if event.channel == channel then
        list[#list + 1] = event.data
      end
    end
    return list
  end

  it("game_loop has no long tick while the server hangs for three of ten seconds", function()
    local started = program.start(server, "5.4", "lua5.4 spec/system/game/watch_ticks.lua examples/game_loop.lua 10")
    cqueues.poll(3)
    os.execute("kill -STOP " .. server.pid)
    cqueues.poll(3)
    os.execute("kill -CONT " .. server.pid)
    local output = program.finish(started)
    io.stdout:write("game_loop: ", output)
    local sent, ticks, longest_ms = output:match("^(%d+) events sent in %d+ calls\n(%d+) ticks, the longest ([%d.]+) ms")
    assert.same({ "5000", "600" }, { sent, ticks })
    assert.is_true(tonumber(longest_ms) <= LONGEST_TICK_MS, output)
    for zone = 0, 49 do
      local last = 0
      for _, text in ipairs(data_of("zone-" .. zone)) do
        local number = tonumber(text:match('"number":(%d+)'))
        assert.is_true(number > last)
        last = number
      end
      assert.is_true(last > 4950)
    end
  end)
end)
