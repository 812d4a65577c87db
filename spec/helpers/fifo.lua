--- Runs a test with the path of a named pipe that nobody writes to, in a folder of its own.

local shell = require "tools.shell"

return function(test)
  local folder = shell.run("mktemp -d")
  local path = folder .. "/pipe"
  os.execute("mkfifo -m 600 '" .. path .. "'")
  local ok, message = pcall(test, path)
  os.remove(path)
  os.remove(folder)
  assert(ok, message)
end
