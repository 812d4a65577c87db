--- Reads the repository's own source for the specs that check its rules.

local text_file = require "tools.text_file"

local source = {}

source.read = text_file.read

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

--- Every module that Lua source asks for by a literal name, also when it is first needed (pusher.base.late), and how
-- often it asks by a computed one.
function source.requires(text)
  local code = source.code(text):gsub("%f[%w_]late%.load%f[^%w_]", "require")
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

--- C source without its comments and without what is inside strings.
function source.c_code(text)
  return (text:gsub("/%*.-%*/", " "):gsub('"[^"\n]*"', '""'))
end

--- The functions and arrays with external linkage, `pusher_*`, that C source defines: a set of names.
function source.c_definitions(text)
  local code, names = source.c_code(text), {}
  for name in code:gmatch("%f[%w_](pusher_[%w_]+)%s*%b()%s*{") do
    names[name] = true
  end
  for name in code:gmatch("%f[%w_](pusher_[%w_]+)%s*%b[]%s*=") do
    names[name] = true
  end
  return names
end

--- Where a header declares each function: names to the title of their section, `/* ---- TITLE ---- */`, or "".
function source.c_declarations(text)
  local found, section = {}, ""
  local marked = text:gsub("/%* %-%-%-%- (.-) %-%-%-%- %*/", "\n@%1\n")
  for statement in source.c_code(marked):gmatch("[^;{}]+") do
    section = statement:match("\n@([^\n]+)") or section
    local name = statement:match("%f[%w_](pusher_[%w_]+)%s*%b()%s*$")
    if name and not statement:find("%f[%w_]static%f[^%w_]") then
      found[name] = section
    end
  end
  return found
end

--- The cycles in a graph.
-- @tparam table edges names to lists of names
-- @treturn table sorted list of texts such as "a -> b -> a"
function source.cycles(edges)
  local state, trail, cycles = {}, {}, {}
  local function visit(node)
    trail[#trail + 1] = node
    if state[node] == "open" then
      local first = 1
      while trail[first] ~= node do
        first = first + 1
      end
      cycles[#cycles + 1] = table.concat(trail, " -> ", first)
    elseif edges[node] and not state[node] then
      state[node] = "open"
      for _, to in ipairs(edges[node]) do
        visit(to)
      end
      state[node] = "done"
    end
    trail[#trail] = nil
  end
  local nodes = {}
  for node in pairs(edges) do
    nodes[#nodes + 1] = node
  end
  table.sort(nodes)
  for _, node in ipairs(nodes) do
    visit(node)
  end
  return cycles
end

--- Every place where a word or phrase stands, in any case; a phrase may be wrapped between comment lines.
-- @treturn table list of { line =, text = the line }
function source.places(text, phrase)
  local found, lower, at = {}, text:lower(), 1
  if not lower:find(phrase:match("^%S+"), 1, true) then -- saves most of the time
    return found
  end
  local pattern = "()%f[%a]" .. phrase:gsub(" ", "[%%s%%-%%*]+") .. "%f[%A]()"
  while true do
    local first, last = lower:match(pattern, at)
    if not first then
      return found
    end
    local _, newlines = text:sub(1, first):gsub("\n", "")
    found[#found + 1] = { line = newlines + 1, text = text:sub(1, first):match("[^\n]*$"):match("^%s*(.*)")
      .. text:sub(first + 1):match("^[^\n]*") }
    at = last
  end
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
