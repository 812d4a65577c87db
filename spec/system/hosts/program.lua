--- Programs that use the library, which a check runs beside a local Channels server.

local cqueues = require "cqueues"
local local_server = require "tools.local_server"
local shell = require "tools.shell"

local program = {}

local MAX_SECONDS = 60 -- a program that still runs hangs
local WAIT_SECONDS = 30

--- Makes an empty folder for a test; `program.remove` removes it.
function program.folder()
  return shell.output_of("mktemp -d -t pusher-hosts.XXXXXX")
end

function program.remove(folder)
  os.execute("rm -rf '" .. folder .. "'")
end

--- What the checks of a block have beside them: a local Channels server, reset before each, and a folder.
-- @tparam function setup of busted, as the next two
-- @treturn table whose `server` and `folder` are there once a check runs; `events(...)` lists the server's events, each as
--   the text of these fields
function program.beside(setup, teardown, before_each)
  local beside = {}
  setup(function()
    beside.server, beside.folder = local_server.start(), program.folder()
  end)
  teardown(function()
    program.remove(beside.folder)
    beside.server:stop()
  end)
  before_each(function()
    beside.server:reset()
  end)
  function beside.events(...)
    local list = {}
    for index, event in ipairs(beside.server:events {}) do
      local fields = { ... }
      for place, name in ipairs(fields) do
        fields[place] = event[name]
      end
      list[index] = table.concat(fields, " ")
    end
    return list
  end
  return beside
end

--- Starts a program with the library in its search paths, the environment of the examples, and a time limit.
-- @tparam table server a local Channels server
-- @tparam string build the name of the build tree: "5.1", …, "jit"
-- @tparam string command
-- @treturn table for program.finish or program.watch
function program.start(server, build, command)
  local pipe = assert(io.popen(([[
    exec 2>&1
    root='%s'
    export LUA_PATH="$root/lua/?.lua;$root/?.lua;;" LUA_CPATH="$root/build/%s/?.so;;" PUSHER_URL='%s'
    env -u LUA_INIT timeout -k 5 %d %s &
    echo $!
    wait $!
    echo status $?]]):format(shell.output_of("pwd"), build, server:url(), MAX_SECONDS, command)))
  return { pipe = pipe, pid = pipe:read("*n", "*l") }
end

--- Waits for the end of a program.
-- @treturn string what it wrote; raises unless its status is 0
function program.finish(started)
  local output = started.pipe:read("*a")
  started.pipe:close()
  local text, status = output:match("^\n?(.-)status (%d+)\n$")
  assert(status == "0", output)
  return text
end

--- Waits until `condition()` holds; raises when it does not in time.
function program.wait_for(condition)
  local deadline = cqueues.monotime() + WAIT_SECONDS
  while true do
    local ok, result = pcall(condition)
    if ok and result then
      return
    elseif cqueues.monotime() > deadline then
      error("it does not happen: " .. tostring(result), 2)
    end
    cqueues.poll(0.01)
  end
end

-- Ends a program that does not end by itself, and returns what it wrote.
local function stop(started)
  os.execute("kill -TERM " .. started.pid .. " 2>/dev/null")
  local output = started.pipe:read("*a")
  started.pipe:close()
  return output
end

--- Runs `body` beside a program, and ends the program then. What `body` raises has what the program wrote.
function program.watch(started, body)
  local ok, message = pcall(body)
  local output = stop(started)
  assert(ok, tostring(message) .. "\n" .. output)
end

return program
