-- The rules that hold the tree together: who may require whom, who may look at nginx, how long things may get, which
-- words are not used. CONTRIBUTING.md explains them.

local source = require("spec.helpers.source")

local LUA_FILES = source.files("lua", "lua")
local C_FILES = source.files("src", "c", "h")

local PUBLIC = { "beams", "client", "openresty", "pending", "publisher", "push", "transport" }

-- A module belongs to the first part with a pattern that fits its name.
local PARTS = {
  { name = "core", "^pusher%.core$" },
  { name = "curl", "^pusher%.curl$" },
  { name = "base", "^pusher%.base%." },
  { name = "pending", "^pusher%.pending$" },
  { name = "transport.curl", "^pusher%.transport%.curl$" },
  { name = "transport.async", "^pusher%.transport%.async$", "^pusher%.transport%.async%." },
  { name = "transport.ngx", "^pusher%.transport%.ngx$", "^pusher%.transport%.ngx%." },
  { name = "transport.late", "^pusher%.transport%.late$" },
  { name = "transport.recorder", "^pusher%.transport%.recorder$", "^pusher%.transport%.recorder%." },
  { name = "public", "^pusher$", "^pusher%.%w+$", "^pusher%.push%.fcm$", "^pusher%.push%.stdout$" },
  { name = "channels", "^pusher%.channels%." },
  { name = "publisher", "^pusher%.publisher%." },
  { name = "openresty", "^pusher%.openresty%." },
  { name = "beams", "^pusher%.beams%." },
  { name = "push", "^pusher%.push%." },
  { name = "driver", "^pusher%.driver%." },
}

-- What a part may require besides itself. Nothing but two transports requires libcurl, so nginx never loads it.
local ALLOWED = {
  base = { "core" },
  pending = { "base", "core" },
  ["transport.curl"] = { "base", "core", "curl", "pending" },
  ["transport.async"] = { "base", "core", "curl", "pending" },
  ["transport.ngx"] = { "base", "core", "pending" },
  ["transport.late"] = { "base" },
  ["transport.recorder"] = { "base", "core", "pending", "channels" },
  channels = { "base", "core" },
  publisher = { "base", "core", "driver" },
  openresty = { "base", "core", "channels" },
  beams = { "base", "core" },
  push = { "base", "core", "driver" },
  driver = { "base", "core" },
  public = {
    "base", "core", "pending", "transport.late", "channels", "publisher", "openresty", "beams", "push", "driver",
  },
}

-- Third-party modules, and the modules that may require each.
local THIRD_PARTY = {
  cjson = { ["pusher.base.cjson"] = true },
  ffi = { ["pusher.transport.ngx.certificate"] = true, ["pusher.transport.ngx.readable"] = true },
}

-- Where a module's name may be computed, and where nginx is visible: files, or folders that end in a slash.
local MAY_COMPUTE = { "lua/pusher/base/late.lua", "lua/pusher/transport.lua" }
local MAY_SEE_NGX = {
  "lua/pusher/transport.lua", "lua/pusher/driver/choose.lua", "lua/pusher/driver/nginx.lua",
  "lua/pusher/transport/ngx.lua", "lua/pusher/transport/ngx/", "lua/pusher/openresty.lua", "lua/pusher/base/sleep.lua",
}

-- Specs of something else than one Lua module: files, or folders that end in a slash.
local OTHER_SPECS = {
  "spec/architecture_spec.lua", "spec/module_lines_spec.lua", "spec/readme_spec.lua", "spec/docs_spec.lua",
  "spec/examples_spec.lua", "spec/setup_spec.lua", "spec/reference_spec.lua", "spec/types_spec.lua", -- the tree and its text
  "spec/types_values_spec.lua", "spec/types_options_spec.lua", "spec/types_inputs_spec.lua", -- types/
  "spec/testing_page_spec.lua", "spec/docs_tables_spec.lua", -- pages
  "spec/hostile_arguments_spec.lua", "spec/ranges_spec.lua", "spec/locale_spec.lua", -- all public calls, all options
  "spec/argument_checks_spec.lua", "spec/hostile_growth_spec.lua", "spec/hostile_clock_spec.lua", -- all readers, all clocks
  "spec/hostile_finalizers_spec.lua", -- all functions in C
  "spec/lua_version_spec.lua", "spec/core_spec.lua", "spec/core/", "spec/curl_spec.lua", "spec/curl/", -- C modules
  "spec/client/", -- the client against a server
  "spec/transport/async/", -- the network's thread, whose C files have no Lua module of their own
  "spec/bench/", -- the pages of the benchmark
  "spec/publisher/guarantees_spec.lua", "spec/push/example_spec.lua", "spec/push/wire_spec.lua",
  "spec/transport/tls_spec.lua", "spec/transport/wire_spec.lua", -- several modules together
}

local RETIRED = {
  "answer", "answers", "answered", "trouble", "problem", "problems", "told", "tell", "tells", "telling", "under way",
  "room", "rooms", "door", "carrier", "spare", "blank", "blanks", "glance", "nap", "scout", "complain", "ledger", "peace",
  "patience", "comes to", "came to", "is over", "cap", "caps", "capped", "silent_until", "flying", "take_off", "tls_stands",
  "next_spare", "usual", "usually", "unusual", "quickly", "foreign", "patient", "patiently", "hasty", "hastily", "book",
}
-- In specs, in tools and in the page about them: names of commands, modes and channels, and messages of Pusher's servers.
local ALLOWED_IN_SPECS = { "answer", "answers", "room", "rooms", "is over" }

local function part_of(module)
  for _, part in ipairs(PARTS) do
    for _, pattern in ipairs(part) do
      if module:find(pattern) then
        return part.name
      end
    end
  end
  return nil
end

local function contains(list, value)
  for _, member in ipairs(list) do
    if member == value then
      return true
    end
  end
  return false
end

-- The entry of a list of files and folders that covers a path.
local function entry_for(list, path)
  for _, entry in ipairs(list) do
    if path == entry or (entry:sub(-1) == "/" and path:sub(1, #entry) == entry) then
      return entry
    end
  end
  return nil
end

local function may_require(from, to)
  local part = part_of(to)
  if not part then
    return (THIRD_PARTY[to] or {})[from] ~= nil
  end
  return part == part_of(from) or contains(ALLOWED[part_of(from)], part)
end

-- Lists what breaks a rule, so that a failure names all of it at once.
local function assert_none(list)
  assert.equal("", table.concat(list, "\n"))
end

-- Lists the files where found(path) holds and that are not in `list`, and the entries of `list` that nothing needs.
local function exceptions(list, files, found)
  local broken, used = {}, {}
  for _, path in ipairs(files) do
    if found(path) then
      local entry = entry_for(list, path)
      used[entry or ""] = true
      broken[#broken + 1] = not entry and path or nil
    end
  end
  for _, entry in ipairs(list) do
    broken[#broken + 1] = not used[entry] and entry .. " needs no exception" or nil
  end
  return broken
end

describe("the tree", function()
  it("has files", function()
    assert.is_true(#LUA_FILES > 10)
    assert.is_true(#C_FILES > 5)
  end)

  it("has the public modules in lua/pusher, and private ones in folders only", function()
    local names = {}
    for _, path in ipairs(LUA_FILES) do
      names[#names + 1] = path:match("^lua/pusher/([%w_]+)%.lua$")
    end
    assert.same(PUBLIC, names)
  end)

  it("has only the allowed require edges", function()
    local broken, used = {}, {}
    for _, path in ipairs(LUA_FILES) do
      local from = source.module_name(path)
      for _, to in ipairs((source.requires(source.read(path)))) do
        used[to] = true
        if not may_require(from, to) then
          broken[#broken + 1] = ("%s (%s) requires %s (%s)"):format(
            from, part_of(from), to, part_of(to) or "third-party")
        end
      end
    end
    for name in pairs(THIRD_PARTY) do
      broken[#broken + 1] = not used[name] and name .. " needs no exception" or nil
    end
    assert_none(broken)
  end)

  it("computes a module's name only where a transport is chosen", function()
    assert_none(exceptions(MAY_COMPUTE, LUA_FILES, function(path)
      return select(2, source.requires(source.read(path))) > 0
    end))
  end)

  it("has no cycle of requires", function()
    local edges = {}
    for _, path in ipairs(LUA_FILES) do
      edges[source.module_name(path)] = (source.requires(source.read(path)))
    end
    assert_none(source.cycles(edges))
  end)

  it("looks at ngx only where the library meets nginx", function()
    assert_none(exceptions(MAY_SEE_NGX, LUA_FILES, function(path)
      return source.code(source.read(path)):find("%f[%w_.]ngx%f[^%w_]")
    end))
  end)

  it("has a spec for every module, and a module for every spec", function()
    local expected, missing = {}, {}
    for _, path in ipairs(LUA_FILES) do
      local spec = path:gsub("^lua/pusher/", "spec/"):gsub("^lua/", "spec/"):gsub("%.lua$", "_spec.lua")
      expected[spec], missing[spec] = true, true
    end
    local broken = exceptions(OTHER_SPECS, source.files("spec", "lua"), function(path)
      missing[path] = nil
      return path:find("_spec%.lua$") and not expected[path]
    end)
    for spec in pairs(missing) do
      broken[#broken + 1] = spec .. " is missing"
    end
    table.sort(broken)
    assert_none(broken)
  end)

  it("has examples that a user can copy, and tools that need no specs", function()
    local broken = {}
    for folder, forbidden in pairs { examples = { "spec", "tools" }, tools = { "spec" } } do
      for _, path in ipairs(source.files(folder, "lua", "conf")) do
        local text = source.read(path)
        for _, other in ipairs(forbidden) do
          if text:find("require[%s(]*[\"']" .. other .. "%.") then
            broken[#broken + 1] = path .. " requires " .. other
          end
        end
      end
    end
    table.sort(broken)
    assert_none(broken)
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
        __index = function(_, name) error("global " .. tostring(name) .. " is read", 2) end,
      })
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

  local function lua_opens(line)
    return line:match("^local function ([%w_]+)") or line:match("^function ([%w_.:]+)")
  end

  -- .clang-format puts a function's brace alone at the left margin, and nothing else's.
  local function c_opens(line)
    return line == "{" and "function"
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

  -- The C files of each shared object, and where each name that they share is defined.
  local function linked(name)
    local files, owner = source.files("src/" .. name, "c"), {}
    for _, path in ipairs(files) do
      for symbol in pairs(source.c_definitions(source.read(path))) do
        owner[symbol] = path
      end
    end
    return files, owner
  end

  it("calls nothing that ends the process or writes without a bound", function()
    local broken = {}
    for _, path in ipairs(C_FILES) do
      local code = source.c_code(source.read(path))
      for _, name in ipairs(BANNED) do
        if code:find("%f[%w_]" .. name .. "%s*%(") then
          broken[#broken + 1] = path .. ": " .. name
        end
      end
    end
    assert_none(broken)
  end)

  it("has no cycle among its files", function()
    for _, name in ipairs { "core", "curl" } do
      local files, owner = linked(name)
      local edges, count = {}, 0
      for _, path in ipairs(files) do
        local to, seen = {}, { [path] = true }
        for symbol in source.c_code(source.read(path)):gmatch("%f[%w_]pusher_[%w_]+") do
          local file = owner[symbol]
          if file and not seen[file] then
            seen[file], to[#to + 1], count = true, file, count + 1
          end
        end
        edges[path] = to
      end
      assert.is_true(count > 5)
      assert_none(source.cycles(edges))
    end
  end)

  it("declares every function in the section of the file that defines it", function()
    local broken, seen = {}, 0
    for _, name in ipairs { "core", "curl" } do
      local header = "src/" .. name .. "/internal.h"
      local _, owner = linked(name)
      for symbol, section in pairs(source.c_declarations(source.read(header))) do
        local file = (owner[symbol] or "no file"):match("[^/]*$")
        seen = seen + 1
        if not section:find(file, 1, true) then
          broken[#broken + 1] = ("%s: %s of %s is in the section %q"):format(header, symbol, file, section)
        end
      end
    end
    table.sort(broken)
    assert_none(broken)
    assert.is_true(seen > 20)
  end)

  it("is linked with read-only relocations, and compiled with stack protection", function()
    local function read(command, name)
      local pipe = assert(io.popen(("%s %s/pusher/%s.so"):format(command, os.getenv("PUSHER_BUILD"), name)))
      local text = pipe:read("*a")
      pipe:close()
      return text
    end
    for _, name in ipairs { "core", "curl" } do
      assert.is_truthy(read("readelf -lW", name):find("GNU_RELRO", 1, true), name)
      assert.is_truthy(read("readelf -dW", name):find("BIND_NOW", 1, true), name)
      assert.is_truthy(read("nm -D", name):find("__stack_chk_fail", 1, true), name)
    end
  end)

  it("exports the entry point of each module and nothing else", function()
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

describe("SECURITY.md", function()
  it("names for each attacker specs that exist", function()
    local broken, text, attackers = {}, source.read("SECURITY.md"), 0
    for attacker, holds in text:gmatch("%*%*(%u[^\n]*[^.])%*%*\n\n(%* May try: .-\n)\n") do
      local shown_by = holds:match("\n%* What holds: .*\n%* Shown by: (.*)$")
      attackers = attackers + 1
      broken[#broken + 1] = not (shown_by and shown_by:find("^`spec/")) and "no spec: " .. attacker or nil
    end
    for path in text:gmatch("`(spec/[^`]*)`") do
      local file = path:sub(-1) ~= "/" and io.open(path)
      broken[#broken + 1] = path:sub(-1) ~= "/" and not file and path .. " does not exist" or nil
      if file then
        file:close()
      end
    end
    assert_none(broken)
    assert.equal(6, attackers)
  end)
end)

describe("text", function()
  it("uses no retired word", function()
    local broken = {}
    local files = source.files("lua src bench scripts spec tools docs", "lua", "c", "h", "md")
    files[#files + 1], files[#files + 2] = "README.md", "SECURITY.md"
    for _, path in ipairs(files) do
      local text = source.read(path)
      local of_specs = path:find("^spec/") or path:find("^tools/") or path == "docs/testing.md"
      for _, phrase in ipairs(path ~= "spec/architecture_spec.lua" and RETIRED or {}) do
        for _, place in ipairs(of_specs and contains(ALLOWED_IN_SPECS, phrase) and {} or source.places(text, phrase)) do
          broken[#broken + 1] = ("%s:%d: %s: %s"):format(path, place.line, phrase, place.text)
        end
      end
      if path:find("%.lua$") and source.code(text, true):find("%f[%w_.]reason%f[^%w_]") then
        broken[#broken + 1] = path .. ": a variable called reason"
      end
    end
    assert_none(broken)
  end)

  it("lists every C file in the rockspec", function()
    local listed, present = {}, {}
    for path in source.read("pusher-dev-1.rockspec"):gmatch('"(src/[^"]+)"') do
      listed[#listed + 1] = path
    end
    for _, path in ipairs(source.files("src", "c")) do
      present[#present + 1] = path
    end
    table.sort(listed)
    table.sort(present)
    assert.same(present, listed)
  end)

  it("has the version in one place, and the changelog knows it", function()
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
