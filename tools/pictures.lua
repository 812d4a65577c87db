--- Draws docs/pictures/*.txt as SVG, in light and in dark colours; `make pictures` writes them. Our own, because each
-- version of a general tool draws something else.
--
-- The text, a statement a line; columns are counted from 0 to 24, and a box is beside the others of its row:
--   picture TITLE | DESCRIPTION
--   row                                         what follows is one row further down
--   box NAME KIND COLUMN COLUMNS | TITLE | LINE...   KIND: yours, lua, c, other; text in `` is code
--   tall NAME KIND COLUMN COLUMNS FIRST LAST | ...   from the top of the box FIRST to the bottom of the box LAST
--   group NAME COLUMN COLUMNS | TITLE           an outline around the rows up to `end`
--   arrow FROM TO [both]                        straight down, up or across

local pictures = {}

-- In pixels of a picture that is not scaled; whole numbers, which every locale writes alike.
local WIDTH, MARGIN, COLUMN, INSET = 420, 6, 17, 4
local SHOWN_WIDTH = 480
local ROW_GAP, GROUP_GAP, PADDING, HEAD, DETAIL, TIP = 20, 12, 7, 18, 16, 7
local SIZES = { title = 14, detail = 13 }
-- Mean width of a character, in parts of the font's size, for fonts that are wider than most.
local SANS, BOLD, MONO = 0.53, 0.6, 0.61

pictures.COLOURS = {
  light = {
    ground = "#ffffff", title = "#1f2328", detail = "#424a53", arrow = "#57606a", outline = "#818b98",
    yours = { "#eff2f5", "#6e7781" }, lua = { "#ddf4ff", "#0969da" }, c = { "#fff1e5", "#bc4c00" },
    other = { "#fbefff", "#8250df" },
  },
  dark = {
    ground = "#0d1117", title = "#f0f6fc", detail = "#c5ccd6", arrow = "#9198a1", outline = "#7d8590",
    yours = { "#262c36", "#8b949e" }, lua = { "#10294d", "#4493f8" }, c = { "#3d2007", "#f0883e" },
    other = { "#2b1c50", "#ab7df8" },
  },
}

local function split(text)
  local parts = {}
  for part in (text .. "|"):gmatch("%s*([^|]-)%s*|") do
    parts[#parts + 1] = part
  end
  return parts
end

local function characters(text)
  return #text:gsub("[\128-\191`]", "")
end

local function width_of(text, size, sans)
  local code = 0
  for part in text:gmatch("`[^`]*`") do
    code = code + characters(part)
  end
  return size * (code * MONO + (characters(text) - code) * sans)
end

-- A group's is as small as a detail.
local function is_title(box, number)
  return number == 1 and box.kind ~= "group"
end

local function place(picture, box, words, lines)
  box.column, box.columns, box.lines = tonumber(words[1]), tonumber(words[2]), lines
  box.x, box.width = MARGIN + box.column * COLUMN + INSET, box.columns * COLUMN - 2 * INSET
  box.head = lines[1] ~= "" and HEAD or 0
  box.needs = box.head + (#lines - 1) * DETAIL
  picture.boxes[box.name] = box
  picture.list[#picture.list + 1] = box
  for i, line in ipairs(lines) do
    local width = is_title(box, i) and width_of(line, SIZES.title, BOLD) or width_of(line, SIZES.detail, SANS)
    assert(width <= box.width - 4, ("%s: too long for its box: %s"):format(box.name, line))
  end
end

local function end_row(picture)
  local height = 0
  for _, box in ipairs(picture.row) do
    height = math.max(height, box.needs + 2 * PADDING)
  end
  for _, box in ipairs(picture.row) do
    box.y, box.height = picture.y, height
  end
  picture.y = picture.y + (height > 0 and height + (picture.group and GROUP_GAP or ROW_GAP) or 0)
  picture.row = {}
end

local statements = {}

function statements.picture(picture, _, lines)
  picture.title, picture.description = lines[1], lines[2]
end

statements.row = end_row

function statements.box(picture, words, lines)
  local box = { name = words[1], kind = words[2] }
  place(picture, box, { words[3], words[4] }, lines)
  picture.row[#picture.row + 1] = box
end

function statements.tall(picture, words, lines)
  local box = { name = words[1], kind = words[2] }
  place(picture, box, { words[3], words[4] }, lines)
  box.first, box.last = words[5], words[6]
end

function statements.group(picture, words, lines)
  end_row(picture)
  local box = { name = words[1], kind = "group", y = picture.y }
  place(picture, box, { words[2], words[3] }, lines)
  box.x, box.width = box.x - 6, box.width + 12
  picture.group, picture.y = box, picture.y + HEAD + 2 * PADDING
end

statements["end"] = function(picture)
  end_row(picture)
  picture.group.height = picture.y - picture.group.y
  picture.y, picture.group = picture.y + ROW_GAP, nil
end

function statements.arrow(picture, words)
  picture.arrows[#picture.arrows + 1] = { from = words[1], to = words[2], both = words[3] == "both" }
end

--- Reads a picture's text and places its boxes.
-- @treturn table `{ title =, description =, list =, boxes =, arrows =, height = }`: `list` are the boxes in order, `boxes`
-- the same by name; raises on a mistake
function pictures.read(text)
  local picture = { boxes = {}, list = {}, arrows = {}, row = {}, y = MARGIN, title = "", description = "" }
  for line in text:gmatch("[^\n]+") do
    local head, rest = line:match("^([^|]*)|?(.*)$")
    local name, words = head:match("^%s*(%S*)"), {}
    for word in head:gmatch("%S+") do
      words[#words + 1] = word
    end
    table.remove(words, 1)
    if name ~= "" and name:sub(1, 1) ~= "#" then
      local statement = assert(statements[name], "no such statement: " .. line)
      statement(picture, words, split(name == "picture" and line:gsub("^picture ", "") or rest))
    end
  end
  end_row(picture)
  for _, box in ipairs(picture.list) do
    if box.first then
      local first, last = picture.boxes[box.first], picture.boxes[box.last]
      box.y, box.height = first.y, last.y + last.height - first.y
      assert(box.needs <= box.height - 4, box.name .. ": too many lines for its box")
    end
  end
  picture.height = picture.y - ROW_GAP + MARGIN
  return picture
end

-- The middle of what two ranges share, or nil.
local function middle(a, a_length, b, b_length)
  local from, to = math.max(a, b), math.min(a + a_length, b + b_length)
  return from < to and math.floor((from + to) / 2) or nil
end

--- Where an arrow starts and ends: it is straight.
function pictures.line(picture, arrow)
  local from, to = assert(picture.boxes[arrow.from], arrow.from), assert(picture.boxes[arrow.to], arrow.to)
  local x = middle(from.x, from.width, to.x, to.width)
  if x then
    local down = to.y > from.y
    return x, down and from.y + from.height or from.y, x, down and to.y or to.y + to.height
  end
  local y = assert(middle(from.y, from.height, to.y, to.height), arrow.from .. " does not face " .. arrow.to)
  local right = to.x > from.x
  return right and from.x + from.width or from.x, y, right and to.x or to.x + to.width, y
end

local function escape(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local function text_element(out, x, y, class, line)
  local marked = escape(line):gsub("`([^`]*)`", '<tspan class="code">%1</tspan>')
  out[#out + 1] = ('<text x="%.0f" y="%.0f" class="%s">%s</text>'):format(x, y, class, marked)
end

local function draw_box(out, box)
  out[#out + 1] = ('<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="6" class="%s"/>'):format(
    box.x, box.y, box.width, box.height, box.kind)
  local y = box.kind == "group" and box.y + PADDING or box.y + math.floor((box.height - box.needs) / 2)
  for i, line in ipairs(box.lines) do
    if line ~= "" then
      text_element(out, box.x + math.floor(box.width / 2), y + (i == 1 and 14 or box.head + (i - 1) * DETAIL - 4),
        is_title(box, i) and "title" or "detail", line)
    end
  end
end

local function style(colours)
  local rules = {
    'text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;text-anchor:middle}',
    (".title{font-size:%.0fpx;font-weight:600;fill:%s}"):format(SIZES.title, colours.title),
    (".detail{font-size:%.0fpx;fill:%s}"):format(SIZES.detail, colours.detail),
    ".code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}",
    (".group{fill:none;stroke:%s;stroke-dasharray:4 3}"):format(colours.outline),
    (".arrow{stroke:%s;stroke-width:1.5}.tip{fill:%s}"):format(colours.arrow, colours.arrow),
  }
  for _, kind in ipairs { "yours", "lua", "c", "other" } do
    rules[#rules + 1] = (".%s{fill:%s;stroke:%s}"):format(kind, colours[kind][1], colours[kind][2])
  end
  return table.concat(rules, "\n")
end

-- A triangle whose point is at (x, y), looking along (dx, dy).
local function draw_tip(out, x, y, dx, dy)
  local back_x, back_y, side = x - TIP * dx, y - TIP * dy, TIP - 3
  out[#out + 1] = ('<path d="M%.0f %.0fL%.0f %.0fL%.0f %.0fZ" class="tip"/>'):format(
    x, y, back_x + side * dy, back_y + side * dx, back_x - side * dy, back_y - side * dx)
end

local function draw_arrow(out, picture, arrow)
  local x1, y1, x2, y2 = pictures.line(picture, arrow)
  local dx = x1 == x2 and 0 or (x2 > x1 and 1 or -1)
  local dy = y1 == y2 and 0 or (y2 > y1 and 1 or -1)
  -- The line ends inside the tips.
  local back = arrow.both and TIP - 1 or 0
  out[#out + 1] = ('<path d="M%.0f %.0fL%.0f %.0f" class="arrow"/>'):format(
    x1 + back * dx, y1 + back * dy, x2 - (TIP - 1) * dx, y2 - (TIP - 1) * dy)
  draw_tip(out, x2, y2, dx, dy)
  if arrow.both then
    draw_tip(out, x1, y1, -dx, -dy)
  end
end

--- Draws a picture.
-- @tparam table picture as `read` returns it
-- @tparam string colours "light" or "dark"
-- @treturn string SVG
function pictures.draw(picture, colours)
  local out = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f" role="img" aria-labelledby="t d">'):format(
      SHOWN_WIDTH, math.floor(picture.height * SHOWN_WIDTH / WIDTH), WIDTH, picture.height),
    ('<title id="t">%s</title>'):format(escape(picture.title)),
    ('<desc id="d">%s</desc>'):format(escape(picture.description)),
    "<style>",
    style(pictures.COLOURS[colours]),
    "</style>",
    ('<rect width="%d" height="%.0f" rx="8" fill="%s"/>'):format(WIDTH, picture.height, pictures.COLOURS[colours].ground),
  }
  for _, box in ipairs(picture.list) do
    draw_box(out, box)
  end
  for _, arrow in ipairs(picture.arrows) do
    draw_arrow(out, picture, arrow)
  end
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

--- The SVG files that are drawn from a text: names to contents.
function pictures.files(path, text)
  local picture, stem = pictures.read(text), path:gsub("%.txt$", "")
  return { [stem .. ".svg"] = pictures.draw(picture, "light"), [stem .. "-dark.svg"] = pictures.draw(picture, "dark") }
end

return pictures
