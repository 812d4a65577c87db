--- Reads types/: classes, aliases and functions, as LuaCATS writes them.

local source = require("spec.helpers.source")

local luacats = {}

local CLOSING = { ["("] = ")", ["{"] = "}", ["["] = "]", ["<"] = ">" }

-- Where the bracket or the string at `at` ends; `at` itself for any other character.
local function skip(text, at)
  local char = text:sub(at, at)
  if char == '"' then
    return text:find('"', at + 1, true)
  elseif CLOSING[char] then
    local _, last = text:find("%b" .. char .. CLOSING[char], at)
    return last
  end
  return at
end

-- The type at the start of a text, and the rest. A type ends at a space outside brackets, unless : , or | is before it.
local function split_type(text)
  local at = 1
  while at <= #text do
    if text:sub(at, at) == " " and not text:sub(at - 1, at - 1):find("[:,|]") then
      break
    end
    at = skip(text, at) + 1
  end
  return text:sub(1, at - 1), text:sub(at + 1)
end

-- The members of a union.
local function union(text)
  local parts, first, at = {}, 1, 1
  while at <= #text do
    if text:find("^fun%b()", at) then -- the types of its results are part of it
      break
    elseif text:sub(at, at) == "|" then
      parts[#parts + 1], first = text:sub(first, at - 1), at + 1
    end
    at = skip(text, at) + 1
  end
  parts[#parts + 1] = text:sub(first)
  return parts
end

-- "name? type text" -> { name, optional, type, text }
local function read_named(rest)
  local name, mark, after = rest:match("^([%w_]+)(%??) (.*)$")
  local type, text = split_type(after)
  return { name = name, optional = mark == "?", type = type, text = text }
end

local readers = {}

function readers.class(state, rest)
  local name, parents = rest:match("^([%w_.]+)[^:]*(.*)$")
  state.class = { name = name, parent = parents:match("^: *([%w_.]+)"), fields = {}, module = state.module }
  assert(not state.types.classes[name], name)
  state.types.classes[name] = state.class
end

function readers.field(state, rest)
  local field = read_named(rest)
  state.class.fields[field.name] = field
end

function readers.alias(state, rest)
  local name, definition = rest:match("^([%w_.]+) ?(.*)$")
  state.alias = { name = name, type = definition ~= "" and split_type(definition) or nil, members = {} }
  state.types.aliases[name] = state.alias
end

function readers.param(state, rest)
  state.params[#state.params + 1] = read_named(rest)
end

readers["return"] = function(state, rest)
  state.returns[#state.returns + 1] = split_type(rest)
end

local function read_line(state, line)
  local tag, rest = line:match("^%-%-%-@(%a+) (.*)$")
  local name, arguments = line:match("^function [%w_]+([.:][%w_.]+)%((.-)%) end$")
  if readers[tag] then
    readers[tag](state, rest)
  elseif line:find('^%-%-%-| "') then
    state.alias.members[line:match('"(.-)"')] = true
  elseif name then
    local list = {}
    for argument in arguments:gmatch("[%w_]+") do
      list[#list + 1] = argument
    end
    state.functions[name] = { name = name, arguments = list, params = state.params, returns = state.returns }
  end
  if not line:find("^%-%-%-") then
    state.params, state.returns = {}, {}
  end
end

--- All of types/: `classes`, `aliases`, and `modules`, from the module's name to its functions: ":trigger" or ".new" to
-- `{ arguments = names, params = list of { name, optional, type, text }, returns = list of types }`.
function luacats.read()
  local types = { classes = {}, aliases = {}, modules = {} }
  for _, path in ipairs(source.files("types", "lua")) do
    local module = path:gsub("^types/", ""):gsub("%.lua$", ""):gsub("/", ".")
    local state = { types = types, module = module, functions = {}, params = {}, returns = {} }
    for line in io.lines(path) do
      read_line(state, line)
    end
    types.modules[module] = state.functions
  end
  return types
end

--- The fields of a class and of those that it extends.
function luacats.fields(types, name)
  local fields, class = {}, types.classes[name]
  while class do
    for field, entry in pairs(class.fields) do
      fields[field] = fields[field] or entry
    end
    class = types.classes[class.parent]
  end
  return fields
end

local BUILTIN = { any = "any", T = "any" } -- T is a pending's result
for _, name in ipairs { "string", "number", "integer", "boolean", "table", "true", "false", "nil" } do
  BUILTIN[name] = name
end

--- The kinds of values that a type allows: a set of Lua's names, and "integer", "true", "false", "any".
function luacats.kinds(types, text, kinds)
  kinds = kinds or {}
  for _, part in ipairs(union(text)) do
    local alias = types.aliases[part]
    if alias and next(alias.members) then
      kinds.string = true
    elseif alias then
      luacats.kinds(types, alias.type, kinds)
    else
      local kind = BUILTIN[part] or part:find("^fun%(") and "function" or part:find('^"') and "string"
        or (part:find("[%[{<]") or types.classes[part]) and "table"
      kinds[assert(kind, "unknown type " .. part)] = true
    end
  end
  return kinds
end

--- The strings that a type lists: a set.
function luacats.strings(types, text)
  local strings = {}
  for _, part in ipairs(union(text)) do
    local alias = types.aliases[part]
    for member in pairs(alias and alias.members or {}) do
      strings[member] = true
    end
    strings[part:match('^"(.*)"$') or false] = true
  end
  strings[false] = nil
  return strings
end

return luacats
