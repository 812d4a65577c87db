--- Runs a test with the path of a named pipe that nobody writes to, in a folder of its own.

return function(test)
  local output = assert(io.popen("mktemp -d"))
  local folder = assert(output:read("*a"):match("^[^\n]+"))
  output:close()
  local path = folder .. "/pipe"
  os.execute("mkfifo -m 600 '" .. path .. "'")
  local ok, message = pcall(test, path)
  os.remove(path)
  os.remove(folder)
  assert(ok, message)
end
