--- Runs wrk, and reads the CPU time of an nginx worker (Linux).

local cjson = require "cjson"

local wrk = {}

local function command(options)
  local list = {}
  for name, value in pairs(options.with or {}) do
    list[#list + 1] = ("'%s=%s'"):format(name, tostring(value))
  end
  return ("wrk -t1 -c%d -d%ds --timeout 30s -s bench/openresty/post.lua %s -- %s 2>&1"):format(
    options.connections or 32, options.seconds or 1, options.url, table.concat(list, " "))
end

local function read(pipe)
  local text = pipe:read("*a")
  pipe:close()
  local line = text:match("({[^\n]*})%s*$")
  assert(line, "unexpected output of wrk: " .. text)
  return cjson.decode(line)
end

--- Starts wrk in the background.
-- @tparam table options `url`, `connections` (32), `seconds` (1, whole), `with` = options of post.lua
-- @treturn function waits for the end and returns `{ requests =, seconds =, failed =, refused =, p50_us =, p99_us = }`
function wrk.start(options)
  local pipe = assert(io.popen(command(options)))
  return function()
    return read(pipe)
  end
end

--- Runs wrk to its end.
function wrk.run(options)
  return wrk.start(options)()
end

--- CPU time of a process, and the time in which it could have run while others did, both in microseconds.
function wrk.cpu_us(pid)
  local file = assert(io.open(("/proc/%d/schedstat"):format(pid)))
  local ran_ns, waited_ns = file:read("*n", "*n")
  file:close()
  return ran_ns / 1000, waited_ns / 1000
end

return wrk
