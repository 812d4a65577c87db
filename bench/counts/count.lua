--- Runs the cases under callgrind, which writes a file for each: bench/counts/count.lua, started by run.lua.
--
-- The garbage collector is stopped while it is counted: when it runs depends on all that ran before. What a call
-- allocates is counted, what collecting costs is not.

local callgrind = require "bench.counts.callgrind"
local cases = require "bench.counts.cases"

local function call(name, n, f)
  for _ = 1, n do
    local result, message = f()
    if not result then
      error(name .. ": " .. tostring(message), 0)
    end
  end
end

callgrind.start()
for _, case in ipairs(cases) do
  local name, n, f = case[1], case[2], case[3]
  call(name, 3, f) -- caches are filled
  collectgarbage()
  collectgarbage("stop")
  callgrind.dump("nothing")
  call(name, n, f)
  callgrind.dump(name .. " 1")
  call(name, 2 * n, f)
  callgrind.dump(name .. " 2")
  collectgarbage("restart")
end
