-- The example with another HTTP client, run as a program on every Lua.

local program = require "spec.system.hosts.program"

describe("examples/luasocket.lua", function()
  local beside = program.beside(setup, teardown, before_each)

  local function start(build, channel)
    local lua = build == "jit" and "luajit" or "lua" .. build
    return program.start(beside.server, build, lua .. " examples/luasocket.lua " .. channel)
  end

  for _, build in ipairs { "5.1", "5.2", "5.3", "5.4", "jit" } do
    it("sends its request and reads the responses, on " .. build, function()
      assert.equal("sent; 0 presence channels are occupied\n", program.finish(start(build, "lobby")))
      assert.equal("hello from LuaSocket", beside.server:events { limit = 1 }[1].data)
      beside.server:answer { path = "/apps/", status = 429, headers = { ["Retry-After"] = "7" }, body = "slow down" }
      local ok, output = pcall(program.finish, start(build, ""))
      assert.is_false(ok)
      assert.is_truthy(output:find("not sent: the server responded with status 429: slow down", 1, true), output)
    end)
  end
end)
