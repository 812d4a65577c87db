local pictures = require "tools.pictures"
local text_file = require "tools.text_file"

-- WCAG 2.1, "relative luminance" and "contrast ratio".
local function luminance(colour)
  local sum = 0
  for i, weight in ipairs { 0.2126, 0.7152, 0.0722 } do
    local value = tonumber(colour:sub(2 * i, 2 * i + 1), 16) / 255
    sum = sum + weight * (value <= 0.03928 and value / 12.92 or ((value + 0.055) / 1.055) ^ 2.4)
  end
  return sum
end

local function contrast(a, b)
  a, b = luminance(a), luminance(b)
  return (math.max(a, b) + 0.05) / (math.min(a, b) + 0.05)
end

describe("the pictures", function()
  for _, name in ipairs { "architecture", "publisher" } do
    it("of docs/pictures/" .. name .. ".txt are what make pictures draws", function()
      local path = "docs/pictures/" .. name .. ".txt"
      local drawn = 0
      for file, svg in pairs(pictures.files(path, text_file.read(path))) do
        drawn = drawn + 1
        assert.is_true(svg == text_file.read(file), file .. " is older than its text: make pictures")
      end
      assert.equal(2, drawn)
    end)
  end

  it("of the chat has 150 KiB at most", function()
    assert.is_true(#text_file.read("docs/pictures/chat.png") <= 150 * 1024)
  end)

  it("need nothing else: no script, no font, no address", function()
    local path = "docs/pictures/architecture.txt"
    for _, svg in pairs(pictures.files(path, text_file.read(path))) do
      local own = svg:gsub(' xmlns="http://www.w3.org/2000/svg"', "")
      for _, word in ipairs { "<script", "://", "url(", "@import", "href" } do
        assert.is_nil(own:find(word, 1, true), word)
      end
    end
  end)

  -- WCAG 2.1, 1.4.3 and 1.4.11: 4.5 for text, 3 for lines.
  for name, colours in pairs(pictures.COLOURS) do
    it("have the contrast of AA in " .. name .. " colours", function()
      for _, kind in ipairs { "yours", "lua", "c", "other" } do
        local fill, stroke = colours[kind][1], colours[kind][2]
        assert.is_true(contrast(colours.title, fill) >= 4.5, kind)
        assert.is_true(contrast(colours.detail, fill) >= 4.5, kind)
        assert.is_true(contrast(stroke, colours.ground) >= 3, kind)
      end
      assert.is_true(contrast(colours.detail, colours.ground) >= 4.5)
      assert.is_true(contrast(colours.arrow, colours.ground) >= 3)
      assert.is_true(contrast(colours.outline, colours.ground) >= 3)
    end)
  end

  it("have letters of 11 pixels on a phone, which shows 360", function()
    local svg = pictures.draw(pictures.read("box a lua 0 8 | title | line\n"), "light")
    local width = tonumber(svg:match('viewBox="0 0 (%d+) '))
    for size in svg:gmatch("font%-size:(%d+)px") do
      assert.is_true(size * 360 / width >= 11, size)
    end
  end)
end)

describe("a picture's text", function()
  local function read(text)
    return function()
      return pictures.read(text)
    end
  end

  it("may hold what XML does not", function()
    local svg = pictures.draw(pictures.read("box a lua 0 12 | a < b && `c` > d\n"), "dark")
    assert.is_truthy(svg:find('>a &lt; b &amp;&amp; <tspan class="code">c</tspan> &gt; d</text>', 1, true))
  end)

  it("fits its box", function()
    assert.has_error(read "box a lua 0 4 | 123456789012\n", "a: too long for its box: 123456789012")
    assert.has_no_error(read "box a lua 0 4 | 123456\n")
    assert.has_error(read "box a lua 0 6 | a\ntall b c 8 6 a a | b | 1 | 2 | 3\n", "b: too many lines for its box")
  end)

  it("is refused with the line that cannot be read", function()
    assert.has_error(read "circle a\n", "no such statement: circle a")
  end)

  it("puts rows below one another, and a group around its rows", function()
    local boxes = pictures.read([[
box a lua 0 6 | a
box b lua 8 6 | b | b
group g 0 6 | g
box c lua 0 6 | c
end
row
box d lua 0 6 | d
]]).boxes
    local function bottom(box)
      return box.y + box.height
    end
    assert.equal(boxes.a.y, boxes.b.y)
    assert.equal(boxes.a.height, boxes.b.height)
    assert.is_true(bottom(boxes.a) < boxes.g.y and boxes.g.y < boxes.c.y)
    assert.is_true(bottom(boxes.c) < bottom(boxes.g) and bottom(boxes.g) < boxes.d.y)
  end)

  it("has arrows straight from edge to edge, down, up and across", function()
    local picture = pictures.read("box a lua 0 6 | a\nbox b lua 8 6 | b\nrow\nbox c lua 0 6 | c\n")
    local a, b, c = picture.boxes.a, picture.boxes.b, picture.boxes.c
    local function line(from, to)
      return { pictures.line(picture, { from = from, to = to }) }
    end
    local x, y = a.x + a.width / 2, a.y + math.floor(a.height / 2)
    assert.same({ x, a.y + a.height, x, c.y }, line("a", "c"))
    assert.same({ x, c.y, x, a.y + a.height }, line("c", "a"))
    assert.same({ a.x + a.width, y, b.x, y }, line("a", "b"))
    assert.same({ b.x, y, a.x + a.width, y }, line("b", "a"))
    assert.has_error(function()
      line("b", "c")
    end, "b does not face c")
  end)
end)
