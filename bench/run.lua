--- The benchmark. See README.md; `make bench` calls it.
--
-- lua5.4 bench/run.lua [--rounds N] [--ms N] [--seconds N] [--only CASE] [--sides a,b,c] [--gate] [--pages]

local figures = require "bench.figures"
local machine = require "bench.machine"
local measure = require "bench.measure"
local pages = require "bench.pages"
local report = require "bench.report"
local server = require "bench.server"
local sides = require "bench.sides"
local works = require "bench.works"
local progress = require "tools.progress"

local options = { rounds = pages.MIN_ROUNDS, ms = pages.MIN_MS, seconds = 3, sides = "all" }
local FLAGS = { gate = true, pages = true }

local function read_options(args)
  local i = 1
  while args[i] do
    local name = args[i]:match("^%-%-(.+)")
    if FLAGS[name] then
      options[name] = true
    else
      i = i + 1
      if not name or not args[i] then error("cannot read option " .. tostring(args[i - 1] or args[i]), 0) end
      options[name] = tonumber(args[i]) or args[i]
    end
    i = i + 1
  end
end

local function names_of(started)
  local names = {}
  for _, side in ipairs(started) do names[side.name] = true end
  return names
end

-- Runs everything that the options ask for.
local function take(started, port)
  return {
    times = measure.times(started, options),
    growth = options.gate and {} or measure.growth(started, options),
    single = measure.single(port, options),
    longest = measure.longest(options),
    longest_at_most_us = works.longest.at_most_us,
  }
end

local function measure_all()
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("l")
  pipe:close()
  local finish = machine.watch()
  local nginx = server.start(dir)
  local started, left_out = sides.start(options.sides, dir, nginx.port)
  options.steps = progress.new(measure.count(options))
  local all, gate = figures.of(take(started, nginx.port))
  options.steps:clear()
  all.machine = finish()
  for name, text in pairs(machine.describe(names_of(started))) do all.machine[name] = text end
  all.machine.date, all.machine.rounds, all.machine.ms = os.date("!%Y-%m-%d"), options.rounds, options.ms
  all.machine.left_out = left_out
  -- Backwards: a later side has inherited the fifos of the earlier ones and would keep them open.
  for i = #started, 1, -1 do
    started[i]:stop()
  end
  nginx.stop()
  os.execute("rm -rf " .. dir)
  return all, gate
end

local function print_all(all)
  print(report.machine(all))
  for _, tables in ipairs { { "times", "times" }, { "times", "targets" }, { "longest", "longest" },
    { "single", "single" } } do
    if all[tables[1]][1] then print("\n" .. report[tables[2]](all)) end
  end
  if next(all.growth) then print("\n" .. report.growth(all, works.growth)) end
end

local function main()
  read_options(arg)
  if options.pages then
    return pages.write(figures.load(figures.PATH))
  end
  local all, gate = measure_all()
  print_all(all)
  if options.gate then
    print "\nA figure that misses its target by more than the gate allows has failed, see judge.lua."
    print(("%d passed, %d failed"):format(gate.passed, gate.failed))
    os.exit(gate.failed == 0)
  elseif pages.take(options) then
    figures.save(figures.PATH, all)
    pages.write(figures.load(figures.PATH)) -- as rounded there
    print("\nWritten: " .. figures.PATH .. ", the tables of the pages, and the plots.")
  end
end

main()
