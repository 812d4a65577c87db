--- What callgrind has counted.
--
-- Only Lua's interpreter, our modules and lua-cjson count: what libcrypto, libsodium and libc take depends on their
-- versions and on the processor.

local dumps = {}

local COUNTED = { "/lua5%.4$", "/pusher/%a+%.so$", "cjson[^/]*$" }

local function is_counted(object)
  for _, pattern in ipairs(COUNTED) do
    if object:find(pattern) then
      return true
    end
  end
  return false
end

--- What one file of callgrind's counts: its name, and the instructions in the objects that count.
function dumps.read(path)
  local name, total, counts, skip = nil, 0, false, false
  local objects = {}
  for line in io.lines(path) do
    local id, file = line:match("^ob=(%(%d+%)) ?(.*)")
    if id then
      objects[id] = file ~= "" and file or objects[id]
      counts = is_counted(objects[id])
    elseif skip then
      skip = false -- what a called function took: it has lines of its own
    elseif line:find("^calls=") then
      skip = true
    elseif counts then
      total = total + (tonumber(line:match("^[%d+*-]+ (%d+)$")) or 0)
    end
    local object_id, object = line:match("^cob=(%(%d+%)) (.+)")
    if object_id then
      objects[object_id] = object
    end
    name = name or line:match("^desc: Trigger: Client Request: (.+)")
  end
  return name, total
end

--- Instructions of one call, by case; raises where none are counted, as when an object has another name.
-- @tparam table totals instructions of n calls and of 2 n calls, by `NAME 1` and `NAME 2`
-- @tparam table cases list of `{ name, n }`
-- @treturn table
function dumps.per_call(totals, cases)
  local counts = {}
  for _, case in ipairs(cases) do
    local name, n = case[1], case[2]
    local count = math.floor(((totals[name .. " 2"] or 0) - (totals[name .. " 1"] or 0)) / n + 0.5)
    if count <= 0 then
      error("no instruction of " .. name .. " is counted", 0)
    end
    counts[name] = count
  end
  return counts
end

return dumps
