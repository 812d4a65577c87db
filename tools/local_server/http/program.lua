--- What every local test server shares as a program: a handshake line on its output, commands over a FIFO, and an end
-- when its parent, the watcher, ends.
--
-- The launcher (tools/local_server.lua) reads the first line, JSON with `pid` and `control`, then writes one JSON line
-- per command to the FIFO and reads one JSON line back: `{"result": …}` or `{"error": "…"}`.

local cqueues = require "cqueues"
local cjson = require "cjson"
local signal = require "cqueues.signal"
local posix = require "tools.local_server.http.posix"

local program = {}

-- How often a program checks that its parent is still running, in seconds.
local PARENT_CHECK = 0.5

local files_to_remove = {}
local directory

--- The private directory of this run; made at the first call.
function program.directory()
  directory = directory or posix.temporary_directory("pusher-test")
  return directory
end

--- Writes a file into the private directory; it is removed with the program.
-- @treturn string its path
function program.write_file(name, text)
  local path = program.directory() .. "/" .. name
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  files_to_remove[#files_to_remove + 1] = path
  return path
end

--- Ends the program and removes what it left on disk.
function program.exit(status)
  for _, path in ipairs(files_to_remove) do
    os.remove(path)
  end
  if directory then
    os.remove(directory)
  end
  os.exit(status or 0)
end

--- Runs one command from a table of handlers.
-- @treturn string the reply as JSON text
function program.execute(handlers, command, arguments)
  local handler = handlers[command]
  if not handler then
    return cjson.encode { error = "unknown command " .. tostring(command) }
  end
  local ok, result = pcall(handler, arguments or {})
  if ok then
    ok, result = pcall(cjson.encode, { result = result == nil and true or result })
  end
  return ok and result or cjson.encode { error = tostring(result) }
end

local function execute_line(handlers, line)
  local ok, message = pcall(cjson.decode, line)
  if not ok or type(message) ~= "table" then
    return cjson.encode { error = "a command is a JSON object" }
  end
  return program.execute(handlers, message.command, message.arguments)
end

local function read_commands(fifo, handlers)
  local waiting = ""
  while true do
    -- Not ready before the launcher opened its end: until then a read gives "".
    cqueues.poll(fifo)
    local bytes = fifo.read()
    if bytes == "" then
      return program.exit(0) -- the launcher closed its end, or died
    elseif bytes then
      waiting = waiting .. bytes
      local line, rest = waiting:match("^([^\n]*)\n(.*)$")
      while line do
        waiting = rest
        io.stdout:write(execute_line(handlers, line), "\n")
        io.stdout:flush()
        line, rest = waiting:match("^([^\n]*)\n(.*)$")
      end
    end
  end
end

local function follow_parent()
  local parent = posix.parent_pid()
  while posix.parent_pid() == parent do
    cqueues.sleep(PARENT_CHECK)
  end
  program.exit(0)
end

-- A program that was started by hand is ended by a signal.
local function end_on_signal()
  signal.listen(signal.SIGTERM, signal.SIGINT):wait()
  program.exit(0)
end

--- Prints the handshake and starts to execute commands. A program that was started by hand (`detached`) prints the line as
-- well, but lives until it is killed.
-- @param cq the cqueues controller
-- @tparam table handlers command name -> function(arguments) -> result
-- @tparam table hello the members of the first line
-- @tparam[opt] boolean detached
function program.start(cq, handlers, hello, detached)
  hello.pid = posix.pid()
  if not detached then
    hello.control = program.directory() .. "/control"
    local fifo = posix.open_fifo(hello.control)
    files_to_remove[#files_to_remove + 1] = hello.control
    cq:wrap(read_commands, fifo, handlers)
    cq:wrap(follow_parent)
  end
  signal.block(signal.SIGTERM, signal.SIGINT)
  cq:wrap(end_on_signal)
  io.stdout:write(cjson.encode(hello), "\n")
  io.stdout:flush()
end

-- cqueues raises this in lua-http when a client has left while many of its HTTP/2 streams were open.
local CLIENT_LEFT = "exceeded unchecked error limit"

--- Runs the controller for ever; an error in a coroutine is written to stderr.
function program.loop(cq)
  while true do
    local ok, message = cq:loop()
    if ok then
      return program.exit(0)
    end
    if not tostring(message):find(CLIENT_LEFT, 1, true) then
      io.stderr:write("local server: ", tostring(message), "\n")
    end
  end
end

--- Runs a whole program: `main(cq, options)` sets it up and calls `start`; the options are the first argument of the
-- command line, JSON. A failure before the loop is the only line of output, so that the launcher can report it.
function program.run(main)
  local cq = cqueues.new()
  local ok, failure = pcall(function()
    main(cq, cjson.decode(arg[1] or "{}"))
  end)
  if not ok then
    print(failure)
    program.exit(1)
  end
  program.loop(cq)
end

return program
