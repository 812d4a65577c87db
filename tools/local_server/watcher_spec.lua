-- A local server ends with its starter, and leaves no file, whatever state the two are in.

local time_scale = tonumber(os.getenv("PUSHER_TIME_SCALE")) or 1
local SECONDS = 5 * time_scale -- for a server to end: the watcher looks every half second, and gives it a second

-- A program that never prints a handshake, and computes for ever.
local SPINS = [[
local posix = require "tools.local_server.http.posix"
local file = io.open(os.getenv "TMPDIR" .. "/left", "w")
file:close()
io.stderr:write(("%d\n"):format(posix.pid()))
while true do
end
]]

local STARTER = [[
package.path = "./?.lua;" .. package.path
local server = require("tools.local_server").start { program = %s }
io.stderr:write(("%%d\n"):format(server.pid))
%s
io.read()
]]

describe("the watcher of a local server", function()
  local folder, starters

  local function output_of(command)
    local pipe = assert(io.popen(command))
    local text = pipe:read("*a")
    pipe:close()
    return text
  end

  local function write(name, text)
    local file = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
    file:close()
    return folder .. "/" .. name
  end

  local function succeeds(command)
    local ok = os.execute(command .. " 2>/dev/null")
    return ok == true or ok == 0
  end

  local function succeeds_in_time(script)
    return succeeds(("timeout %d sh -c '%s'"):format(SECONDS, script))
  end

  before_each(function()
    folder = output_of("mktemp -d -t pusher-spec.XXXXXX"):match("%S+")
    os.execute("mkdir " .. folder .. "/tmp")
    starters = {}
  end)

  after_each(function()
    for _, starter in ipairs(starters) do
      os.execute(("kill -KILL %d %s 2>/dev/null"):format(starter.pid, starter.child or ""))
      starter.pipe:close()
    end
    os.execute("rm -rf " .. folder)
  end)

  -- Starts a program that starts a server; returns their ids as `starter.pid` and `starter.server`.
  local function start(program, rest)
    local script = write("starter.lua", STARTER:format(program and ("%q"):format(program) or "nil", rest or ""))
    -- Its input never ends.
    local pipe = assert(io.popen(("echo $$; exec env TMPDIR=%s/tmp %s %s 2>&1 </dev/zero"):format(
      folder, os.getenv("PUSHER_LUA") or "luajit", script)))
    local starter = { pipe = pipe, pid = pipe:read("*n") }
    starters[#starters + 1] = starter
    starter.server = assert(pipe:read("*n"), "the server did not start")
    return starter
  end

  local function signal(name, pid)
    assert.is_true(succeeds(("kill -%s %d"):format(name, pid)))
  end

  local function ends_and_leaves_nothing(pid)
    local ended = succeeds_in_time(("while kill -0 %d; do sleep 0.01; done"):format(pid))
    if not ended then
      signal("KILL", pid)
    end
    assert.is_true(ended, "the server still runs")
    assert.is_true(succeeds_in_time("until rmdir " .. folder .. "/tmp; do sleep 0.01; done"), "files are left")
  end

  local function is_running(pid)
    return succeeds(("kill -0 %d"):format(pid))
  end

  it("ends it when the starter is killed", function()
    local starter = start()
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("ends it when the starter is stopped, and killed then", function()
    local starter = start()
    signal("STOP", starter.pid)
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("ends it when another child of the starter keeps the pipes open", function()
    local starter = start(nil, 'os.execute("sleep 1000 & echo $! >&2")')
    starter.child = starter.pipe:read("*n")
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("ends one that is stopped", function()
    local starter = start()
    signal("STOP", starter.server)
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("ends one that computes for ever, before the handshake", function()
    local program = write("spins.lua", 'package.path = "./?.lua;" .. package.path\n' .. SPINS)
    local starter = start(program)
    assert.is_true(is_running(starter.server))
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("removes the files of one that is killed", function()
    local starter = start()
    signal("KILL", starter.server)
    ends_and_leaves_nothing(starter.server)
  end)

  it("ignores a terminal's signals, which the starter gets as well", function()
    local starter = start()
    local watcher = output_of(("cat /proc/%d/stat"):format(starter.server)):match("%) %a (%d+)")
    for _, name in ipairs { "INT", "TERM", "HUP", "QUIT" } do
      signal(name, watcher)
    end
    assert.is_true(is_running(starter.server))
    signal("KILL", starter.pid)
    ends_and_leaves_nothing(starter.server)
  end)

  it("starts nothing for a starter that has ended already", function()
    local status = output_of(("TMPDIR=%s/tmp luajit tools/local_server/watcher.lua 1 touch %s/made </dev/null; echo $?"):format(
      folder, folder))
    assert.equal("1\n", status)
    assert.is_nil(io.open(folder .. "/made"))
    assert.is_true(succeeds("rmdir " .. folder .. "/tmp"))
  end)
end)
