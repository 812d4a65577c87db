--- Prints the medians of every side, then each target and whether it is reached.

local judge = require "bench.judge"
local stats = require "bench.stats"

local report = {}

local columns = {
  { "lua", "ours, Lua 5.4" }, { "luajit", "ours, LuaJIT" }, { "bare", "bare C" }, { "go", "Go" }, { "node", "Node" },
}
local our_columns = { columns[1], columns[2] }

-- Figures that the gate judges.
local passed, failed = 0, 0

local function count(verdict)
  if verdict.gated then
    passed, failed = passed + (verdict.failed and 0 or 1), failed + (verdict.failed and 1 or 0)
  end
end

local function line(...)
  print("| " .. table.concat({ ... }, " | ") .. " |")
end

local function us(ns)
  local value = ns / 1000
  return (value < 10 and "%.2f" or "%.1f"):format(value)
end

local function cell(m)
  return m and us(stats.median(m.wall)) .. " / " .. us(stats.median(m.cpu)) or "-"
end

local function print_medians(all)
  line("case, us wall / us CPU", "ours, Lua 5.4", "ours, LuaJIT", "bare C", "Go", "Node")
  line("---", "---", "---", "---", "---", "---")
  for _, entry in ipairs(all) do
    local cells = {}
    for i, column in ipairs(columns) do cells[i] = cell(entry.measured[column[1]]) end
    line(entry.case.title, table.unpack(cells))
  end
end

local function describe(target)
  if target.us then return target.of end
  local ratio = target.at_least and "%s / ours, %s" or "ours / %s, %s"
  return ratio:format(target.over, target.of)
end

-- One row: the verdicts on our two sides.
local function print_target(entry, target)
  local values, reached, limit = {}, {}, nil
  for i, column in ipairs(our_columns) do
    local ours, other = entry.measured[column[1]], entry.measured[target.over]
    local verdict = ours and judge.one(target, ours, other)
    values[i], reached[i] = "-", "-"
    if verdict then
      values[i], reached[i] = ("%.2f"):format(verdict.value), verdict.reached and "yes" or "NO"
      limit = verdict.limit
      count(verdict)
    end
  end
  if limit then
    line(entry.case.title, describe(target), values[1], values[2], limit, table.concat(reached, " / "))
  end
end

local function print_targets(all)
  line("case", "ratio", "Lua 5.4", "LuaJIT", "target", "reached")
  line("---", "---", "---", "---", "---", "---")
  for _, entry in ipairs(all) do
    for _, target in ipairs(entry.case.targets) do print_target(entry, target) end
  end
end

-- Nanoseconds of CPU time, for both of our sides.
local function print_longest(longest, at_most_us)
  line("longest call, us CPU", "trigger, 5.4", "step, 5.4", "trigger, LuaJIT", "step, LuaJIT", "target", "reached")
  line("---", "---", "---", "---", "---", "---", "---")
  for _, entry in ipairs(longest) do
    local values, reached = {}, {}
    for i, column in ipairs(our_columns) do
      local of = entry[column[1]]
      local verdict = judge.at_most(of.longest / 1000, at_most_us)
      values[2 * i - 1], values[2 * i] = us(of.trigger), us(of.step)
      reached[i] = verdict.reached and "yes" or "NO"
      count(verdict)
    end
    line(entry.title, values[1], values[2], values[3], values[4], "<= " .. at_most_us .. " us",
      table.concat(reached, " / "))
  end
end

local function print_memory(memory)
  line("memory, bytes", "Lua 5.4", "LuaJIT", "target", "reached")
  line("---", "---", "---", "---", "---")
  for _, entry in ipairs(memory) do
    local limit, reached = entry.case.at_most, {}
    for i, column in ipairs(our_columns) do
      local verdict = limit and judge.at_most(entry[column[1]], limit)
      reached[i] = verdict and (verdict.reached and "yes" or "NO") or "-"
      count(verdict or {})
    end
    line(entry.case.title, ("%.0f"):format(entry.lua), ("%.0f"):format(entry.luajit),
      limit and "<= " .. limit or "-", table.concat(reached, " / "))
  end
end

--- Prints the tables.
-- @tparam table all list of `case` and `measured`
-- @tparam table longest list of `title` and the `trigger` and `step` of our sides; `at_most_us`, their limit
-- @tparam table memory list of `case` and the bytes of our sides
-- @treturn number how many figures pass the gate, see judge.lua
-- @treturn number how many fail it
function report.print(all, longest, memory)
  print_medians(all)
  print()
  print_targets(all)
  print()
  print_longest(longest, longest.at_most_us)
  print()
  print_memory(memory)
  return passed, failed
end

return report
