-- What modules must say in the same way: the name of a metatable, by which a debugger and messages of Lua call its
-- objects, and the lines that keep LuaJIT from compiling in a tick.

local source = require "spec.helpers.source"

describe("a metatable", function()
  it("is named for the module", function()
    local seen = 0
    for _, path in ipairs(source.files("lua", "lua")) do
      for name in source.code(source.read(path)):gmatch('__name = "([^"]*)"') do
        assert.equal(source.module_name(path), name)
        seen = seen + 1
      end
    end
    assert.is_true(seen > 25)
  end)
end)

describe("LuaJIT's compiler", function()
  it("is off in each module that a step may run", function()
    local seen = {}
    for _, path in ipairs(source.files("lua", "lua")) do
      local text = source.code(source.read(path))
      if text:find("jit", 1, true) then
        assert.is_truthy(text:find('\nlocal jit = rawget(_G, "jit")\nif jit then jit.off(true, true) end', 1, true), path)
        seen[#seen + 1] = source.module_name(path):sub(#"pusher." + 1)
      end
    end
    assert.same({ "base.addresses", "base.callback", "base.list", "base.no_proxy", "base.observer", "base.schedule",
      "channels.attempts", "channels.label", "driver.choose", "driver.stepped", "pending", "publisher", "publisher.batch",
      "publisher.delivery", "publisher.fallback",
      "publisher.heads", "publisher.lane", "publisher.outcomes", "publisher.queue", "publisher.retries", "transport.async",
      "transport.async.retries" }, seen)
  end)
end)
