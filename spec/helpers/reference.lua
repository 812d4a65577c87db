--- The public functions and what the comments above them say, read from the source as LDoc reads it.

local source = require("spec.helpers.source")

local reference = {}

local function config()
  local environment = { error = error }
  local chunk
  if rawget(_G, "setfenv") then
    chunk = setfenv(assert(loadfile("config.ld")), environment)
  else
    chunk = assert(loadfile("config.ld", "t", environment))
  end
  chunk()
  return environment
end

-- Of a file whose functions are on another module's page, that module.
local function master(path)
  return source.read(path):match("\n%-%- @submodule ([%w_.]+)\n")
end

--- The pages of the reference: a list of `{ path =, module =, object = what the page calls an object, or nil }`.
function reference.pages()
  local read, pages = config(), {}
  for _, path in ipairs(read.file) do
    if not master(path) then
      local module = source.module_name(path)
      local shown = read.postprocess_html("methods:", { name = module })
      pages[#pages + 1] = { path = path, module = module, object = shown ~= "methods:" and shown:sub(1, -2) or nil }
    end
  end
  return pages
end

--- The rules that `@source` names: names to addresses.
function reference.sources()
  for _, tag in ipairs(config().custom_tags) do
    if tag.sources then
      return tag.sources
    end
  end
end

local function words(text)
  local list = {}
  for word in text:gmatch("[%w_]+") do
    list[#list + 1] = word
  end
  return list
end

local readers = {}

-- `T name text`, with `[opt]` or `[opt=default]` before.
function readers.tparam(item, rest)
  local optional, type, name, text = rest:match("^(%b[]) (%S+) (%S+)(.*)$")
  if not optional then
    type, name, text = rest:match("^ (%S+) (%S+)(.*)$")
  end
  item.params[#item.params + 1] = { name = name, type = type, optional = optional ~= nil, text = text,
    default = optional and optional:match("^%[opt=(.*)%]$") }
end

function readers.param(item, rest)
  local optional, name, text = rest:match("^(%b[]) (%S+)(.*)$")
  if not optional then
    name, text = rest:match("^ (%S+)(.*)$")
  end
  item.params[#item.params + 1] = { name = name, type = "any", optional = optional ~= nil, text = text }
end

function readers.treturn(item, rest)
  local type, text = rest:match("^ (%S+)(.*)$")
  item.returns[#item.returns + 1] = { type = type, text = text }
end

readers["return"] = function(item, rest)
  item.returns[#item.returns + 1] = { type = "any", text = rest }
end

function readers.fails(item, rest)
  item.fails = rest
end

function readers.source(item, rest)
  item.sources[#item.sources + 1] = rest:match("^ (.*)$")
end

readers["local"] = function(item)
  item.private = true
end

-- A comment's tags; the lines of one are joined.
local function read_comment(item, lines)
  local text = table.concat(lines, "\n"):gsub("\n%-%-+", "\n"):gsub("^%-+ ?", "")
  local description, tags = text:match("^(.-)(\n @.*)$")
  item.description = (description or text):gsub("%s+", " ")
  for tag in ((tags or "") .. "\n @"):gmatch("@(.-)\n %f[@]") do
    local name, rest = tag:gsub("%s+", " "):match("^(%a+)(.*)$")
    assert(readers[name], "unknown tag @" .. name)(item, rest)
  end
end

-- Whether the function that begins at lines[first] returns something.
local function has_result(lines, first)
  local index = first
  repeat
    if lines[index]:find("%f[%w]return%f[%W]%s*[^%s;]") then
      return true
    end
    index = index + 1
  until lines[index - 1]:find("^end") or lines[index - 1]:find("%f[%w]end$") and index == first + 1
  return false
end

local function add_functions(list, path)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  local own = lines[#lines]:match("^return ([%w_]+)$")
  local comment = {}
  for number, line in ipairs(lines) do
    local name, arguments = line:match("^function ([%w_.:]+)%((.-)%)")
    if name then
      local item = { name = name, line = number, arguments = words(arguments), params = {}, returns = {}, sources = {}, path = path,
        documented = comment[1] ~= nil, has_result = has_result(lines, number) }
      if comment[1] and comment[1]:find("^%-%-%-") then
        read_comment(item, comment)
      end
      item.name = name
      local is_public = name:find("^methods:") or name:match("^[^.:]+") == own
      list[#list + 1] = is_public and not item.private and item or nil
    end
    if line:find("^%-%-") then
      comment[#comment + 1] = line
    else
      comment = {}
    end
  end
end

--- The functions on a public module's page, in the source's order, private ones (`@local`) left out: a list of
-- `{ name = such as "methods:trigger", line =, arguments = names, params = list of { name, type, optional, text, default },
-- returns = list of { type, text }, fails = text of @fails, sources = texts of @source, description =, documented =,
-- has_result = whether it returns something }`.
function reference.functions(path)
  local list = {}
  add_functions(list, path)
  for _, other in ipairs(config().file) do
    if master(other) == source.module_name(path) then
      add_functions(list, other)
    end
  end
  return list
end

-- Prefixes of spec.helpers.hostile_calls to modules, where they are not "pusher." and the prefix.
local MODULES = { pusher = "pusher", registry = "pusher.push", fcm = "pusher.push.fcm", stdout = "pusher.push.stdout" }
for _, name in ipairs { "uid", "drafty", "access_mode", "timestamp", "receipt" } do
  MODULES[name] = "pusher.push.tinode." .. name
end

local by_name

local function read_all()
  by_name = {}
  for _, page in ipairs(reference.pages()) do
    for _, item in ipairs(reference.functions(page.path)) do
      by_name[page.module .. item.name:match("[.:].*$")] = item
    end
  end
end

--- Whether a function's comment has this code. One that fails with "those of" something else may have any.
-- @tparam string call as spec.helpers.hostile_calls names it, such as "client:trigger"
function reference.has_code(call, code)
  if not by_name then
    read_all()
  end
  local prefix, name = call:match("^(.-)([.:][%w_]+)$")
  if prefix == "openresty.decide" then
    prefix, name = "openresty", ".decide" .. name
  end
  local module = MODULES[prefix] or "pusher." .. prefix
  local item = assert(by_name[module .. name] or by_name[module .. ":" .. name:sub(2)], call) -- the default registry's
  local fails = item.fails or ""
  return fails:find("those ", 1, true) ~= nil or fails:gsub(";.*", ""):find("%f[%w_]" .. code .. "%f[^%w_]") ~= nil
end

return reference
