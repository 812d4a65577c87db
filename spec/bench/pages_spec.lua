-- The pages and the plots of the benchmark show the figures of bench/figures.json.

local figures = require "bench.figures"
local pages = require "bench.pages"
local plot = require "bench.plot"
local report = require "bench.report"
local works = require "bench.works"

-- A figure, its limit and the sides: what a run makes.
local function measured(ns)
  return { wall = { ns }, cpu = { ns }, thread = {} }
end

local function taken()
  local case = { name = "webhook", title = "webhook", targets = {
    { over = "go", of = "cpu", at_least = 2 },
    { over = "parts", of = "cpu", at_most = { lua = 1.5, luajit = 1.3 } },
    { over = "rust", of = "cpu", at_least = 1 },
    { of = "cpu", us = 0.4 },
  } }
  return { growth = {}, longest = {}, single = {}, times = { { case = case, measured = {
    lua = measured(300), luajit = measured(140), lua_parts = measured(120), luajit_parts = measured(100),
    go = measured(450),
  } } } }
end

describe("the figures", function()
  it("are judged for each of our sides, by its own limit and its own parts", function()
    local all, gate = figures.of(taken())
    local targets = all.times[1].targets
    assert.equal(3, #targets) -- Rust was not measured
    assert.same({ ratio = "go / ours, cpu", value = { lua = 1.5, luajit = 450 / 140 }, limit = ">= 2",
      reached = { lua = false, luajit = true } }, targets[1])
    assert.same({ ratio = "ours / parts, cpu", value = { lua = 2.5, luajit = 1.4 }, limit = "<= 1.5 / 1.3",
      reached = { lua = false, luajit = false } }, targets[2])
    assert.same({ lua = true, luajit = true }, targets[3].reached)
    assert.same({ passed = 6, failed = 0 }, gate)
  end)

  it("fail the gate at twice the limit of a side", function()
    local run = taken()
    run.times[1].measured.luajit = measured(261)
    local _, gate = figures.of(run)
    assert.same({ passed = 5, failed = 1 }, gate)
  end)

  it("are read as they were saved", function()
    local path, all = os.tmpname(), figures.of(taken())
    figures.save(path, all)
    local read = figures.load(path)
    os.remove(path)
    assert.equal("webhook", read.times[1].name)
    assert.equal(0.3, read.times[1].us.lua.cpu)
    assert.same(all.times[1].targets[1].reached, read.times[1].targets[1].reached)
  end)
end)

describe("the tables", function()
  local function all_with(us)
    return { times = { { name = "trigger", title = "trigger", us = us, targets = {} } } }
  end

  local function time(wall, cpu)
    return { wall = wall, cpu = cpu }
  end

  it("of README.md have our sides, Go, Node and Python, and at most eight rows", function()
    local lines = {}
    for line in (report.readme(figures.load(figures.PATH)) .. "\n"):gmatch("(.-)\n") do
      lines[#lines + 1] = line
    end
    assert.equal("| µs of CPU | ours, Lua 5.4 | ours, LuaJIT | Go | Node | Python |", lines[1])
    assert.is_true(#lines > 2 and #lines <= 2 + 8)
  end)

  it("say in which time another library is ahead of which side of ours", function()
    local all = all_with { lua = time(3, 3), luajit = time(1, 1), bare = time(0, 0), rust = time(2, 2), go = time(2, 4),
      node = time(4, 2), java = time(0.5, 0.5), python = time(9, 9) }
    assert.equal("| trigger | Rust, Go (wall), Node (CPU), Java | Java |", report.behind(all):match("[^\n]*$"))
  end)

  it("say that no library is ahead where none is", function()
    local all = all_with { lua = time(1, 1), luajit = time(1, 1), go = time(1, 1) }
    assert.equal("In this run none of the other libraries was ahead in any row.", report.behind(all))
  end)
end)

describe("the pages", function()
  local all = figures.load(figures.PATH)

  it("show the figures of bench/figures.json: else run make bench-pages", function()
    assert.same({}, pages.stale(all))
  end)

  it("take the figures of a whole run that is not too short", function()
    local function taken_with(name, value)
      local options = { rounds = 9, ms = 80, sides = "all" }
      options[name] = value
      return pages.take(options)
    end
    assert.is_true(taken_with("rounds", 9))
    for name, value in pairs { rounds = 8, ms = 79, sides = "lua,go", only = "webhook" } do
      assert.is_false(taken_with(name, value), name)
    end
  end)

  it("change with the figures", function()
    all.times[1].us.lua.cpu = 12345
    local stale = table.concat(pages.stale(all), " ")
    all = figures.load(figures.PATH)
    for _, path in ipairs { "README.md", "bench/RESULTS.md", "docs/performance.md", "bench-calls.svg",
      "bench-calls-dark.svg" } do
      assert.is_truthy(stale:find(path, 1, true), path .. " does not show the first figure")
    end
  end)
end)

describe("the plots", function()
  -- WCAG 2, relative luminance.
  local function luminance(colour)
    local sum, weights = 0, { 0.2126, 0.7152, 0.0722 }
    for i, weight in ipairs(weights) do
      local value = tonumber(colour:sub(2 * i, 2 * i + 1), 16) / 255
      sum = sum + weight * (value <= 0.04045 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4)
    end
    return sum
  end

  local function contrast(one, other)
    local a, b = luminance(one), luminance(other)
    return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
  end

  it("have a contrast of AA, no script, and text that a phone shows", function()
    local wrong = {}
    local function check(name, ok, text)
      wrong[#wrong + 1] = not ok and name .. ": " .. text or nil
    end
    for name, svg in pairs(plot.all(figures.load(figures.PATH), works.growth)) do
      local ground = svg:match('<rect width="360" height="%d+" fill="(#%x+)"/>')
      for colour, size in svg:gmatch('<text[^>]- fill="(#%x+)" font%-size="(%d+)"') do
        check(name, contrast(ground, colour) >= 4.5, colour .. " as text")
        check(name, tonumber(size) >= 11, "text of " .. size)
      end
      for shape, colour in svg:gmatch('<(%a+) [^>]-fill="(#%x+)"/>') do
        check(name, shape ~= "rect" or colour == ground or contrast(ground, colour) >= 3, colour .. " as a bar")
      end
      for colour in svg:gmatch('<polyline [^>]-stroke="(#%x+)"') do
        check(name, contrast(ground, colour) >= 3, colour .. " as a line")
      end
      check(name, not svg:find("<script", 1, true) and not svg:find("href", 1, true), "a script or a link")
      for x, text in svg:gmatch('<text x="([%d.]+)"[^>]*>([^<]*)<') do -- 7 px a letter at most, for those that begin there
        local start = svg:find('x="' .. x .. '"[^>]*text%-anchor[^>]*>' .. text:gsub("%p", "%%%0"))
        check(name, start or tonumber(x) + 6.3 * #text <= 360, "too wide: " .. text)
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
  end)
end)
