-- `luarocks make` and `make install` into empty trees, and the content of the rockspec.
-- `make test-rock` runs it, since it needs LuaRocks and compiles everything a few times.

local source = require("spec.helpers.source")

local ROCKSPEC = "pusher-dev-1.rockspec"
-- As the README has it: a rockspec of the builtin build cannot name flags.
local HARDENED = "CFLAGS='-O2 -fPIC -fstack-protector-strong' LIBFLAG='-shared -Wl,-z,relro,-z,now'"
local root

-- Runs a shell command; its output is the message when it fails.
local function sh(command)
  local pipe = assert(io.popen("{ " .. command .. " ; } 2>&1; echo \"status $?\""))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.-)%s*status (%d+)%s*$")
  assert(status == "0", command .. "\n" .. tostring(output))
  return output
end

local function rockspec()
  local spec = {}
  local chunk
  if _VERSION == "Lua 5.1" then
    chunk = setfenv(assert(loadfile(ROCKSPEC)), spec)
  else
    chunk = assert(loadfile(ROCKSPEC, "t", spec))
  end
  chunk()
  return spec
end

local function sorted(list)
  table.sort(list)
  return list
end

-- The Lua files of an installed tree, by their names in the checkout.
local function installed(share)
  local paths = source.files(share, "lua")
  for index, path in ipairs(paths) do
    paths[index] = "lua" .. path:sub(#share + 1)
  end
  return paths
end

local function make_variable(name)
  local words = {}
  for word in sh("make -s print-" .. name):gmatch("%S+") do
    words[#words + 1] = word
  end
  return sorted(words)
end

-- Uses both modules from an installed tree, without the checkout anywhere in the paths.
local PROGRAM = [[
  local core, curl = require("pusher.core"), require("pusher.curl")
  assert(type(curl.easy) == "function")
  local client = assert(require("pusher").new { app_id = "3", key = "278d425bdf160c739803",
    secret = "7ad3773142a6692b25b8", cluster = "eu" })
  local text = assert(client:authorize_channel("socket_id=1234.1234&channel_name=private-foobar"))
  assert(text:find("278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4", 1, true))
  assert(#core.random(7) == 7)
  print(client ~= nil and "authorized")
]]

local function try(interpreter, abi, share, lib)
  local program = root .. "/program.lua"
  local file = assert(io.open(program, "w"))
  file:write(PROGRAM)
  file:close()
  local out = sh(("cd / && LUA_PATH='%s/?.lua;;' LUA_CPATH='%s/?.so;;' %s %s"):format(share, lib, interpreter, program))
  assert.equal("authorized", out, abi)
end

describe("packaging", function()
  setup(function()
    root = sh("mktemp -d")
    -- LuaRocks compiles next to the sources: give it a copy, made of what a checkout holds.
    sh(("mkdir %s/copy && cp -r src lua LICENSE README.md %s %s/copy"):format(root, ROCKSPEC, root))
    sh(("find %s/copy -name '*.o' -delete"):format(root))
  end)

  teardown(function()
    sh("rm -rf " .. root)
  end)

  it("compiles the same C files by LuaRocks as by make", function()
    local modules = rockspec().build.modules
    assert.same(make_variable("CORE_SRC"), sorted(modules["pusher.core"].sources))
    assert.same(make_variable("CURL_SRC"), sorted(modules["pusher.curl"].sources))
  end)

  for _, version in ipairs { "5.4", "5.1" } do
    it("installs by LuaRocks for Lua " .. version .. " into an empty tree, and works from there", function()
      local tree = root .. "/rock-" .. version
      sh(("cd %s/copy && luarocks --lua-version %s --tree %s make --deps-mode=none %s %s"):format(
        root, version, tree, ROCKSPEC, HARDENED))
      assert.same(source.files("lua", "lua"), installed(tree .. "/share/lua/" .. version))
      try("lua" .. version, version, tree .. "/share/lua/" .. version, tree .. "/lib/lua/" .. version)
      sh(("find %s/copy -name '*.o' -delete; find %s/copy -name '*.so' -delete"):format(root, root))
    end)
  end

  for version, interpreter in pairs { ["5.3"] = "lua5.3", jit = "luajit" } do
    it("installs by make for " .. interpreter .. " below DESTDIR and PREFIX, and works from there", function()
      local abi = version == "jit" and "5.1" or version
      local stage = root .. "/stage-" .. version
      sh(("make -s install LUA=%s DESTDIR=%s PREFIX=/opt/pusher"):format(version, stage))
      assert.same(source.files("lua", "lua"), installed(stage .. "/opt/pusher/share/lua/" .. abi))
      try(interpreter, abi, stage .. "/opt/pusher/share/lua/" .. abi, stage .. "/opt/pusher/lib/lua/" .. abi)
    end)
  end

  it("puts files where INST_LIBDIR and INST_LUADIR say", function()
    local stage = root .. "/stage-own"
    sh(("make -s install LUA_VERSION=5.4 DESTDIR=%s INST_LIBDIR=/l INST_LUADIR=/s"):format(stage))
    try("lua5.4", "5.4", stage .. "/s", stage .. "/l")
  end)

  it("is hardened: stack protection, checked libc calls, read-only relocations that are bound at the start", function()
    for _, name in ipairs { "core", "curl" } do
      local so = ("%s/stage-5.3/opt/pusher/lib/lua/5.3/pusher/%s.so"):format(root, name)
      assert.is_truthy(sh("readelf -lW " .. so):find("GNU_RELRO", 1, true))
      assert.is_truthy(sh("readelf -dW " .. so):find("BIND_NOW", 1, true))
      assert.is_truthy(sh("nm -D " .. so):find("__stack_chk_fail", 1, true))
    end
    local rock = root .. "/rock-5.4/lib/lua/5.4/pusher/curl.so"
    assert.is_truthy(sh("readelf -dW " .. rock):find("BIND_NOW", 1, true))
    assert.is_truthy(sh("nm -D " .. rock):find("__stack_chk_fail", 1, true))
    -- core.so has no libc call whose size the compiler does not know.
    assert.is_truthy(sh(("nm -D %s/stage-5.3/opt/pusher/lib/lua/5.3/pusher/curl.so"):format(root)):find("__snprintf_chk", 1, true))
    assert.is_truthy(sh("nm -D " .. rock):find("__snprintf_chk", 1, true))
  end)

  it("loads libcurl only with pusher.curl, so that nginx never maps it", function()
    local needed = sh("objdump -p build/5.4/pusher/core.so | grep NEEDED")
    assert.is_nil(needed:find("curl", 1, true))
    assert.is_truthy(needed:find("libcrypto", 1, true))
  end)
end)
