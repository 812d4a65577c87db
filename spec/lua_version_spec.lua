-- src/lua_version.h: a C module in another Lua than it was built for. All pairs of Luas: `make test-versions`.

-- What the interpreter of the specs, in a process of its own, says of LuaJIT's modules.
local function load_from_luajit(name)
  local pipe = assert(io.popen(([[%s -e '
    local open, message = package.loadlib("build/jit/pusher/%s.so", "luaopen_pusher_%s")
    local ok, result = pcall(open or error, not open and message or nil)
    io.write(ok and type(result) or result)' 2>&1]]):format(os.getenv("PUSHER_LUA"), name, name)))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("a C module", function()
  for _, name in ipairs { "core", "curl" } do
    it("of LuaJIT runs in Lua 5.1, and refuses another Lua in words: " .. name, function()
      local expected = _VERSION == "Lua 5.1" and "table"
        or ("pusher.%s was built for Lua 5.1 or LuaJIT and cannot run in %s: build it for this one"):format(name, _VERSION)
      assert.equal(expected, load_from_luajit(name))
    end)
  end
end)
