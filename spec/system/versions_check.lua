-- What `make test-versions` checks of the build itself: each module in each Lua, and headers that are missing, wrong,
-- too old or new. PUSHER_LUA_55 is the folder of Lua 5.5.

local shell = require "tools.shell"

local LUAS = {
  { "5.1", "lua5.1" }, { "5.2", "lua5.2" }, { "5.3", "lua5.3" }, { "5.4", "lua5.4" }, { "jit", "luajit" },
  { "5.5", os.getenv("PUSHER_LUA_55") .. "/lua5.5", "CPPFLAGS=-I" .. os.getenv("PUSHER_LUA_55") },
}

local root

-- `make build` into a tree of its own.
local function make(lua, tree, rest)
  return shell.try(("make -s build LUA=%s BUILD=%s/%s %s"):format(lua, root, tree, rest or ""))
end

local function version_of(lua)
  return lua == "jit" and "5.1" or lua
end

local function name_of(lua)
  return version_of(lua) == "5.1" and "Lua 5.1 or LuaJIT" or "Lua " .. lua
end

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end

describe("the build", function()
  setup(function()
    root = shell.run("mktemp -d")
    for _, entry in ipairs(LUAS) do
      local status, output = make(entry[1], entry[1], entry[3])
      assert(status == 0, output)
    end
  end)

  teardown(function()
    shell.run("rm -rf " .. root)
  end)

  for _, built in ipairs(LUAS) do
    for _, running in ipairs(LUAS) do
      it("for " .. built[1] .. " in " .. running[1], function()
        for _, name in ipairs { "core", "curl" } do
          local expected = version_of(built[1]) == version_of(running[1]) and "table"
            or ("pusher.%s was built for %s and cannot run in %s: build it for this one"):format(name, name_of(built[1]),
              name_of(running[1]))
          assert.equal(expected, shell.run(([[LUA_CPATH='%s/%s/?.so' %s -e '
            local ok, result = pcall(require, "pusher.%s")
            print(ok and type(result) or result)']]):format(root, built[1], running[2], name)))
        end
      end)
    end
  end

  it("names the package when there are no headers of that Lua, or another's", function()
    for _, flags in ipairs { "", "CPPFLAGS=-I/usr/include/lua5.4" } do
      local status, output = make("5.3", "none", "LUA_PC= " .. flags)
      assert.equal(2, status)
      assert.matches("liblua5.3-dev", output, 1, true)
      assert.equal(1, (shell.try("ls " .. root .. "/none/pusher/*.so")) > 0 and 1 or 0)
    end
  end)

  it("is made again for other headers, and not for the same", function()
    shell.run(("cp -r /usr/include/lua5.3 %s/headers"):format(root))
    local own = ("LUA_PC= CPPFLAGS='-I%s/headers -I/usr/include/x86_64-linux-gnu'"):format(root)
    local function built()
      local status, output = make("5.3", "again", own)
      assert(status == 0, output)
      return shell.run(("cat %s/again/pusher/*.so | cksum; stat -c %%y %s/again/pusher/*.so"):format(root, root))
    end
    local first = built()
    assert.equal(first, built())
    shell.run(("echo 'extern int changed;' >>%s/headers/lua.h"):format(root))
    local second = built()
    assert.are_not.equal(first, second)
    assert.equal(second, built())
  end)

  it("refuses a libcurl before 7.68 and an OpenSSL before 1.1.1 in words", function()
    shell.run(("mkdir -p %s/old/curl %s/old/openssl"):format(root, root))
    for name, text in pairs { curl = "curlver", openssl = "opensslv" } do
      local path = shell.run(("echo '#include <%s/%s.h>' | cc -E - | grep -o '/[^\"]*%s.h' | head -n 1"):format(name, text, text))
      shell.run(("cp %s/*.h %s/old/%s"):format(path:match("^(.*)/"), root, name))
    end
    shell.run(("cd %s/old && sed -i 's/\\(LIBCURL_VERSION_NUM\\) 0x.*/\\1 0x074300/' curl/curlver.h"):format(root))
    write(root .. "/old/openssl/opensslv.h", "#define OPENSSL_VERSION_NUMBER 0x1010009fL\n")
    for name, expected in pairs { curl = "pusher needs libcurl 7.68 or later", core = "pusher needs OpenSSL 1.1.1 or later" } do
      local status, output = shell.try(("cc -fsyntax-only -I%s/old -I/usr/include/lua5.4 src/%s/%s.c"):format(root, name, name))
      assert.equal(1, status)
      assert.matches(expected, output, 1, true)
    end
  end)
end)
