-- `luarocks make`, packed rocks and `make install` into empty trees, and the content of the rockspec.
-- `make test-rock` runs it, since it needs LuaRocks and compiles everything a few times. Nothing is downloaded: git
-- takes a copy of the tree for the repository, and lua-cjson is the system's.

local sh = require("tools.shell").run
local source = require("spec.helpers.source")

local ROCKSPEC = "pusher-dev-1.rockspec"
-- As docs/install.md has it: a rockspec of the builtin build cannot name flags.
local HARDENED = "CFLAGS='-O2 -fPIC -fstack-protector-strong' LIBFLAG='-shared -Wl,-z,relro,-z,now'"
local VERSION = require("pusher.base.headers").VERSION
local RELEASE = ("build/pusher-%s-1.rockspec"):format(VERSION)
-- Without the right to write wherever root may; an ordinary user has no such right and may not take it away.
local AS_USER = '{ test "$(id -u)" -ne 0 || set -- setpriv --bounding-set=-dac_override,-dac_read_search "$@"; } && "$@"'
local root

local function rockspec(path)
  local spec = {}
  assert(loadfile(path, "t", spec))()
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
  local copy

  -- LuaRocks compiles next to the sources: give it a copy, made of what a checkout holds.
  local function make_copy(name)
    local folder = root .. "/" .. name
    sh(("mkdir %s && cp -r src lua docs examples types LICENSE README.md CHANGELOG.md %s %s"):format(folder, ROCKSPEC, folder))
    sh(("find %s -name '*.o' -delete; find %s -name '*.so' -delete"):format(folder, folder))
    return folder
  end

  -- A repository at the address in the rockspec, as far as git goes: the copy, with the tag of the release.
  local function with_repository(command)
    local url = rockspec(ROCKSPEC).source.url:match("^git%+(.*)")
    return ("export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.file://%s.insteadOf GIT_CONFIG_VALUE_0=%s && %s"):format(
      copy, url, command)
  end

  setup(function()
    root = sh("mktemp -d")
    copy = make_copy("copy")
    local git = ("git -C %s -c user.name=test -c user.email=test -c init.defaultBranch=main "):format(copy)
    sh(git .. "init -q && " .. git .. "add -A && " .. git .. "commit -qm release && " .. git .. "tag v" .. VERSION)
  end)

  teardown(function()
    sh("rm -rf " .. root)
    os.remove(RELEASE)
  end)

  local function files(folder)
    return sh(("cd %s && find . -type f -not -path '*/node_modules/*' | LC_ALL=C sort"):format(folder))
  end

  -- A tree that LuaRocks filled: all modules, pages and examples are there, and the modules work.
  local function check_tree(tree, version, interpreter)
    local share = tree .. "/share/lua/" .. version
    assert.same(source.files("lua", "lua"), installed(share))
    for _, folder in ipairs { "docs", "examples", "types" } do
      local rock = sh(("echo %s/lib/luarocks/rocks-%s/pusher/*/%s"):format(tree, version, folder))
      assert.equal(files(copy .. "/" .. folder), files(rock))
    end
    try(interpreter, version, share, tree .. "/lib/lua/" .. version)
  end

  it("compiles the same C files by LuaRocks as by make", function()
    local modules = rockspec(ROCKSPEC).build.modules
    assert.same(make_variable("CORE_SRC"), sorted(modules["pusher.core"].sources))
    assert.same(make_variable("CURL_SRC"), sorted(modules["pusher.curl"].sources))
  end)

  it("writes the rockspec of a release: the development one at the tag of the version", function()
    sh("make -s rockspec VERSION=" .. VERSION)
    local release, development = rockspec(RELEASE), rockspec(ROCKSPEC)
    assert.equal(VERSION .. "-1", release.version)
    assert.same({ url = development.source.url, tag = "v" .. VERSION }, release.source)
    release.version, release.source = development.version, development.source
    assert.same(development, release)
    for _, name in ipairs { "homepage", "issues_url" } do
      assert.matches("^https://", release.description[name])
    end
    assert.is_true(#release.description.labels > 0)
  end)

  it("replaces the repository's address in the whole rockspec", function()
    sh(("make -s rockspec VERSION=%s REPOSITORY=https://example.com/own/pusher"):format(VERSION))
    local release = rockspec(RELEASE)
    assert.equal("git+https://example.com/own/pusher.git", release.source.url)
    assert.equal("https://example.com/own/pusher", release.description.homepage)
    assert.equal("https://example.com/own/pusher/issues", release.description.issues_url)
  end)

  it("refuses a VERSION that is none or not the library's, and lists of files that are not the tree's", function()
    for _, version in ipairs { "", "1.2", "v1.2.3", "dev" } do
      local output = sh(("! make -s rockspec VERSION='%s'"):format(version))
      assert.matches("VERSION must be x.y.z", output, 1, true)
    end
    local other = sh("! make -s rockspec VERSION=99.9.9; ! ls build/pusher-99.9.9-1.rockspec")
    assert.matches("VERSION is 99.9.9, but the library calls itself " .. VERSION, other, 1, true)
    local command = ("LUA_PATH='lua/?.lua;%s/?.lua' lua5.4 %s/tools/rockspec.lua"):format(sh("pwd"), sh("pwd"))
    local output = sh(("cd %s && touch src/core/extra.c && ! %s %s '' out; rm src/core/extra.c; ! ls out")
      :format(copy, command, VERSION))
    assert.matches("src/core/extra.c", output, 1, true)
  end)

  describe("a packed rock", function()
    local rock

    setup(function()
      sh("make -s rockspec VERSION=" .. VERSION)
      sh(with_repository(("cd %s && luarocks --lua-version 5.4 pack %s/%s"):format(root, sh("pwd"), RELEASE)))
      rock = ("%s/pusher-%s-1.src.rock"):format(root, VERSION)
    end)

    local JIT_HEADERS = "LUA_INCDIR=" .. sh("pkg-config --variable=includedir luajit")
    for interpreter, flags in pairs { ["lua5.1"] = "", ["lua5.3"] = "", ["lua5.4"] = "", luajit = JIT_HEADERS } do
      it("installs for " .. interpreter .. " into an empty tree, and works from there", function()
        local version, tree = interpreter:match("%d%.%d") or "5.1", root .. "/packed-" .. interpreter
        sh(("luarocks --lua-version %s --tree %s install --deps-mode=none %s %s"):format(version, tree, rock, flags))
        check_tree(tree, version, interpreter)
      end)
    end

    it("can be packed once more, compiled, and installs without a compiler", function()
      local first, second = root .. "/packed-lua5.4", root .. "/binary"
      sh(("cd %s && luarocks --lua-version 5.4 --tree %s pack pusher"):format(root, first))
      sh(("luarocks --lua-version 5.4 --tree %s install --deps-mode=none %s/pusher-%s-1.linux-*.rock CC=false"):format(
        second, root, VERSION))
      check_tree(second, "5.4", "lua5.4")
    end)
  end)

  it("installs as docs/install.md says: by LuaRocks, for an ordinary user, with the system's lua-cjson", function()
    local section = require("spec.helpers.readme").section(source.read("docs/install.md"), "^LuaRocks")
    local command, path = section:match("\n    (luarocks [^\n]*)"), section:match("\n    (eval [^#\n]*)")
    local folder, home = make_copy("own"), root .. "/home"
    local program = root .. "/home/program.lua"
    sh(("mkdir %s && printf '%%s' '%s' >%s"):format(home, PROGRAM, program))
    assert.equal("authorized", sh(("cd %s && export HOME=%s && %s >%s/log 2>&1 && cd / && %s && lua5.4 %s")
      :format(folder, home, command, root, path, program)))
    assert.matches("/home/", sh(("find %s/.luarocks -name core.so"):format(home)), 1, true)
  end)

  it("installs by LuaRocks with the flags that docs/install.md names", function()
    local tree = root .. "/rock-5.4"
    sh(("cd %s && luarocks --lua-version 5.4 --tree %s make --deps-mode=none %s %s"):format(
      make_copy("hardened"), tree, ROCKSPEC, HARDENED))
    assert.matches(HARDENED:gsub("'", '"'), source.read("docs/install.md"), 1, true)
    check_tree(tree, "5.4", "lua5.4")
  end)

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

  for what, folder in pairs { ["is missing"] = "", ["is there"] = "/usr/local/lib/lua/5.4" } do
    it("says what to do when the user may not write to a folder that " .. what, function()
      local stage = root .. "/unwritable" .. #folder
      sh(("mkdir -p %s && chmod 555 %s"):format(stage .. folder, stage .. folder))
      local output = sh(("set -- make -s install LUA=5.4 DESTDIR=%s && ! { %s ; }"):format(stage, AS_USER))
      assert.matches("may not write to " .. stage .. "/usr/local/lib/lua/5.4", output, 1, true)
      assert.matches("sudo make install LUA_VERSION=5.4 PREFIX=/usr/local\n", output, 1, true)
      assert.matches("PREFIX=" .. os.getenv("HOME") .. "/.local", output, 1, true)
      assert.is_nil(output:find("cannot", 1, true))
    end)
  end

  it("names the packages whose headers are missing, and the compiler's, in one line", function()
    local build = ("make -s build LUA=5.4 BUILD=%s/none"):format(root)
    local line = "^make build: [^\n]*: sudo apt%-get install"
    local output = sh(("! %s CC='cc -nostdinc'"):format(build))
    assert.matches(line .. " liblua5%.4%-dev libcurl4%-openssl%-dev libssl%-dev libsodium%-dev\nmake[^\n]*$", output)
    assert.matches(line .. " gcc libc6%-dev ", sh(("! %s CC=no-compiler"):format(build)))
    -- sodium.h alone: each of the others may be found by another path.
    sh(("mkdir %s/broken && echo '#error broken' >%s/broken/sodium.h"):format(root, root))
    assert.matches(line .. " libsodium%-dev\n", sh(("! %s CPPFLAGS=-I%s/broken"):format(build, root)))
  end)

  -- A library in a folder of its own, as Homebrew keeps curl and OpenSSL, and OpenResty its LuaJIT.
  it("takes libraries from CRYPTO_DIR, SODIUM_DIR and CURL_DIR, and OpenResty's headers of LuaJIT", function()
    local own, openresty = root .. "/keg", root .. "/openresty"
    local lib = sh("pkg-config --variable=libdir libcurl")
    sh(("mkdir -p %s/include %s/lib && ln -s %s/libcurl.so %s/lib"):format(own, own, lib, own))
    sh(("mkdir -p %s/luajit/include && ln -s $(pkg-config --variable=includedir luajit) %s/luajit/include/luajit-2.1"):format(
      openresty, openresty))
    sh(("PKG_CONFIG_LIBDIR=/nonexistent make -s build LUA=jit BUILD=%s/keg-build OPENRESTY_PREFIX=%s CURL_DIR=%s"):format(
      root, openresty, own))
    local needed = sh(("readelf -dW %s/keg-build/pusher/curl.so"):format(root))
    assert.matches("RUNPATH[^\n]*" .. own:gsub("%p", "%%%0") .. "/lib%]", needed)
    for _, name in ipairs { "CRYPTO", "SODIUM" } do
      local command = sh(("make -n -B build LUA=5.4 %s_DIR=/keg"):format(name))
      assert.matches("-I/keg/include -L/keg/lib -Wl,-rpath,/keg/lib", command, 1, true)
    end
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
