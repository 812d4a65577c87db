--- Writes the figures into the pages: the text between `<!-- bench: NAME -->` and `<!-- end of bench -->`; and draws
-- the plots.

local plot = require "bench.plot"
local report = require "bench.report"
local text_file = require "tools.text_file"
local works = require "bench.works"

local pages = {}

pages.MIN_ROUNDS, pages.MIN_MS = 9, 80

local PAGES = { "README.md", "bench/RESULTS.md", "docs/performance.md" }
local PLOTS = "docs/pictures/bench-%s.svg"

local function parts(all)
  local of = { growth = report.growth(all, works.growth) }
  for _, name in ipairs { "machine", "readme", "times", "short_times", "targets", "longest", "single", "behind" } do
    of[name] = report[name](all)
  end
  return of
end

local function fill(text, of, path)
  return (text:gsub("(<!%-%- bench: ([%w_]+) %-%->\n).-(<!%-%- end of bench %-%->)", function(head, name, tail)
    return head .. "\n" .. assert(of[name], path .. " asks for unknown figures: " .. name) .. "\n\n" .. tail
  end))
end

--- Whether the pages may show the figures of a run: a whole one that is not too short.
-- @tparam table options run.lua's
function pages.take(options)
  return not options.only and options.sides == "all" and options.rounds >= pages.MIN_ROUNDS
    and options.ms >= pages.MIN_MS
end

--- All files as these figures make them.
-- @tparam table all as figures.load returns
-- @treturn table texts by path
function pages.render(all)
  local texts, of = {}, parts(all)
  for _, path in ipairs(PAGES) do
    texts[path] = fill(text_file.read(path), of, path)
  end
  for name, svg in pairs(plot.all(all, works.growth)) do
    texts[PLOTS:format(name)] = svg
  end
  return texts
end

--- The files that differ from what the figures make.
-- @treturn table sorted list of paths
function pages.stale(all)
  local list = {}
  for path, text in pairs(pages.render(all)) do
    if not text_file.exists(path) or text_file.read(path) ~= text then list[#list + 1] = path end
  end
  table.sort(list)
  return list
end

function pages.write(all)
  for path, text in pairs(pages.render(all)) do
    text_file.write(path, text)
  end
end

return pages
