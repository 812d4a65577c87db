--- Runs a command as a shell does in a terminal: in a process group of its own, so that Ctrl-C reaches all of it. For
-- specs of programs that run until they are ended.

local terminal = {}
local methods = {}
local metatable = { __index = methods }

-- setsid keeps the process id of the shell. cat ends after two minutes, whatever still runs.
local START = "exec 2>/dev/null; sh -c 'echo $$; TMPDIR=%s exec env -u MAKEFLAGS -u MAKELEVEL setsid %s' 2>&1 </dev/null | timeout 120 cat"

--- @treturn string what a shell command writes to its output
function terminal.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Starts a command; its folder for temporary files is `folder`, empty at first.
-- @tparam string command without quotes
-- @treturn table `{ pid =, folder = }` with the methods below
function terminal.start(command)
  local self = setmetatable({ folder = terminal.output_of("mktemp -d"):match("%S+") }, metatable)
  self.pipe = assert(io.popen(START:format(self.folder, command)))
  self.pid = tonumber(self.pipe:read("*l"))
  return self
end

--- Reads lines until one fits the pattern.
-- @treturn string what the pattern captures, or nil when the output has ended
function methods:find(pattern)
  for line in self.pipe:lines() do
    local found = line:match(pattern)
    if found then
      return found
    end
  end
end

--- Ctrl-C: INT for all processes.
function methods:interrupt()
  os.execute(("kill -INT -%d"):format(self.pid))
end

--- TERM for the command only, not for what it has started.
function methods:terminate()
  os.execute(("kill -TERM %d"):format(self.pid))
end

--- Waits until all processes have ended (they hold the output).
-- @treturn string the rest of the output
-- @treturn string the names of the files left in `folder`
function methods:finish()
  local rest = self.pipe:read("*a")
  return rest, terminal.output_of("ls -A " .. self.folder)
end

--- Ends what still runs and removes the folder.
function methods:close()
  os.execute(("kill -KILL -%d 2>/dev/null"):format(self.pid))
  self.pipe:close()
  os.execute("rm -rf " .. self.folder)
end

return terminal
