--- The figures of a run as plain data, in a file: medians in microseconds, ratios and which targets are reached. The
-- tables, the pages and the plots are made from these alone.

local cjson = require "cjson"
local judge = require "bench.judge"
local stats = require "bench.stats"
local text_file = require "tools.text_file"

local figures = {}

figures.PATH = "bench/figures.json"
figures.OURS = { "lua", "luajit" }

local function describe(target)
  if target.us then return target.of end
  local ratio = target.at_least and "%s / ours, %s" or "ours / %s, %s"
  return ratio:format(target.over, target.of)
end

-- Limits of both of our sides: ">= 4", "<= 1.5 / 1.3".
local function limit_text(target, limits)
  local text = limits.lua == limits.luajit and ("%g"):format(limits.lua)
    or ("%g / %g"):format(limits.lua, limits.luajit)
  return (target.at_least and ">= " or "<= ") .. text .. (target.us and " µs" or "")
end

-- Counts what the gate judges, in `gate`.
local function count(verdict, gate)
  if verdict.gated then
    local name = verdict.failed and "failed" or "passed"
    gate[name] = gate[name] + 1
  end
end

local function judged(target, measured, gate)
  local row, limits = { ratio = describe(target), value = {}, reached = {} }, {}
  for _, side in ipairs(figures.OURS) do
    local verdict = judge.one(target, side, measured)
    if verdict then
      row.value[side], row.reached[side], limits[side] = verdict.value, verdict.reached, verdict.limit
      count(verdict, gate)
    end
  end
  limits.lua, limits.luajit = limits.lua or limits.luajit, limits.luajit or limits.lua
  row.limit = limits.lua and limit_text(target, limits)
  return row.limit and row
end

local function time(entry, gate)
  local row = { name = entry.case.name, title = entry.case.title, us = {}, targets = {} }
  for side, measured in pairs(entry.measured) do
    local thread = stats.median(measured.thread)
    row.us[side] = { wall = stats.median(measured.wall) / 1000, cpu = stats.median(measured.cpu) / 1000,
      thread = thread and thread / 1000 }
  end
  for _, target in ipairs(entry.case.targets) do
    row.targets[#row.targets + 1] = judged(target, entry.measured, gate)
  end
  return row
end

local function longest(entry, at_most_us, gate)
  local row = { title = entry.title, limit = at_most_us, reached = {} }
  for _, side in ipairs(figures.OURS) do
    local of = entry[side]
    local verdict = judge.at_most(of.longest / 1000, at_most_us)
    row[side], row.reached[side] = { trigger = of.trigger / 1000, step = of.step / 1000 }, verdict.reached
    count(verdict, gate)
  end
  return row
end

local function single(entry, gate)
  local limit = entry.case.at_most
  local row = { title = entry.case.title, limit = limit, value = {}, reached = {} }
  for _, side in ipairs(figures.OURS) do
    row.value[side] = entry[side]
    if limit then
      local verdict = judge.at_most(entry[side], limit, entry.case.gated)
      row.reached[side] = verdict.reached
      count(verdict, gate)
    end
  end
  return row
end

local function map(list, each, ...)
  local result = {}
  for i, entry in ipairs(list) do
    result[i] = each(entry, ...)
  end
  return result
end

--- Makes the figures of what measure.lua returns.
-- @tparam table taken `times`, `growth`, `longest` and `single`; `longest_at_most_us`
-- @treturn table `times`, `growth`, `longest`, `single`
-- @treturn table `passed` and `failed`: how many figures the gate judges
function figures.of(taken)
  local gate = { passed = 0, failed = 0 }
  return {
    times = map(taken.times, time, gate),
    growth = taken.growth,
    longest = map(taken.longest, longest, taken.longest_at_most_us, gate),
    single = map(taken.single, single, gate),
  }, gate
end

-- JSON with sorted names and five digits, so that two runs can be compared line by line.
local function text_of(value, indent)
  if type(value) == "number" then
    return (value % 1 == 0 and "%d" or "%.5g"):format(value)
  elseif type(value) ~= "table" then
    return cjson.encode(value)
  end
  local inner, lines, names = indent .. " ", {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  if #value > 0 or #names == 0 then
    for i, member in ipairs(value) do lines[i] = inner .. text_of(member, inner) end
    return "[\n" .. table.concat(lines, ",\n") .. "\n" .. indent .. "]"
  end
  table.sort(names)
  for i, name in ipairs(names) do
    lines[i] = ("%s%s: %s"):format(inner, cjson.encode(name), text_of(value[name], inner))
  end
  return "{\n" .. table.concat(lines, ",\n") .. "\n" .. indent .. "}"
end

function figures.save(path, all)
  text_file.write(path, text_of(all, "") .. "\n")
end

function figures.load(path)
  return cjson.decode(text_file.read(path))
end

return figures
