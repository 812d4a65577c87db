--- One side of the benchmark: a process that lives through the whole run and answers line by line.

local peer = {}
peer.__index = peer

--- Starts a side. The process reads commands from a fifo (io.popen goes one way only) and ends with it.
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

--- Sends one line, returns the line answered.
function peer:ask(line)
  self.input:write(line, "\n")
  local answer = self.out:read("l")
  if not answer then error(("side '%s' ended at '%s'"):format(self.name, line), 0) end
  local failure = answer:match("^error (.*)")
  if failure then error(("side '%s' at '%s': %s"):format(self.name, line, failure), 0) end
  return answer
end

--- Runs a work n times.
-- @treturn ?number wall nanoseconds for one operation, nil when this side does not know the work
-- @treturn ?number CPU nanoseconds for one operation
function peer:run(work, n)
  local answer = self:ask(("%s %d"):format(work, n))
  if answer == "none" then return nil end
  local wall, cpu = answer:match("^(%S+) (%S+)$")
  if not wall then error(("side '%s' answered '%s' to '%s'"):format(self.name, answer, work), 0) end
  return tonumber(wall) / n, tonumber(cpu) / n
end

--- The text one operation yields, for comparing the sides; nil when unknown.
function peer:show(work)
  local answer = self:ask("show " .. work)
  return answer ~= "none" and answer or nil
end

function peer:stop()
  self.input:close()
  self.out:close()
end

return peer
