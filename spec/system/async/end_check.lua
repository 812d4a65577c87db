-- The end of a Lua state, of a process and of a forked child while the network's thread works: nothing crashes, nothing
-- hangs. The programs are run as a user runs them, with the modules that `make build` made.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local time_scale = require "spec.helpers.time_scale"

local ROUNDS = 200
local HANGS = 20 * time_scale -- seconds after which a program hangs

describe("with calls in flight over the async transport,", function()
  local server, arguments

  setup(function()
    server = local_server.start()
    arguments = ("%s %d %d %d %s"):format(server.host, server.port, server.tls_port, server.silent_port, server.ca_file)
  end)

  teardown(function()
    server:stop()
  end)

  local function run(command)
    local program = assert(io.popen(("timeout -s KILL %g %s 2>&1; echo status $?"):format(HANGS, command)))
    local text = program:read("*a")
    program:close()
    return text
  end

  it("a host closes its Lua state and goes on, again and again", function()
    local host = os.getenv("PUSHER_BUILD") .. "/host"
    assert.equal("1 threads, 0 failed\nstatus 0\n",
      run(("%s spec/system/async/close_state.lua 1x%d %s"):format(host, ROUNDS, arguments)))
  end)

  for _, how in ipairs { "exit", "close", "child", "return" } do
    it("a program ends: " .. how, function()
      local longest = 0
      for round = 1, ROUNDS do
        local start = core.now()
        local text = run(("%s spec/system/async/exit.lua %s %d %s"):format(
          os.getenv("PUSHER_LUA"), how, round % 40, arguments))
        assert.equal("status 0\n", text)
        longest = math.max(longest, core.now() - start)
      end
      print(("%s: the longest of %d took %.0f ms"):format(how, ROUNDS, longest * 1000))
    end)
  end

  it("a look-up that hangs holds nothing up, and leaves nothing", function()
    assert.equal("good\n", calls.run_preloaded("slow_resolver", "spec/system/async/slow_close.lua"))
  end)

  it("a thread that is stuck inside libcurl delays a fork by 0.5 s and the end by 1 s at most", function()
    local start = core.now()
    assert.equal("good\n",
      calls.run_preloaded("faults", "spec/helpers/faults_fork.lua", server.host, server.port, "long"))
    assert.is_true(core.now() - start < 3.5 * time_scale) -- it is stuck for 4, scaled
  end)
end)
