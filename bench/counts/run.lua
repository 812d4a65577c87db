--- Counts the instructions of calls that need no network, and compares them with the figures that are kept.
-- lua5.4 bench/counts/run.lua [--keep]; `make bench-check` and `make bench-counts` call it.
--
-- An instruction count is the same on a busy machine. A count is the difference between 2 n calls and n calls, divided
-- by n. The figures are those of Debian 12's Lua and compiler, which the CI has.

local cases = require "bench.counts.cases"
local dumps = require "bench.counts.dumps"
local text_file = require "tools.text_file"

local KEPT = "bench/counts/kept.lua"
local TOLERANCE = 0.05

local function shell(command)
  local ok = os.execute(command)
  assert(ok == true or ok == 0, "failed: " .. command)
end

-- Instructions of one call, by case.
local function count()
  local dir = os.tmpname()
  os.remove(dir)
  shell(("mkdir %s && valgrind -q --tool=callgrind --instr-atstart=no --callgrind-out-file=%s/out "
    .. "lua5.4 bench/counts/count.lua"):format(dir, dir))
  local totals = {}
  local files = io.popen("ls " .. dir)
  for file in files:lines() do
    local name, total = dumps.read(dir .. "/" .. file)
    if name then
      totals[name] = total
    end
  end
  files:close()
  shell("rm -r " .. dir)
  return dumps.per_call(totals, cases)
end

local function keep(counts)
  local lines = { "-- Instructions of one call on Lua 5.4, as `make bench-counts` has measured them.", "return {" }
  for _, case in ipairs(cases) do
    lines[#lines + 1] = ("  %s = %d,"):format(case[1], counts[case[1]])
  end
  lines[#lines + 1] = "}\n"
  text_file.write(KEPT, table.concat(lines, "\n"))
end

-- Prints one row; whether it is within the tolerance.
local function judge(name, counted, kept)
  local change = kept and counted / kept - 1
  local verdict = ""
  if not change then
    verdict = "no figure is kept: write it down with make bench-counts"
  elseif change > TOLERANCE then
    verdict = ("SLOWER by %.0f %%"):format(100 * change)
  elseif change < -TOLERANCE then
    verdict = ("faster by %.0f %%: write the new figure down with make bench-counts"):format(-100 * change)
  end
  print(("%-24s %9d %9s  %s"):format(name, counted, kept or "-", verdict))
  return verdict == ""
end

local function check(counts)
  local kept, passed = dofile(KEPT), 0
  print(("%-24s %9s %9s"):format("instructions of a call", "counted", "kept"))
  for _, case in ipairs(cases) do
    passed = passed + (judge(case[1], counts[case[1]], kept[case[1]]) and 1 or 0)
  end
  print(("\n%d passed, %d failed"):format(passed, #cases - passed))
  return passed == #cases
end

local counts = count()
if arg[1] == "--keep" then
  keep(counts)
end
os.exit(check(counts))
