--- Starts a local server as a process of its own, from any Lua.
--
-- Plain `io.popen` and a FIFO, so that nothing under test is needed to run it: the server prints one line of JSON when
-- it listens (the handshake), then takes one command per line of JSON. It ends with `stop()`, or when the process that
-- started it has ended, whatever state either is in: see watcher.lua. See tools/local_server/README.md.

local cjson = require "cjson"

local server = {}
local methods = {}
local metatable = { __index = methods }

local folder = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") or "tools/local_server"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The id of this process, on Linux; else 0.
local function own_pid()
  local file = io.open("/proc/self/stat")
  local pid = file and file:read("*n") or 0
  if file then
    file:close()
  end
  return pid
end

-- A clean environment: LUA_PATH, LD_PRELOAD and the like belong to the test.
local function command_line(interpreter, program, options)
  local luajit = os.getenv("PUSHER_TEST_LUAJIT") or "luajit"
  return ('exec env -i PATH="$PATH" TMPDIR="${TMPDIR:-/tmp}" %s %s %d %s %s %s </dev/null'):format(quote(luajit),
    quote(folder .. "/watcher.lua"), own_pid(), quote(interpreter or luajit), quote(program), quote(cjson.encode(options)))
end

-- cjson decodes every number as a float on 5.3+: a port must not read 8080.0.
local function integers(value)
  if type(value) == "number" and value == math.floor(value) then
    return math.floor(value)
  elseif type(value) == "table" then
    for name, member in pairs(value) do
      value[name] = integers(member)
    end
  end
  return value
end

--- Starts a server and waits until it listens.
-- @tparam[opt] table options passed to the server unchanged (README.md has the list), except `program`: the path of
--   another program that starts with `tools.local_server.http.program` (default: the Channels server), and
--   `interpreter` for one that is not Lua
-- @treturn table the members of the handshake (`host`, `port`, `tls_port`, `app_id`, `key`, `secret`, `ca_file`, `pid`,
--   …) with the methods below
function server.start(options)
  local settings = {}
  for name, value in pairs(options or {}) do
    settings[name] = value
  end
  local program = settings.program or folder .. "/channels/main.lua"
  local interpreter = settings.interpreter
  settings.program, settings.interpreter = nil, nil
  local pipe = assert(io.popen(command_line(interpreter, program, settings), "r"))
  local line = pipe:read("*l")
  local ok, self = pcall(cjson.decode, line or "")
  if not ok or type(self) ~= "table" then
    pipe:close()
    error("the local server did not start: " .. tostring(line or "(no output)"), 2)
  end
  integers(self)
  self.pipe = pipe
  self.commands = assert(io.open(self.control, "w"))
  return setmetatable(self, metatable)
end

--- Sends a command and waits for its reply; raises when it was refused.
-- @tparam string command
-- @tparam[opt] table arguments
-- @return what the server replies, decoded
function methods:command(command, arguments)
  local message = { command = command, arguments = arguments and next(arguments) and arguments }
  assert(self.commands, "the server has been stopped")
  self.commands:write(cjson.encode(message), "\n")
  self.commands:flush()
  local line = self.pipe:read("*l")
  if not line then
    error("the local server died during '" .. command .. "'", 2)
  end
  local reply = cjson.decode(line)
  if reply.error then
    error("local server: " .. reply.error, 2)
  end
  return integers(reply.result)
end

--- The URL of its app, as PUSHER_URL has it.
-- @treturn string
function methods:url()
  return ("http://%s:%s@%s:%d/apps/%s"):format(self.key, self.secret, self.host, self.port, self.app_id)
end

--- Ends the server at once (SIGKILL, so connections break as in a crash) and waits until its files are removed. Does
-- nothing the second time.
function methods:stop()
  if not self.commands then
    return
  end
  os.execute(("kill -KILL %d 2>/dev/null"):format(self.pid)) -- it may have ended by itself
  self.commands:close()
  self.commands = nil
  self.pipe:close() -- waits for the watcher
end

-- Every other name is a command of the server: server:inspect(), server:misbehave { … }.
function metatable.__index(self, name)
  local method = methods[name]
  if method == nil and type(name) == "string" and rawget(self, "commands") then
    method = function(_, arguments)
      return methods.command(self, name, arguments)
    end
  end
  return method
end

return server
