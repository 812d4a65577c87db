--- Runs shell commands and waits for them; see tools/terminal.lua for programs that run until they are ended.

local shell = {}

--- What a command writes to its output, without white space at the end.
-- @tparam string command
-- @treturn string
function shell.output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a"):gsub("%s+$", "")
  pipe:close()
  return text
end

--- Runs a command that may fail.
-- @tparam string command
-- @treturn number its exit status
-- @treturn string what it writes, errors too, without white space at the end
function shell.try(command)
  local text = shell.output_of("{ " .. command .. "\n} 2>&1; echo \"status $?\"")
  local output, status = text:match("^(.-)%s*status (%d+)$")
  return tonumber(status), output
end

--- Runs a command that must not fail.
-- @tparam string command
-- @treturn string output as of `try`; the message when it fails
function shell.run(command)
  local status, output = shell.try(command)
  assert(status == 0, command .. "\n" .. tostring(output))
  return output
end

return shell
