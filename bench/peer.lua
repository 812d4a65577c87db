--- One side of the benchmark: a process that lives through the whole run and replies line by line.

local peer = {}
peer.__index = peer

--- Starts a side. The process reads commands from a fifo (io.popen has one direction only) and ends with it.
-- @tparam string name what the table calls this side
-- @tparam string command shell command
-- @tparam string dir directory for the fifo
function peer.start(name, command, dir)
  local fifo = dir .. "/" .. name
  assert(os.execute("mkfifo " .. fifo))
  local out = assert(io.popen(("exec %s < %s"):format(command, fifo), "r"))
  local input = assert(io.open(fifo, "w"))
  input:setvbuf("line")
  return setmetatable({ name = name, input = input, out = out }, peer)
end

--- Sends one line, returns the reply.
function peer:ask(line)
  self.input:write(line, "\n")
  local reply = self.out:read("l")
  if not reply then error(("side '%s' ended at '%s'"):format(self.name, line), 0) end
  local failure = reply:match("^error (.*)")
  if failure then error(("side '%s' at '%s': %s"):format(self.name, line, failure), 0) end
  return reply
end

--- Does n operations of a case.
-- @treturn ?number wall nanoseconds for one operation, nil when this side does not know the case
-- @treturn ?number CPU nanoseconds for one operation
-- @treturn ?number those of the host's thread alone, if the side reports them
function peer:run(case, n)
  local reply = self:ask(("%s %d"):format(case, n))
  if reply == "none" then return nil end
  local wall, cpu, thread = reply:match("^(%d+) (%d+) ?(%d*)$")
  if not wall then error(("side '%s' replied '%s' to '%s'"):format(self.name, reply, case), 0) end
  thread = tonumber(thread)
  return tonumber(wall) / n, tonumber(cpu) / n, thread and thread / n
end

--- The result of one operation as text, for comparing the sides; nil when unknown.
function peer:show(case)
  local reply = self:ask("show " .. case)
  return reply ~= "none" and reply or nil
end

function peer:stop()
  self.input:close()
  self.out:close()
end

return peer
