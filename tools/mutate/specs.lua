--- Which specs to run for a module, and in which order.

local text_file = require "tools.text_file"

local specs = {}

-- Not run but for their own modules: they take long, or look at the text of the tree only.
local SLOW = {
  "spec/architecture_spec.lua", "spec/core", "spec/curl", "spec/hostile_arguments_spec.lua", "spec/push/wire_spec.lua",
  "spec/transport/async/", "spec/transport/async_spec.lua", "spec/transport/curl_spec.lua",
  "spec/transport/wire_spec.lua", "spec/base/no_proxy_spec.lua", "spec/base/url_spec.lua", "tools/",
}
-- Run although they do not require the module: the one starts programs that do, the other reads the text.
local ALWAYS = { ["spec/readme_spec.lua"] = true, ["spec/module_lines_spec.lua"] = true }
-- Of the slow ones, those to run for a module of a transport. What ngx sends is seen inside nginx only.
local OF_TRANSPORTS = {
  ["lua/pusher/transport/async"] = { "spec/transport/async", "spec/transport/wire_spec.lua" },
  ["lua/pusher/transport/curl"] = { "spec/transport/curl", "spec/curl_spec.lua", "spec/transport/wire_spec.lua" },
}

local function starts_with_one_of(text, list)
  for _, start in ipairs(list) do
    if text:sub(1, #start) == start then
      return true
    end
  end
  return false
end

--- Paths of the files below some folders whose names end in `suffix`, sorted.
function specs.files(folders, suffix)
  local paths = {}
  local list = assert(io.popen(("find %s -name '*%s' -not -path '*/node_modules/*'"):format(folders, suffix)))
  for path in list:lines() do
    paths[#paths + 1] = path
  end
  list:close()
  table.sort(paths)
  return paths
end

local function module_name(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/", "."))
end

--- Which files require each module: { [module] = { path, … } }. A spec counts as one that requires its own module.
function specs.graph(paths)
  local users = {}
  local function add(module, path)
    users[module] = users[module] or {}
    table.insert(users[module], path)
  end
  for _, path in ipairs(paths) do
    local text = text_file.read(path):gsub("%f[%w_]late%.load%f[^%w_]", "require") -- pusher.base.late
    for module in text:gmatch("require%s*[(,]?%s*[\"']([%w_.]+)[\"']") do
      -- "pusher.transport." .. name is any of these modules.
      for _, other in ipairs(module:sub(-1) == "." and paths or {}) do
        if starts_with_one_of(module_name(other), { module }) then
          add(module_name(other), path)
        end
      end
      add(module, path)
    end
    if path:find("^spec/.*_spec%.lua$") then
      add(module_name(specs.module_of(path)), path)
    end
  end
  return users
end

--- The path of the module that a spec is named for; it need not exist.
function specs.module_of(path)
  return path == "spec/pusher_spec.lua" and "lua/pusher.lua"
    or (path:gsub("^spec/", "lua/pusher/"):gsub("_spec%.lua$", ".lua"))
end

-- How many requires each file is away from a module.
local function distances(users, path)
  local found, queue = { [path] = 0 }, { path }
  for _, from in ipairs(queue) do
    for _, user in ipairs(users[module_name(from)] or {}) do
      if not found[user] then
        found[user] = found[from] + 1
        queue[#queue + 1] = user
      end
    end
  end
  return found
end

--- The specs for a file, the nearest ones first.
-- @tparam string path of the file that is changed
-- @tparam table users from `specs.graph`
-- @tparam table all paths of all specs
-- @treturn table the module's own spec and those of the modules that require it
-- @treturn table the other ones that can reach it and are not slow
function specs.order(path, users, all)
  local far, distance = distances(users, path), {}
  local of_transport = OF_TRANSPORTS[path:match("^(.*)%.lua$")] or {}
  local near, others = {}, {}
  for _, spec in ipairs(all) do
    local wanted = starts_with_one_of(spec, of_transport)
    local slow = starts_with_one_of(spec, SLOW)
    distance[spec] = specs.module_of(spec) == path and 0 or far[spec]
      or (wanted or ALWAYS[spec]) and math.huge or nil
    if distance[spec] == 0 or (distance[spec] and (wanted or not slow)) then
      local list = (distance[spec] == 0 or (distance[spec] <= 2 and not slow)) and near or others
      list[#list + 1] = spec
    end
  end
  local function nearer(a, b)
    return distance[a] < distance[b] or (distance[a] == distance[b] and a < b)
  end
  table.sort(near, nearer)
  table.sort(others, nearer)
  return near, others
end

return specs
