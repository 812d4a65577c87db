--- What the process takes, round by round, and whether it grows.

local memory = require "tools.memory"
local process = require "pusher_test.process"

local samples = {}
local methods = {}
local metatable = { __index = methods }

local IS_JIT = rawget(_G, "jit") ~= nil

--- The kinds, and by how much each may grow from round to round. Memory does while kept buffers and handles fill up, and
-- what is resident when a fault of a megabyte fragments the heap.
samples.LIMITS = { resident_kb = 6144, heap_kb = 1024, lua_kb = 64, descriptors = 0, threads = 0 }

--- By how much each may have grown when all is closed. LuaJIT takes memory for its traces.
samples.LEFT = { heap_kb = IS_JIT and 512 or 32, lua_kb = IS_JIT and 1024 or 128, descriptors = 0, threads = 0 }

--- Values now, after a full collection. The heap is without Lua's memory, which LuaJIT does not get from malloc.
function samples.now()
  collectgarbage()
  collectgarbage()
  process.trim() -- else what is resident depends on which threads had how much at once
  local lua_kb = collectgarbage("count")
  return {
    resident_kb = memory.resident_kb(), heap_kb = process.heap_kb() - (IS_JIT and 0 or lua_kb), lua_kb = lua_kb,
    descriptors = process.descriptors(), threads = process.threads(),
  }
end

function samples.new()
  local self = {}
  for kind in pairs(samples.LIMITS) do
    self[kind] = {}
  end
  return setmetatable(self, metatable)
end

--- Adds one.
function methods:add()
  for kind, value in pairs(samples.now()) do
    self[kind][#self[kind] + 1] = value
  end
end

--- How much a kind has grown: the minimum of the last quarter beyond the maximum of the first half.
function methods:growth(kind)
  local list = self[kind]
  local max, min = 0, math.huge
  for index, value in ipairs(list) do
    if index <= #list / 2 then
      max = math.max(max, value)
    elseif index > #list * 3 / 4 then
      min = math.min(min, value)
    end
  end
  return min - max
end

--- The values of a kind as text, twenty of them at most.
function methods:text(kind)
  local list, shown = self[kind], {}
  for index = 1, 20 do
    local at = math.ceil(index * #list / 20)
    if at ~= math.ceil((index - 1) * #list / 20) then
      shown[#shown + 1] = ("%.0f"):format(list[at])
    end
  end
  return table.concat(shown, " ")
end

return samples
