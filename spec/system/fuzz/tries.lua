-- The mutation fuzzer: every parser of third-party bytes gets changed valid texts. Run by run.lua:
--   tries.lua SECONDS SEED [TARGET...]     all targets, or these, for so many seconds in all
--   tries.lua once NUMBER TARGET           one text again, which is shown
-- A text is made from its number alone. Prints a line for each target, and `N executions, N targets, N failed`.

local core = require "pusher.core" -- now()
local mutate = require "spec.system.fuzz.mutate"
local time_scale = require "spec.helpers.time_scale"

local PARTS = { "forms", "http", "responses", "urls", "push" }
local ROUND = 20 -- texts
local SLICE = 0.2 -- seconds

-- A call may take so many instructions of Lua, and for each byte so many more. LuaJIT counts those that are interpreted.
-- What C functions do, such as Lua's patterns, shows in CPU time only.
local INSTRUCTIONS, INSTRUCTIONS_A_BYTE = 200000, 2000
local STEP = 1000
local SECONDS, SECONDS_A_BYTE = 0.2 * time_scale, 20e-6 * time_scale

local targets, names = {}, {}
for _, part in ipairs(PARTS) do
  for name, target in pairs(require("spec.system.fuzz.targets." .. part)) do
    assert(not targets[name], name)
    targets[name], names[#names + 1] = target, name
  end
end
table.sort(names)

local left -- instructions of the present call

local function count_instructions()
  left = left - STEP
  if left < 0 then
    debug.sethook()
    error("too many instructions: it hangs, or its time is not linear", 0)
  end
end

-- Runs the target with the text of this number; raises for a fault.
local function try(target, number, shown)
  math.randomseed(number)
  local text = mutate.text(target.texts)
  if shown then
    io.stdout:write(("%q\n"):format(text))
    io.stdout:flush()
  end
  left = INSTRUCTIONS + INSTRUCTIONS_A_BYTE * #text
  local start = os.clock()
  debug.sethook(count_instructions, "", STEP)
  local ok, message = xpcall(target.run, debug.traceback, text)
  debug.sethook()
  local seconds = os.clock() - start
  if ok and seconds > SECONDS + SECONDS_A_BYTE * #text then
    ok, message = false, ("%.2f s of CPU time for %d bytes"):format(seconds, #text)
  end
  return ok, message
end

local function try_many(name, first, count)
  local target = targets[name]
  for number = first, first + count - 1 do
    local ok, message = try(target, number)
    if not ok then
      print(("%s: %s"):format(name, tostring(message)))
      print(("repeat: %s spec/system/fuzz/tries.lua once %d %s"):format(rawget(_G, "jit") and "luajit" or "lua5.4", number, name))
      return false, number - first + 1
    end
  end
  return true, count
end

-- All targets get the same time, in turn.
local function run(seconds, seed, wanted)
  local counts, failed, finish = {}, {}, core.now() + seconds
  local sum, faults = 0, 0
  repeat
    for _, name in ipairs(wanted) do
      local stop = core.now() + SLICE
      repeat
        local count = counts[name] or 0
        local ok, more = true, 0
        if not failed[name] then
          ok, more = try_many(name, seed + count, ROUND)
        end
        counts[name] = count + more
        failed[name], faults = failed[name] or not ok, faults + (ok and 0 or 1)
      until failed[name] or core.now() >= stop
    end
  until core.now() >= finish
  for _, name in ipairs(wanted) do
    print(("%-16s %9d executions%s"):format(name, counts[name], failed[name] and ", FAILED" or ""))
    sum = sum + counts[name]
  end
  print(("%d executions, %d targets, %d failed"):format(sum, #wanted, faults))
end

local unpack = table.unpack or unpack -- luacheck: ignore
if arg[1] == "once" then
  local ok, message = try(targets[arg[3]], tonumber(arg[2]), true)
  print(ok and "ok" or message)
  os.exit(ok)
end
io.stdout:setvbuf("line")
run(tonumber(arg[1]), tonumber(arg[2]), arg[3] and { unpack(arg, 3) } or names)
