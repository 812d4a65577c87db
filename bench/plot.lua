--- Draws the figures as SVG, light and dark: bars of all sides on a logarithmic scale, and curves of growth. The width
-- is that of a phone, and wider screens enlarge it a little.

local report = require "bench.report"
local sides = require "bench.sides"

local plot = {}

local WIDTH, LEFT, RIGHT, ROW = 360, 62, 308, 16

-- Text has a contrast of at least 4.5 to the ground, bars and lines of at least 3 (WCAG 2, AA).
local COLOURS = {
  light = { ground = "#ffffff", text = "#1f2328", muted = "#59636e", grid = "#d1d9e0", lua = "#0550ae",
    luajit = "#8250df", rust = "#953800", go = "#1a7f37", other = "#6e7781" },
  dark = { ground = "#0d1117", text = "#e6edf3", muted = "#9198a1", grid = "#30363d", lua = "#79c0ff",
    luajit = "#d2a8ff", rust = "#ffa657", go = "#56d364", other = "#8b949e" },
}

local DASHES = { lua = "", luajit = "6 2", rust = "2 2", go = "8 2 2 2" }

local BARS = {
  calls = { title = "Authorizing and webhooks, µs of CPU",
    "authorize_private", "authorize_presence", "authorize_encrypted", "webhook", "webhook_10" },
  publish = { title = "Publishing, µs of CPU", "trigger", "batch", "in_flight", "publisher" },
}

local function log10(value)
  return math.log(value) / math.log(10)
end

-- A drawing collects elements; `y` is where the next one begins.
local function new_drawing(colours)
  local elements = {}
  local drawing = { y = 0, colours = colours }

  function drawing.add(format, ...)
    elements[#elements + 1] = format:format(...)
  end

  function drawing.text(x, y, text, given)
    given = given or {}
    drawing.add('<text x="%.1f" y="%.1f" fill="%s" font-size="%d"%s%s>%s</text>', x, y, colours[given.fill or "text"],
      given.size or 11, given.bold and ' font-weight="600"' or "",
      given.anchor and ' text-anchor="' .. given.anchor .. '"' or "", (text:gsub("&", "&amp;"):gsub("<", "&lt;")))
  end

  -- Lines lie below all else.
  function drawing.line(x1, y1, x2, y2)
    table.insert(elements, 1, ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>'):format(
      x1, y1, x2, y2, colours.grid))
  end

  function drawing.finish(title)
    local height = math.ceil(drawing.y)
    return table.concat {
      ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="480" '):format(WIDTH, height),
      'font-family="system-ui,sans-serif" role="img">\n<title>', title, "</title>\n",
      ('<rect width="%d" height="%d" fill="%s"/>\n'):format(WIDTH, height, colours.ground),
      table.concat(elements, "\n"), "\n</svg>\n",
    }
  end

  return drawing
end

-- The powers of ten below the smallest and above the largest value of the cases.
local function decades(cases)
  local low, high = math.huge, -math.huge
  for _, case in ipairs(cases) do
    for _, side in ipairs(sides.all) do
      local us = case.us[side.name]
      if us then low, high = math.min(low, us.cpu), math.max(high, us.cpu) end
    end
  end
  return math.floor(log10(low)), math.ceil(log10(high))
end

-- Lines from `top` to here, with their values at both ends.
local function draw_scale(drawing, low, high, top)
  for decade = low, high do
    local x = LEFT + (decade - low) / (high - low) * (RIGHT - LEFT)
    drawing.line(x, top, x, drawing.y)
    for _, y in ipairs { top - 4, drawing.y + 13 } do
      drawing.text(x, y, ("%g"):format(10 ^ decade), { fill = "muted", anchor = "middle" })
    end
  end
  drawing.y = drawing.y + 20
end

local function draw_bar(drawing, side, us, low, high)
  local colours, name = drawing.colours, side.name
  local width = math.max(1, (log10(us) - low) / (high - low) * (RIGHT - LEFT))
  local ours = name == "lua" or name == "luajit"
  drawing.text(LEFT - 5, drawing.y + 11, side.short, { anchor = "end", bold = ours })
  drawing.add('<rect x="%d" y="%.1f" width="%.1f" height="11" fill="%s"/>', LEFT, drawing.y + 2, width,
    colours[ours and name or "other"])
  drawing.text(LEFT + width + 4, drawing.y + 11, report.number(us), { bold = ours })
  drawing.y = drawing.y + ROW
end

local function heading(drawing, title)
  drawing.text(4, 18, title, { size = 13, bold = true })
  drawing.y = 28
end

local function draw_case(drawing, case, low, high)
  drawing.text(4, drawing.y + 13, case.title, { bold = true })
  drawing.y = drawing.y + 18
  for _, side in ipairs(sides.all) do
    local us = case.us[side.name]
    if us then draw_bar(drawing, side, us.cpu, low, high) end
  end
  drawing.y = drawing.y + 8
end

local function bars(all, wanted, colours)
  local cases, drawing = {}, new_drawing(colours)
  for _, name in ipairs(wanted) do
    for _, case in ipairs(all.times) do
      cases[#cases + 1] = case.name == name and case or nil
    end
  end
  local low, high = decades(cases)
  heading(drawing, wanted.title)
  drawing.y = drawing.y + 14
  local top = drawing.y
  for _, case in ipairs(cases) do
    draw_case(drawing, case, low, high)
  end
  draw_scale(drawing, low, high, top)
  return drawing.finish(wanted.title)
end

-- A round number of which about four fit below `value`.
local function step_of(value)
  local decade = 10 ^ math.floor(log10(value / 4))
  for _, factor in ipairs { 1, 2, 5, 10 } do
    if value / (factor * decade) <= 5 then return factor * decade end
  end
end

local PANEL = 150

-- Labels at the ends of the lines, moved apart.
local function draw_labels(drawing, labels)
  table.sort(labels, function(a, b) return a.y > b.y end)
  local limit = math.huge
  for _, label in ipairs(labels) do
    label.y = math.min(label.y, limit - 13)
    limit = label.y
    drawing.text(RIGHT + 6, label.y + 4, label.text, { fill = label.name })
  end
end

local function draw_curve(drawing, points, name, place)
  local coordinates = {}
  for i, point in ipairs(points) do
    if not point[name] then return nil end
    local x, y = place(i, point[name])
    coordinates[i] = ("%.1f,%.1f"):format(x, y)
    drawing.add('<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>', x, y, drawing.colours[name])
  end
  drawing.add('<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>',
    table.concat(coordinates, " "), drawing.colours[name], DASHES[name])
  local _, y = place(#points, points[#points][name])
  return y
end

local function largest(points)
  local high = 0
  for _, point in ipairs(points) do
    for name in pairs(DASHES) do high = math.max(high, point[name] or 0) end
  end
  return high
end

-- One panel: points equally far from each other when they grow by factors, else to scale.
local function draw_panel(drawing, work, points)
  local left, top, high = 36, drawing.y + 24, largest(points)
  local last = work.points[#work.points]
  local function place(i, value)
    local share = work.factors and (i - 1) / (#points - 1) or work.points[i] / last
    return left + share * (RIGHT - left), top + PANEL * (1 - value / high)
  end
  local of = work.of == "cpu" and "CPU" or "wall time"
  drawing.text(4, drawing.y + 13, ("%s: µs of %s a trigger"):format(work.title, of), { bold = true })
  local step = step_of(high)
  for value = 0, high, step do
    local y = top + PANEL * (1 - value / high)
    drawing.line(left, y, RIGHT, y)
    drawing.text(left - 4, y + 4, ("%g"):format(value), { fill = "muted", anchor = "end" })
  end
  local free = -math.huge
  for i, point in ipairs(work.points) do
    local x = place(i, 0)
    if x > free then
      drawing.text(x, top + PANEL + 14, ("%d"):format(point), { fill = "muted", anchor = "middle" })
      free = x + 32
    end
  end
  local labels = {}
  for _, side in ipairs(sides.all) do
    local y = DASHES[side.name] and draw_curve(drawing, points, side.name, place)
    labels[#labels + 1] = y and { y = y, text = side.short, name = side.name }
  end
  draw_labels(drawing, labels)
  drawing.y = top + PANEL + 26
end

local function growth(all, works, colours)
  local drawing = new_drawing(colours)
  heading(drawing, "Growth of a trigger")
  for _, kind in ipairs(works.order) do
    draw_panel(drawing, works[kind], all.growth[kind])
  end
  return drawing.finish("Growth of a trigger")
end

--- All plots.
-- @tparam table all as figures.load returns
-- @tparam table works works.growth
-- @treturn table SVG texts by name: NAME and NAME-dark
function plot.all(all, works)
  local texts = {}
  for theme, colours in pairs(COLOURS) do
    local suffix = theme == "dark" and "-dark" or ""
    for name, wanted in pairs(BARS) do
      texts[name .. suffix] = bars(all, wanted, colours)
    end
    texts["growth" .. suffix] = growth(all, works, colours)
  end
  return texts
end

return plot
