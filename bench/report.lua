--- Prints what was measured: the medians of every side, then each target and whether it is reached.

local judge = require "bench.judge"
local stats = require "bench.stats"

local report = {}

local columns = {
  { "lua", "ours, Lua 5.4" }, { "luajit", "ours, LuaJIT" }, { "bare", "bare C" }, { "go", "Go" }, { "node", "Node" },
}
local our_columns = { columns[1], columns[2] }

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
  line("work, us wall / us CPU", "ours, Lua 5.4", "ours, LuaJIT", "bare C", "Go", "Node")
  line("---", "---", "---", "---", "---", "---")
  for _, entry in ipairs(all) do
    local cells = {}
    for i, column in ipairs(columns) do cells[i] = cell(entry.measured[column[1]]) end
    line(entry.work.title, table.unpack(cells))
  end
end

local function describe(target)
  if target.us then return target.of end
  local words = target.at_least and "%s / ours, %s" or "ours / %s, %s"
  return words:format(target.over, target.of)
end

-- One row: the verdicts on our two sides. Returns how many of them are absurd.
local function print_target(entry, target)
  local values, reached, limit, absurd = {}, {}, nil, 0
  for i, column in ipairs(our_columns) do
    local ours, other = entry.measured[column[1]], entry.measured[target.over]
    local verdict = ours and judge.one(target, ours, other)
    values[i], reached[i] = "-", "-"
    if verdict then
      values[i], reached[i] = ("%.2f"):format(verdict.value), verdict.reached and "yes" or "NO"
      limit = verdict.limit
      if verdict.absurd then absurd = absurd + 1 end
    end
  end
  if limit then
    line(entry.work.title, describe(target), values[1], values[2], limit, table.concat(reached, " / "))
  end
  return absurd
end

local function print_targets(all)
  local absurd = 0
  line("work", "ratio", "Lua 5.4", "LuaJIT", "target", "reached")
  line("---", "---", "---", "---", "---", "---")
  for _, entry in ipairs(all) do
    for _, target in ipairs(entry.work.targets) do absurd = absurd + print_target(entry, target) end
  end
  return absurd
end

local function print_weights(weights)
  local absurd = 0
  line("memory, bytes", "Lua 5.4", "LuaJIT", "target", "reached")
  line("---", "---", "---", "---", "---")
  for _, entry in ipairs(weights) do
    local limit, words = entry.weight.at_most, {}
    for i, column in ipairs(our_columns) do
      local verdict = limit and judge.weight(entry[column[1]], limit)
      words[i] = verdict and (verdict.reached and "yes" or "NO") or "-"
      absurd = absurd + (verdict and verdict.absurd and 1 or 0)
    end
    line(entry.weight.title, ("%.0f"):format(entry.lua), ("%.0f"):format(entry.luajit),
      limit and "<= " .. limit or "-", table.concat(words, " / "))
  end
  return absurd
end

--- Prints the tables.
-- @tparam table all list of `work` and `measured`
-- @tparam table weights list of `weight` and the bytes of our sides
-- @treturn number how many figures miss their target by more than the factor 2
function report.print(all, weights)
  print_medians(all)
  print()
  local absurd = print_targets(all)
  print()
  return absurd + print_weights(weights)
end

return report
