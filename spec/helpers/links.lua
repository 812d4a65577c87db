--- Finds the links of a Markdown page, and the anchors that GitHub gives its headings.

local links = {}

-- The page without its code: blocks become empty lines, so that line numbers stay, and code in a line becomes nothing.
local function lines_of(text)
  local lines, in_block = {}, false
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    local fence = line:find("^%s*```") ~= nil
    lines[#lines + 1] = (fence or in_block or line:find("^    ")) and "" or line
    in_block = in_block ~= fence
  end
  return lines
end

local function anchor(title)
  title = title:gsub("%[([^%]]*)%]%([^)]*%)", "%1"):gsub("%u", string.lower)
  return (title:gsub("[^%w%s_-]", ""):gsub("%s", "-"))
end

--- The anchors of the page's headings, as a set.
function links.anchors(text)
  local anchors, seen = {}, {}
  for _, line in ipairs(lines_of(text)) do
    local title = line:match("^#+%s+(.-)%s*$")
    if title then
      local name = anchor(title)
      local count = seen[name]
      seen[name] = (count or 0) + 1
      anchors[count and name .. "-" .. count or name] = true
    end
  end
  return anchors
end

--- The targets of links and pictures that are not on the web: a list of { line =, path = "" or a path, anchor = or nil }.
function links.relative(text)
  local found = {}
  for number, line in ipairs(lines_of(text)) do
    line = line:gsub("`[^`]*`", "")
    for _, pattern in ipairs { "%]%(([^)%s]+)%)", 'src="([^"]+)"', 'srcset="([^"]+)"', 'href="([^"]+)"' } do
      for target in line:gmatch(pattern) do
        if not target:find("^%a+:") then
          found[#found + 1] = { line = number, path = target:match("^[^#]*"), anchor = target:match("#(.*)$") }
        end
      end
    end
  end
  return found
end

return links
