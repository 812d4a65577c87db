local leak_guard = require "pusher.publisher.leak_guard"

local function collect()
  collectgarbage()
  collectgarbage()
end

describe("pusher.publisher.leak_guard", function()
  it("calls back when its owner is collected, and not before", function()
    local calls = {}
    local function new(name)
      local owner = { name = name }
      owner.leak_guard = leak_guard.new(function()
        calls[#calls + 1] = owner.name
      end)
      return owner
    end
    local kept = new("kept")
    new("dropped")
    collect()
    assert.same({ "dropped" }, calls)
    assert.equal("kept", kept.name)
    kept = nil -- luacheck: ignore
    collect()
    assert.same({ "dropped", "kept" }, calls)
  end)

  it("lets no error out into the collector", function()
    assert.is_truthy(leak_guard.new(error))
    collect()
  end)
end)
