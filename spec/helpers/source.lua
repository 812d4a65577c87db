--- Reads the repository's own source for the specs that check its rules.

local source = {}

function source.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- Sorted paths of the files below `folder` whose names end in one of the extensions.
function source.files(folder, ...)
  local names = {}
  for _, extension in ipairs { ... } do
    names[#names + 1] = ("-name '*.%s'"):format(extension)
  end
  local paths = {}
  local list = assert(io.popen(("find %s \\( %s \\) -not -path '*/node_modules/*'"):format(
    folder, table.concat(names, " -o "))))
  for path in list:lines() do
    paths[#paths + 1] = path
  end
  list:close()
  table.sort(paths)
  return paths
end

--- "lua/pusher/push/tinode/uid.lua" -> "pusher.push.tinode.uid"
function source.module_name(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", "."))
end

-- Where the token at `from` ends, and what it is: "comment", "string" or nil (anything else, one character).
local function token(text, from)
  local comment = text:match("^%-%-()", from)
  local level, body = text:match("^%[(=*)%[()", comment or from)
  if level then
    local _, last = text:find("]" .. level .. "]", body, true)
    return comment and "comment" or "string", last or #text
  elseif comment then
    return "comment", (text:find("\n", comment, true) or #text + 1) - 1
  end
  local quote = text:match("^[\"']", from)
  if not quote then
    return nil, from
  end
  local at = from + 1
  while at <= #text and text:sub(at, at) ~= quote do
    at = at + (text:sub(at, at) == "\\" and 2 or 1)
  end
  return "string", at
end

--- Lua source without its comments, and on demand without what is inside strings.
function source.code(text, without_strings)
  local kept, at = {}, 1
  while at <= #text do
    local kind, last = token(text, at)
    if kind == "string" and without_strings then
      kept[#kept + 1] = '""'
    elseif kind ~= "comment" then
      kept[#kept + 1] = text:sub(at, last)
    end
    at = last + 1
  end
  return table.concat(kept)
end

--- Every module that Lua source asks for by a literal name, and how often it asks by a computed one.
function source.requires(text)
  local code = source.code(text)
  local names, computed = {}, 0
  for argument in code:gmatch("%f[%w_]require%f[^%w_]([^\n]*)") do
    local _, name, rest = argument:match("^%s*[,(]?%s*([\"'])([%w_.]+)%1(.*)$")
    if name and not rest:find("^%s*%.%.") then
      names[#names + 1] = name
    else
      computed = computed + 1
    end
  end
  return names, computed
end

--- Functions that start and end at the left margin: a list of { name =, line =, lines = }.
-- `opens(line)` gives the function's name or nil; `closes` is the pattern of its last line.
function source.functions(path, opens, closes)
  local found, current, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local name = not current and opens(line)
    if name then
      current = { name = name, line = number }
    end
    if current and (line:find(closes) or line:find("%f[%w]end[%s)]*$") and current.line == number) then
      current.lines = number - current.line + 1
      found[#found + 1], current = current, nil
    end
  end
  return found
end

return source
