local errors = require "pusher.base.errors"
local slot = require "pusher.push.slot"

local function new(handler)
  handler.push = handler.push or function() end
  return slot.new("x", handler)
end

describe("pusher.push.slot", function()
  it("passes the handler itself and the arguments on", function()
    local handler = { twice = function(self, number)
      return self.factor * number
    end, factor = 2 }
    assert.are.equal(6, new(handler):ask("twice", 3))
  end)

  it("takes silence for yes, and raising for no", function()
    assert.is_true(new({ init = function() end }):ask("init"))
    local result, message, details = new({ init = function()
      error({ "a table" })
    end }):ask("init")
    assert.is_nil(result)
    assert.matches("^init raised: table", message)
    assert.are.equal("invalid", details.code)
  end)

  it("gives every refusal the library's form", function()
    local refusals = {
      function()
        return nil, "no"
      end,
      function()
        return false, "no"
      end,
      function()
        return nil, "no", "because"
      end,
      function()
        return nil, "no", { code = "no such code" }
      end,
    }
    for _, init in ipairs(refusals) do
      local result, message, details = new({ init = init }):ask("init")
      assert.is_nil(result)
      assert.are.equal("no", message)
      assert.are.equal("invalid", details.code)
    end
    local _, _, details = new({ init = function()
      return errors.fail("config", "no", { field = "x" })
    end }):ask("init")
    assert.are.equal("config", details.code)
    assert.are.equal("x", details.field)
  end)

  it("is ready from its start to its stop", function()
    local made = new {}
    assert.is_false(made:is_ready())
    assert.is_true(made:start())
    assert.is_true(made:is_ready())
    made.state = "stopped"
    assert.is_false(made:is_ready())
  end)

  it("asks a handler that knows whether it is ready, until it is stopped", function()
    local ready = true
    local made = new { is_ready = function()
      return ready
    end }
    assert.is_true(made:is_ready())
    ready = "yes"
    assert.is_false(made:is_ready())
    ready = true
    made.state = "stopped"
    assert.is_false(made:is_ready())
    assert.is_false(new({ is_ready = function()
      error("boom")
    end }):is_ready())
  end)

  it("does not start when init refuses, in whatever way", function()
    for _, init in ipairs {
      function()
        return false
      end,
      function()
        return nil, "no"
      end,
      error,
    } do
      local made = new { init = init }
      local ok, message, details = made:start({})
      assert.is_nil(ok)
      assert.is_string(message)
      assert.is_string(details.code)
      assert.is_false(made:is_ready())
    end
  end)

  it("counts what is pushed, dropped and refused", function()
    local answer
    local made = new { push = function()
      return answer()
    end }
    answer = function() end
    made:push {}
    answer = function()
      return errors.fail("full", "full")
    end
    made:push {}
    answer = function()
      return false
    end
    local ok, message, details = made:push {}
    assert.is_nil(ok)
    assert.are.equal("refused", message)
    assert.are.equal("invalid", details.code)
    assert.are.same({ ready = false, pushed = 1, dropped = 1, refused = 1 }, made:stats())
  end)
end)
