--- Reads the Lua blocks of the pages (README.md and docs/*.md) and runs them in a sandbox.

local source = require("spec.helpers.source")

local readme = {}

--- Every ```lua block, or of another language: { line =, text =, setup = NAME or "client", expected = { … } }.
-- `<!-- run: NAME -->` on the line before a block names its set-up. A line of the block may end in
-- `--> TEXT`: the TEXTs, in order, are what the block prints.
-- @tparam string page the path of the file
-- @tparam[opt="lua"] string language
function readme.blocks(page, language)
  local opening = "^%s*```" .. (language or "lua") .. "%s*$"
  local text = source.read(page)
  local blocks, current, number, setup = {}, nil, 0, nil
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    number = number + 1
    if current and line:find("^%s*```%s*$") then
      current.text = table.concat(current, "\n")
      blocks[#blocks + 1], current = current, nil
    elseif current then
      current[#current + 1] = line
      current.expected[#current.expected + 1] = line:match("%-%->%s*(.-)%s*$")
    elseif line:find(opening) then
      current, setup = { page = page, line = number + 1, setup = setup or "client", expected = {} }, nil
    elseif line:find("%S") then
      setup = line:match("^%s*<!%-%-%s*run:%s*(.-)%s*%-%->%s*$")
    end
  end
  return blocks
end

--- The name of the host that a block needs, or nil.
function readme.host(block)
  return block.setup:match("^host ([%w_]+)$")
end

-- Makes the line numbers of errors those of the page.
local function compile(block, env)
  local text = ("\n"):rep(block.line - 1) .. block.text
  if _VERSION == "Lua 5.1" then
    local chunk, message = loadstring(text, "@" .. block.page)
    return chunk and setfenv(chunk, env), message
  end
  return load(text, "@" .. block.page, "t", env)
end

local function joined(...)
  local texts = {}
  for index = 1, select("#", ...) do
    texts[index] = tostring((select(index, ...)))
  end
  return table.concat(texts, "\t")
end

--- Runs a block with `names` beside the standard globals; raises what it raises.
-- @treturn table the lines it printed
function readme.run(block, names)
  local printed = {}
  local env = setmetatable({}, { __index = function(_, name)
    local value = names[name]
    if value == nil then
      value = _G[name]
    end
    return value
  end })
  env._G = env
  env.print = function(...)
    printed[#printed + 1] = joined(...)
  end
  assert(compile(block, env))()
  return printed
end

--- The rows of the tables in a text whose header begins with `first`: lists of cells.
function readme.rows(text, first)
  local found, in_table = {}, false
  for line in (text .. "\n"):gmatch("(.-)\n") do
    if in_table and line:find("^|") then
      local cells = {}
      for cell in line:gmatch("|%s*([^|]-)%s*%f[|]") do
        cells[#cells + 1] = cell
      end
      found[#found + 1] = not cells[1]:find("^%-+$") and cells or nil
    else
      in_table = line:find("^| " .. first .. " |") ~= nil
    end
  end
  assert(found[1], first)
  return found
end

--- The text below the headings that match the pattern, down to the next heading of the same rank.
function readme.section(text, pattern)
  local kept, rank, in_block = {}, nil, false
  for line in (text .. "\n"):gmatch("(.-)\r?\n") do
    in_block = in_block ~= (line:find("^%s*```") ~= nil)
    local marks, title
    if not in_block then
      marks, title = line:match("^(#+)%s+(.*)")
    end
    if marks and rank and #marks <= rank then
      rank = nil
    end
    if marks and not rank and title:find(pattern) then
      rank = #marks
    end
    if rank then
      kept[#kept + 1] = line
    end
  end
  return table.concat(kept, "\n")
end

--- The paths of all pages.
function readme.pages()
  local pages = source.files("docs", "md")
  table.insert(pages, 1, "README.md")
  return pages
end

--- All pages as one text.
function readme.text()
  local texts = {}
  for index, page in ipairs(readme.pages()) do
    texts[index] = source.read(page)
  end
  return table.concat(texts, "\n")
end

return readme
