-- The rules that hold the tree together: who may require whom, who may look at nginx, how long things may get.

local source = require("spec.helpers.source")

local LUA_FILES = source.files("lua", "lua")
local C_FILES = source.files("src", "c", "h")

-- The layers, from the bottom. A module belongs to the first layer with a pattern that fits its name.
local LAYERS = {
  { name = "errors", "^pusher%.errors$" },
  { name = "core", "^pusher%.core$" },
  { name = "driver", "^pusher%.curl$" },
  { name = "pending", "^pusher%.pending$" },
  { name = "transport", "^pusher%.transport%." },
  { name = "chooser", "^pusher%.transport$" },
  { name = "client", "^pusher%.client$", "^pusher%.client%." },
  { name = "door", "^pusher$" },
  { name = "service", "^pusher%.publisher", "^pusher%.openresty", "^pusher%.push", "^pusher%.beams" },
  { name = "pure", "^pusher%." },
}

-- What a layer may require besides itself. Nothing requires the door, and only the door the client.
local ALLOWED = {
  errors = {},
  pure = { "errors", "core" },
  pending = { "errors" },
  transport = { "errors", "driver", "pending" },
  chooser = { "errors", "transport" },
  service = { "errors", "core", "pure", "pending", "chooser" },
  client = { "errors", "core", "pure", "pending", "chooser", "transport", "service" },
  door = { "errors", "core", "pure", "client" },
}

-- Foreign modules, and who may ask for them.
local FOREIGN = {
  cjson = { ["pusher.base.json"] = true },
  ffi = { ["pusher.transport.ngx.certificate"] = true },
}

local MAY_LOOK_AT_NGX = {
  ["lua/pusher/transport.lua"] = true,
  ["lua/pusher/openresty.lua"] = true,
}

local function layer_of(module)
  for _, layer in ipairs(LAYERS) do
    for _, pattern in ipairs(layer) do
      if module:find(pattern) then
        return layer.name
      end
    end
  end
  return nil
end

local function allows(from, to)
  if from == to then
    return true
  end
  for _, name in ipairs(ALLOWED[from] or {}) do
    if name == to then
      return true
    end
  end
  return false
end

local function may_require(from, to)
  local layer = layer_of(to)
  if layer then
    return allows(layer_of(from), layer)
  end
  local base = to:match("^[^.]+")
  if base == "ngx" or base == "resty" then
    return from:find("ngx", 1, true) or from:find("openresty", 1, true)
  end
  return FOREIGN[base] and FOREIGN[base][from]
end

local function edges_of(path)
  return source.requires(source.read(path))
end

local function lua_opens(line)
  return line:match("^local function ([%w_]+)") or line:match("^function ([%w_.:]+)")
end

-- .clang-format puts a function's brace alone at the left margin, and nothing else's.
local function c_opens(line)
  return line == "{" and "function"
end

-- Lists what breaks a rule, so that a failure names all of it at once.
local function assert_none(list)
  assert.equal("", table.concat(list, "\n"))
end

describe("the tree", function()
  it("holds files to look at", function()
    assert.is_true(#LUA_FILES > 10)
    assert.is_true(#C_FILES > 5)
  end)

  it("has only the allowed require edges", function()
    local broken = {}
    for _, path in ipairs(LUA_FILES) do
      local from = source.module_name(path)
      for _, to in ipairs((edges_of(path))) do
        if not may_require(from, to) then
          broken[#broken + 1] = ("%s (%s) requires %s (%s)"):format(
            from, layer_of(from), to, layer_of(to) or "foreign")
        end
      end
    end
    assert_none(broken)
  end)

  it("asks for a module by a computed name only where transports and push handlers are chosen", function()
    local broken = {}
    for _, path in ipairs(LUA_FILES) do
      local _, computed = edges_of(path)
      if computed > 0 and path ~= "lua/pusher/transport.lua" and path ~= "lua/pusher/push.lua" then
        broken[#broken + 1] = path
      end
    end
    assert_none(broken)
  end)

  it("has no circle of requires", function()
    local edges, state, circles = {}, {}, {}
    for _, path in ipairs(LUA_FILES) do
      edges[source.module_name(path)] = (edges_of(path))
    end
    local function visit(module, trail)
      if state[module] == "open" then
        circles[#circles + 1] = trail .. " -> " .. module
      elseif edges[module] and not state[module] then
        state[module] = "open"
        for _, to in ipairs(edges[module]) do
          visit(to, trail .. " -> " .. module)
        end
        state[module] = "done"
      end
    end
    for module in pairs(edges) do
      visit(module, "")
    end
    assert_none(circles)
  end)

  it("looks at ngx only where the library meets nginx", function()
    local broken = {}
    for _, path in ipairs(LUA_FILES) do
      local code = source.code(source.read(path), true)
      local named = path:find("ngx", 1, true) or MAY_LOOK_AT_NGX[path]
      if not named and code:find("%f[%w_.]ngx%f[^%w_]") then
        broken[#broken + 1] = path
      end
    end
    assert_none(broken)
  end)

  it("has a spec for every module", function()
    local missing = {}
    for _, path in ipairs(LUA_FILES) do
      local spec = path:gsub("^lua/pusher/", "spec/"):gsub("^lua/", "spec/"):gsub("%.lua$", "_spec.lua")
      local file = io.open(spec)
      missing[#missing + 1] = not file and spec or nil
      if file then
        file:close()
      end
    end
    assert_none(missing)
  end)

  it("makes no global, and works under a global table that refuses them", function()
    local modules = {}
    for _, path in ipairs(LUA_FILES) do
      modules[#modules + 1] = ("%q"):format(source.module_name(path))
    end
    local program = os.tmpname()
    local file = assert(io.open(program, "w"))
    file:write([[
      setmetatable(_G, {
        __newindex = function(_, name) error("global " .. tostring(name) .. " is written", 2) end,
        __index = function(_, name)
          if name ~= "ngx" and name ~= "jit" and name ~= "unpack" and name ~= "setfenv" and name ~= "utf8"
            and name ~= "loadstring" and name ~= "bit" and name ~= "bit32" then
            error("global " .. tostring(name) .. " is read", 2)
          end
        end,
      })
      require = require
      for _, name in ipairs { ]], table.concat(modules, ", "), [[ } do
        local ok, message = pcall(require, name)
        if not ok then print(name, message) end
      end
    ]])
    file:close()
    local output = assert(io.popen(os.getenv("PUSHER_LUA") .. " " .. program .. " 2>&1"))
    local text = output:read("*a")
    output:close()
    os.remove(program)
    assert.equal("", text)
  end)
end)

describe("length", function()
  local function too_long(files, limit)
    local broken = {}
    for _, path in ipairs(files) do
      local _, lines = source.read(path):gsub("\n", "")
      if lines > limit then
        broken[#broken + 1] = ("%s: %d lines"):format(path, lines)
      end
    end
    return broken
  end

  local function long_functions(files, opens, closes, limit)
    local broken, seen = {}, 0
    for _, path in ipairs(files) do
      for _, found in ipairs(source.functions(path, opens, closes)) do
        seen = seen + 1
        if found.lines > limit then
          broken[#broken + 1] = ("%s:%d: %s, %d lines"):format(path, found.line, found.name, found.lines)
        end
      end
    end
    return broken, seen
  end

  it("of a file is at most 400 lines", function()
    assert_none(too_long(LUA_FILES, 400))
    assert_none(too_long(C_FILES, 400))
  end)

  it("of a function is at most 60 lines", function()
    local broken, seen = long_functions(C_FILES, c_opens, "^}", 60)
    assert_none(broken)
    assert.is_true(seen > 30)
    broken, seen = long_functions(LUA_FILES, lua_opens, "^end", 60)
    assert_none(broken)
    assert.is_true(seen > 50)
  end)
end)

describe("C", function()
  -- A library neither ends the process nor writes without a bound.
  local BANNED = { "abort", "exit", "_exit", "assert", "sprintf", "vsprintf", "strcpy", "strcat", "strtok", "gets" }

  it("calls nothing that ends the process or writes without a bound", function()
    local broken = {}
    for _, path in ipairs(C_FILES) do
      local code = source.read(path):gsub("/%*.-%*/", ""):gsub('"[^"\n]*"', '""')
      for _, name in ipairs(BANNED) do
        if code:find("%f[%w_]" .. name .. "%s*%(") then
          broken[#broken + 1] = path .. ": " .. name
        end
      end
    end
    assert_none(broken)
  end)

  it("exports the two entry points and nothing else", function()
    for _, name in ipairs { "core", "curl" } do
      local list = assert(io.popen(("nm -D --defined-only %s/pusher/%s.so"):format(os.getenv("PUSHER_BUILD"), name)))
      local exported = {}
      for symbol in list:read("*a"):gmatch("%x+ %u ([%w_]+)") do
        if not symbol:find("^__") then -- a sanitizer's
          exported[#exported + 1] = symbol
        end
      end
      list:close()
      assert.same({ "luaopen_pusher_" .. name }, exported)
    end
  end)
end)

describe("the version", function()
  it("is written in one place, and the changelog knows it", function()
    local version = require("pusher")._VERSION
    assert.is_truthy(version:match("^%d+%.%d+%.%d+$"))
    local places = {}
    local files = source.files("lua src", "lua", "c", "h")
    files[#files + 1] = "pusher-dev-1.rockspec"
    files[#files + 1] = "Makefile"
    for _, path in ipairs(files) do
      if source.read(path):find(version, 1, true) then
        places[#places + 1] = path
      end
    end
    assert.equal(1, #places)
    assert.is_truthy(source.read("CHANGELOG.md"):find("## " .. version, 1, true))
  end)
end)
