--- Takes the figures: times of all sides in turns, growth, the longest calls of a game, figures of one process each.

local judge = require "bench.judge"
local same = require "bench.same"
local sides = require "bench.sides"
local stats = require "bench.stats"
local works = require "bench.works"

local measure = {}

-- To reach a target of the longest tick, or to pass the gate: what other programs do comes at random, what the library
-- does comes each time.
local ATTEMPTS = 3

-- How many operations a side does in one round, so that every round takes about as long.
-- Ends with a whole round, which warms up compilers and connections.
local function calibrate(side, name, ms)
  -- The first time may include set-up that is not part of the figure.
  if not side:run(name, 1) then return nil end
  local n, goal = 64, ms * 1e6
  while true do
    local wall = side:run(name, n)
    if wall * n >= goal / 2 then return math.max(1, math.floor(goal / wall)) end
    n = math.floor(math.max(2, math.min(8, goal / (wall * n))) * n)
  end
end

local function in_turns(taking_part, rounds)
  for round = 1, rounds do
    for i = 1, #taking_part do
      -- Each round begins with another side.
      local t = taking_part[(i + round) % #taking_part + 1]
      t.of.wall[round], t.of.cpu[round], t.of.thread[round] = t.side:run(t.name, t.n)
    end
  end
end

local function compares_parts(case)
  for _, target in ipairs(case.targets) do
    if target.over == "parts" then return true end
  end
end

-- All sides that know the case, and its parts.
local function measure_case(case, started, options)
  local taking_part, measured = {}, {}
  local function add(side, name, key)
    local n = calibrate(side, name, options.ms)
    if n then
      measured[key] = { wall = {}, cpu = {}, thread = {} }
      taking_part[#taking_part + 1] = { side = side, name = name, n = n, of = measured[key] }
    end
    return measured[key]
  end
  for _, side in ipairs(started) do
    local of = add(side, case.name, side.name)
    if of then of.text = side:show(case.name) end
    if of and sides.luas[side.name] and compares_parts(case) then
      add(side, "parts_" .. case.name, side.name .. "_parts")
    end
  end
  in_turns(taking_part, options.rounds)
  return measured
end

local function wanted(options, name)
  return not options.only or name:find(options.only, 1, true)
end

--- How many steps of `options.steps` (tools/progress) the functions below take together.
function measure.count(options)
  local count = 0
  local function add(name, steps)
    count = count + (wanted(options, name) and steps or 0)
  end
  for _, case in ipairs(works.time) do add(case.name, 1) end
  for _, kind in ipairs(options.gate and {} or works.growth.order) do
    add("growth_" .. kind, #works.growth[kind].points)
  end
  for _, case in ipairs(works.longest.situations) do add("longest_" .. case.name, 1) end
  for _, case in ipairs(works.single) do add(case.name, 1) end
  return count
end

--- The cases by time: a list of `case` and `measured`, the times by side.
function measure.times(started, options)
  local all = {}
  for _, case in ipairs(works.time) do
    if wanted(options, case.name) then
      options.steps:step(case.name)
      local measured
      for _ = 1, options.gate and ATTEMPTS or 1 do
        measured = measure_case(case, started, options)
        if not judge.fails(case, measured) then break end
      end
      same.check(case.name, measured)
      all[#all + 1] = { case = case, measured = measured }
    end
  end
  return all
end

-- One point of a curve: by side, the median of what is shown, in microseconds.
local function measure_point(name, of, started, options)
  local taking_part, point = {}, {}
  for _, side in ipairs(started) do
    local n = calibrate(side, name, options.ms / 2)
    if n then
      taking_part[#taking_part + 1] =
        { side = side, name = name, n = n, of = { wall = {}, cpu = {}, thread = {} } }
    end
  end
  in_turns(taking_part, math.min(options.rounds, 3))
  for _, t in ipairs(taking_part) do
    point[t.side.name] = stats.median(t.of[of]) / 1000
  end
  return point
end

--- The growth of triggers: by kind, a list of `points`, each by side, in microseconds.
function measure.growth(started, options)
  local all = {}
  for _, kind in ipairs(works.growth.order) do
    if wanted(options, "growth_" .. kind) then
      local points = {}
      for i, size in ipairs(works.growth[kind].points) do
        options.steps:step(kind .. "_" .. size)
        points[i] = measure_point(kind .. "_" .. size, works.growth[kind].of, started, options)
      end
      all[kind] = points
    end
  end
  return all
end

-- Names that nobody resolves are looked up by a resolver that does not respond.
local function play(lua, build, name, seconds)
  local pipe = assert(io.popen(("LD_PRELOAD=build/%s/pusher_test/slow_resolver.so %s bench/ticks.lua %s %d"):format(
    build, lua, name, seconds)))
  local trigger, step = pipe:read("n", "n")
  pipe:close()
  assert(step, "the longest tick could not be measured: " .. name)
  return { trigger = trigger, step = step, longest = math.max(trigger, step) }
end

-- The kernel counts interrupts as the thread's time.
local function play_longest(lua, build, name, seconds)
  local best
  for _ = 1, ATTEMPTS do
    local played = play(lua, build, name, seconds)
    best = (not best or played.longest < best.longest) and played or best
    if best.longest <= works.longest.at_most_us * 1000 then break end
  end
  return best
end

--- The longest calls of a game: a list of `title` and, for our sides, nanoseconds of `trigger`, `step` and `longest`.
function measure.longest(options)
  local all = {}
  for _, case in ipairs(works.longest.situations) do
    if wanted(options, "longest_" .. case.name) then
      options.steps:step("longest_" .. case.name)
      all[#all + 1] = { title = case.title,
        lua = play_longest(sides.luas.lua, "5.4", case.name, options.seconds),
        luajit = play_longest(sides.luas.luajit, "jit", case.name, options.seconds) }
    end
  end
  return all
end

local function run_single(lua, case, port)
  local values = {}
  for i = 1, case.runs or 1 do
    local pipe = assert(io.popen(("%s bench/%s.lua %s bench/inputs.json %d"):format(
      lua, case.program, case.name, port)))
    values[i] = assert(pipe:read("n"), case.name .. " could not be measured")
    pipe:close()
  end
  return stats.median(values)
end

--- The figures that a process of its own reports: a list of `case`, `lua` and `luajit`.
function measure.single(port, options)
  local all = {}
  for _, case in ipairs(works.single) do
    if wanted(options, case.name) then
      options.steps:step(case.name)
      all[#all + 1] = { case = case, lua = run_single(sides.luas.lua, case, port),
        luajit = run_single(sides.luas.luajit, case, port) }
    end
  end
  return all
end

return measure
