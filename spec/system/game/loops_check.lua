-- The examples that drive a publisher from a loop, run as programs on every Lua.

local cqueues = require "cqueues"
local local_server = require "tools.local_server"
local time_scale = require "spec.helpers.time_scale"

local ALL_LUAS = { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "luajit" }
local LUAS = {
  luv_loop = ALL_LUAS, cqueues_loop = ALL_LUAS,
  copas_loop = { "lua5.1", "lua5.2", "luajit" }, -- Debian has Copas for no other
}
-- A loop that does not watch the descriptor never ends.
local LOOP_SECONDS = 20 * time_scale

-- A tick that waits for the network or computes for long is far above this; the garbage collector's work is below.
local LONGEST_TICK_MS = 10 * time_scale

describe("the loop of", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function start(lua, command)
    local build = lua == "luajit" and "jit" or lua:sub(4)
    return assert(io.popen(("env -u LUA_INIT LUA_PATH='./lua/?.lua;./?.lua;;' LUA_CPATH='./build/%s/?.so;;' "
      .. "PUSHER_URL='http://%s:%s@%s:%d/apps/%s' timeout %d %s %s 2>&1; echo status $?"):format(
      build, server.key, server.secret, server.host, server.port, server.app_id, LOOP_SECONDS, lua, command)))
  end

  local function finish(program)
    local output = program:read("*a")
    program:close()
    assert.is_truthy(output:find("status 0\n", 1, true), output)
    return output
  end

  local function data_of(channel)
    local list = {}
    for _, event in ipairs(server:events { limit = 100000 }) do
      if event.channel == channel then
        list[#list + 1] = event.data
      end
    end
    return list
  end

  for _, example in ipairs { "luv_loop", "cqueues_loop", "copas_loop" } do
    for _, lua in ipairs(LUAS[example]) do
      it(("%s sends its events in order, on %s"):format(example, lua), function()
        local output = finish(start(lua, ("examples/%s.lua 40"):format(example)))
        assert.is_truthy(output:find("^40 events sent in %d+ calls\n"), output)
        local data = data_of("my-channel")
        assert.equal(40, #data)
        for index, text in ipairs(data) do
          assert.equal(('{"left":%d}'):format(41 - index), text)
        end
      end)
    end
  end

  it("game_loop has no long tick while the server hangs for three of ten seconds", function()
    local program = start("lua5.4", "spec/system/game/watch_ticks.lua examples/game_loop.lua 10")
    cqueues.poll(3)
    os.execute("kill -STOP " .. server.pid)
    cqueues.poll(3)
    os.execute("kill -CONT " .. server.pid)
    local output = finish(program)
    io.stdout:write("game_loop: ", (output:gsub("\nstatus.*", "\n")))
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
