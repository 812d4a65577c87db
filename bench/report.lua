--- The figures as Markdown tables.

local sides = require "bench.sides"

local report = {}

-- The rows of README.md, and its columns.
local README_ROWS = { authorize_private = true, authorize_presence = true, webhook = true, webhook_10 = true,
  trigger = true, batch = true, in_flight = true, publisher = true }
local README_SIDES = { lua = true, luajit = true, go = true, node = true, python = true }

local TIMES = { cpu = "CPU", wall = "wall" }

-- A table grows by rows of cells.
local function new_table(...)
  local lines = {}
  local function row(cells)
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  local rule = {}
  for i = 1, select("#", ...) do rule[i] = "---" end
  row { ... }
  row(rule)
  return row, function() return table.concat(lines, "\n") end
end

--- A figure with three digits, or all before the point.
function report.number(value)
  local digits = value < 10 and 2 or value < 100 and 1 or 0
  local unit = 10 ^ digits -- rounded here: Lua and LuaJIT write 0.5 by different rules
  return ("%." .. digits .. "f"):format(math.floor(value * unit + 0.5) / unit)
end

local number = report.number

local function yes(reached)
  if reached == nil then return "-" end
  return reached and "yes" or "NO"
end

local function both_reached(reached)
  return yes(reached.lua) .. " / " .. yes(reached.luajit)
end

-- The sides that have a figure in one of the rows; of those that are wanted, if it is said which.
local function columns_of(times, wanted)
  local columns = {}
  for _, side in ipairs(sides.all) do
    for _, case in ipairs(times) do
      if case.us[side.name] and (not wanted or wanted[side.name]) then
        columns[#columns + 1] = side
        break
      end
    end
  end
  return columns
end

local function titles(first, columns)
  local list = { first }
  for i, column in ipairs(columns) do list[i + 1] = column.title end
  return (table.unpack or unpack)(list)
end

-- A row for each case, a column for each side, and in the cells what show(us) makes of the times.
local function times_table(title, times, columns, show)
  local row, finish = new_table(titles(title, columns))
  for _, case in ipairs(times) do
    local cells = { case.title }
    for i, column in ipairs(columns) do
      local us = case.us[column.name]
      cells[i + 1] = us and show(us) or "-"
    end
    row(cells)
  end
  return finish()
end

local function filter(list, wanted)
  local found = {}
  for _, case in ipairs(list) do
    found[#found + 1] = wanted(case) and case or nil
  end
  return found
end

local function cpu(us)
  return number(us.cpu)
end

--- Wall and CPU time of all sides.
function report.times(all)
  return times_table("µs wall / µs CPU", all.times, columns_of(all.times), function(us)
    return number(us.wall) .. " / " .. number(us.cpu)
  end)
end

--- The CPU time of the cases that others have, too.
function report.short_times(all)
  local times = filter(all.times, function(case) return case.us.go end)
  return times_table("µs of CPU", times, columns_of(all.times), cpu)
end

--- The same, of some cases and some sides.
function report.readme(all)
  local times = filter(all.times, function(case) return README_ROWS[case.name] end)
  return times_table("µs of CPU", times, columns_of(times, README_SIDES), cpu)
end

--- Every target.
function report.targets(all)
  local row, finish = new_table("case", "ratio", "Lua 5.4", "LuaJIT", "target", "reached")
  for _, case in ipairs(all.times) do
    for _, target in ipairs(case.targets) do
      local value = target.value
      row { case.title, target.ratio, value.lua and ("%.2f"):format(value.lua) or "-",
        value.luajit and ("%.2f"):format(value.luajit) or "-", target.limit, both_reached(target.reached) }
    end
  end
  return finish()
end

--- The longest calls of a game.
function report.longest(all)
  local row, finish = new_table("longest call, µs of CPU", "trigger, 5.4", "step, 5.4", "trigger, LuaJIT",
    "step, LuaJIT", "target", "reached")
  for _, case in ipairs(all.longest) do
    row { case.title, number(case.lua.trigger), number(case.lua.step), number(case.luajit.trigger),
      number(case.luajit.step), ("<= %.14g µs"):format(case.limit), both_reached(case.reached) }
  end
  return finish()
end

--- Memory, and what a program pays at its start.
function report.single(all)
  local row, finish = new_table("memory and start", "Lua 5.4", "LuaJIT", "target", "reached")
  for _, case in ipairs(all.single) do
    local limit = case.limit and ("<= %.14g"):format(case.limit) or "-"
    row { case.title, number(case.value.lua), number(case.value.luajit), limit, both_reached(case.reached) }
  end
  return finish()
end

-- "bytes of data, µs CPU": a row for each side.
local function growth(all, kind, work)
  local heads = {}
  for i, point in ipairs(work.points) do heads[i] = { title = tostring(point) } end
  local row, finish = new_table(titles(("%s, µs %s"):format(work.title, TIMES[work.of]), heads))
  for _, side in ipairs(sides.all) do
    local cells = { side.title }
    for i, point in ipairs(all.growth[kind]) do
      cells[i + 1] = point[side.name] and number(point[side.name])
    end
    if cells[2] then row(cells) end
  end
  return finish()
end

--- The growth of triggers; all that was measured.
-- @tparam table all
-- @tparam table works works.growth
function report.growth(all, works)
  local tables = {}
  for _, kind in ipairs(works.order) do
    if all.growth[kind] then tables[#tables + 1] = growth(all, kind, works[kind]) end
  end
  return table.concat(tables, "\n\n")
end

-- The other libraries that take less time than a side of ours, with the kind of time if it is one only.
local function ahead(case, own)
  local names = {}
  for i = 4, #sides.all do
    local us = case.us[sides.all[i].name]
    local wall, cpu_too = us and own and us.wall < own.wall, us and own and us.cpu < own.cpu
    if wall or cpu_too then
      local only = not cpu_too and " (wall)" or not wall and " (CPU)" or ""
      names[#names + 1] = sides.all[i].title .. only
    end
  end
  return names[1] and table.concat(names, ", ") or "-"
end

--- Which other libraries take less CPU or wall time than one of our sides.
function report.behind(all)
  local row, finish = new_table("case", "ahead of Lua 5.4", "ahead of LuaJIT")
  local found = false
  for _, case in ipairs(all.times) do
    local lua, luajit = ahead(case, case.us.lua), ahead(case, case.us.luajit)
    if lua ~= "-" or luajit ~= "-" then
      row { case.title, lua, luajit }
      found = true
    end
  end
  return found and finish() or "In this run none of the other libraries was ahead in any row."
end

--- The machine and the versions, and whether the run is to be trusted.
function report.machine(all)
  local of = all.machine
  local lines = {
    ("%s, %d rounds of %d ms. %s."):format(of.date, of.rounds, of.ms, of.hardware),
    of.versions .. ".",
    ("Load average %s before, %s after; other programs took %.1f %% of the processors' time."):format(
      number(of.load[1]), number(of.load[2]), of.others_percent),
  }
  if of.busy then
    lines[#lines + 1] = "**The machine was busy: these figures are worth little.**"
  end
  for _, text in ipairs(of.left_out) do lines[#lines + 1] = text .. "." end
  return table.concat(lines, "\n")
end

return report
