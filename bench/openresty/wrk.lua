--- Runs wrk, and reads what a worker of nginx costs (Linux).

local cjson = require "cjson"

local wrk = {}

local function command(options)
  local words = {}
  for name, value in pairs(options.with or {}) do
    words[#words + 1] = ("'%s=%s'"):format(name, tostring(value))
  end
  return ("wrk -t1 -c%d -d%ds --timeout 30s -s bench/openresty/post.lua %s -- %s 2>&1"):format(
    options.connections or 32, options.seconds or 1, options.url, table.concat(words, " "))
end

local function read(pipe)
  local text = pipe:read("*a")
  pipe:close()
  local line = text:match("({[^\n]*})%s*$")
  assert(line, "wrk said: " .. text)
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

--- CPU time of a process, in microseconds.
function wrk.cpu_us(pid)
  local file = assert(io.open(("/proc/%d/schedstat"):format(pid)))
  local nanoseconds = file:read("*n")
  file:close()
  return nanoseconds / 1000
end

--- Memory of a process, in KiB.
function wrk.resident_kb(pid)
  local file = assert(io.open(("/proc/%d/status"):format(pid)))
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("VmRSS:%s*(%d+)"))
end

--- The middle of a list of numbers.
function wrk.median(list)
  local sorted = {}
  for index, value in ipairs(list) do
    sorted[index] = value
  end
  table.sort(sorted)
  local middle = math.floor((#sorted + 1) / 2)
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

return wrk
