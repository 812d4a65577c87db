local core = require "pusher.core"
local process = require "pusher_test.process"
local sleep = require "pusher.base.sleep"
local time_scale = require "spec.helpers.time_scale"

describe("pusher.base.sleep", function()
  after_each(function()
    _G.ngx = nil
  end)

  it("blocks outside nginx", function()
    local start = core.now()
    assert.is_true(sleep.wait(0.01))
    assert.is_true(core.now() - start >= 0.01)
  end)

  it("blocks whatever signals the program handles", function()
    process.interrupt(0.002)
    finally(function()
      process.interrupt(0)
    end)
    local start = core.now()
    assert.is_true(sleep.wait(0.05))
    assert.is_true(core.now() - start >= 0.05)
  end)

  it("blocks until Ctrl-C", function()
    local start = core.now()
    -- Not below timeout, which sends a signal twice: to its child and to its group. Lua's second SIGINT ends it.
    local program = assert(io.popen(([[echo $$; exec %s -e 'local sleep = require("pusher.base.sleep")
      print("asleep") io.stdout:flush() sleep.wait(100) print("awake")' 2>&1]]):format(os.getenv("PUSHER_LUA"))))
    finally(function()
      program:close()
    end)
    local pid, handshake = program:read("*l", "*l")
    assert.equal("asleep", handshake)
    os.execute("kill -INT " .. pid)
    assert.truthy(program:read("*a"):find("interrupted!", 1, true))
    assert.is_true(core.now() - start < 30 * time_scale)
  end)

  it("lets nginx run others, where its phase can wait", function()
    local slept
    _G.ngx = { sleep = function(seconds) slept = seconds end }
    assert.is_true(sleep.wait(1000))
    assert.equal(1000, slept)
    _G.ngx = { sleep = function() error("API disabled in the context of log_by_lua*") end }
    assert.is_false(sleep.wait(1000))
  end)
end)
