-- Runs the fuzzers: run.lua SECONDS SEED PROGRAM. `make fuzz` builds what it needs. The C targets take SECONDS in all, and
-- the targets in Lua, with what is compared, as long again. Each target is a check; ends with `N passed, N failed`.
--
-- What a fuzzer finds is printed with the command that repeats it. The corpus of the C targets stays in build/fuzz, so
-- that a later run begins where this one ended.

local core = require "pusher.core" -- now()
local progress = require "tools.progress"
local seeds = require "spec.system.fuzz.seeds"

local FOLDER = "build/fuzz"
local MAX_LENGTH = 4096 -- bytes
local MARGIN = 20 -- seconds for a part in Lua to end
local MIN_SECONDS = 1 -- libFuzzer takes 0 for no limit

local seconds, seed, program = tonumber(arg[1]), tonumber(arg[2]), arg[3]
local passed, failed, executions = 0, 0, 0

local function execute(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("*a")
  return text, (pipe:close())
end

local function count(good, bad, more)
  passed, failed, executions = passed + good, failed + bad, executions + more
end

-- Of libFuzzer's report only the part of a fault is of interest.
local function shorten(text)
  return (text:gsub("[^\n]*INFO:[^\n]*\n", ""):gsub("[^\n]*NEW_FUNC[^\n]*\n", ""):gsub("###### Recommended.-dictionary%. ######\n", ""))
end

local function run_c(name, budget, steps)
  local text, ok = execute(table.concat({
    program, "--target=" .. name, "-max_total_time=" .. budget, "-seed=" .. seed, "-max_len=" .. MAX_LENGTH, "-timeout=20",
    "-rss_limit_mb=2048", "-detect_leaks=0", "-print_final_stats=1", "-verbosity=0",
    ("-artifact_prefix=%s/%s-"):format(FOLDER, name), ("%s/corpus/%s %s/seeds/%s"):format(FOLDER, name, FOLDER, name),
  }, " "))
  steps:clear()
  local runs = tonumber(text:match("number_of_executed_units: (%d+)"))
  if ok and runs then
    print(("%-16s %9d executions"):format(name, runs))
    return count(1, 0, runs)
  end
  print(shorten(text))
  local artifact = text:match("written to (%S+)")
  print(("repeat: %s --target=%s -artifact_prefix=%s/ %s"):format(program, name, FOLDER, artifact or ""))
  count(0, 1, runs or 0)
end

local function run_all_c(names, steps)
  local finish = core.now() + seconds
  for index, name in ipairs(names) do
    assert(os.execute(("mkdir -p %s/corpus/%s"):format(FOLDER, name)))
    steps:step(name)
    run_c(name, math.max(MIN_SECONDS, math.floor((finish - core.now()) / (#names - index + 1))), steps)
  end
end

-- A part in Lua, which prints what it does, and its sum at last.
local function run_lua(lua, script, budget, steps)
  local bin = lua == "jit" and "luajit" or "lua" .. lua
  steps:step(bin .. " " .. script)
  local environment = ("LUA_PATH='./lua/?.lua;./?.lua;;' LUA_CPATH='./build/%s/?.so;;'"):format(lua)
  local text = execute(("%s timeout -k 5 %.0f %s spec/system/fuzz/%s.lua %g %d"):format(
    environment, 2 * budget + MARGIN, bin, script, budget, seed))
  steps:clear()
  print(bin .. " " .. script)
  local more, targets, bad = text:match("(%d+) executions, (%d+) targets, (%d+) failed\n$")
  io.write((text:gsub("%d+ executions, %d+ targets, %d+ failed\n$", "")))
  if not targets then
    print(("%s %s crashed, or hung and was ended: repeat with FUZZ_SEED=%d"):format(bin, script, seed))
  end
  count(targets and targets - bad or 0, tonumber(bad) or 1, tonumber(more) or 0)
end

io.stdout:setvbuf("line")
print("seed " .. seed)
local names = seeds.write(FOLDER .. "/seeds")
local parts = { { "5.4", "tries" }, { "jit", "tries" }, { "5.4", "compare" } }
local steps = progress.new(#names + #parts)
run_all_c(names, steps)
for _, part in ipairs(parts) do
  run_lua(part[1], part[2], seconds / #parts, steps)
end
print()
print(("%.0f executions"):format(executions))
print(("%.0f passed, %.0f failed"):format(passed, failed))
os.exit(failed == 0)
