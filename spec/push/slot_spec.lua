local errors = require "pusher.base.errors"
local callback = require "pusher.base.callback"
local fails = require "spec.helpers.fails"
local slot = require "pusher.push.slot"

local function new(handler)
  handler.push = handler.push or function() end
  return slot.new("x", handler, callback.new(function() end))
end

describe("pusher.push.slot", function()
  it("passes the handler itself and the arguments on", function()
    local handler = { twice = function(self, number)
      return self.factor * number
    end, factor = 2 }
    assert.are.equal(6, new(handler):call("twice", 3))
  end)

  it("finds methods in a class, and none where the look-up raises", function()
    local class = { init = function() return 7 end }
    class.__index = class
    assert.are.equal(7, new(setmetatable({}, class)):call("init"))
    local strict = new(setmetatable({ push = function() end }, { __index = function(_, name) error("no " .. name) end }))
    assert.is_false(strict:has("init"))
    assert.is_true(strict:start({}))
    assert.is_true(strict:is_ready())
    assert.is_true(strict:push {})
  end)

  it("reads no result as success, and raising as a failure", function()
    assert.is_true(new({ init = function() end }):call("init"))
    local result, message, details = new({ init = function()
      error({ "a table" })
    end }):call("init")
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
      local result, message, details = new({ init = init }):call("init")
      assert.is_nil(result)
      assert.are.equal("no", message)
      assert.are.equal("invalid", details.code)
    end
    local _, _, details = new({ init = function()
      return errors.fail("config", "no", { field = "x" })
    end }):call("init")
    assert.are.equal("config", details.code)
    assert.are.equal("x", details.field)
  end)

  it("is ready from its start to its stop", function()
    local made = new {}
    assert.is_false(made:is_ready())
    assert.is_true(made:start())
    assert.is_true(made:is_ready())
    assert.is_true(made:is_running())
    made:stop()
    assert.is_false(made:is_ready())
    assert.is_false(made:is_running())
  end)

  it("runs from its start on, also while it is not ready", function()
    local made = new { is_ready = function() return false end }
    assert.is_false(made:is_running())
    assert.is_true(made:start())
    assert.is_false(made:is_ready())
    assert.is_true(made:is_running())
    assert.is_true(new({ is_ready = function() return true end }):is_running())
  end)

  it("is not stopped before it runs", function()
    local ready = false
    local made = new { is_ready = function()
      return ready
    end }
    made:stop()
    ready = true
    assert.is_true(made:is_ready())
  end)

  it("calls is_ready of a handler that has one, until it is stopped", function()
    local ready = true
    local made = new { is_ready = function()
      return ready
    end }
    assert.is_true(made:is_ready())
    ready = "yes"
    assert.is_false(made:is_ready())
    ready = true
    made:stop()
    assert.is_false(made:is_ready())
    assert.is_false(new({ is_ready = function()
      error("boom")
    end }):is_ready())
  end)

  it("goes on when the handler refuses to stop and stays ready, and is stopped when it is not", function()
    local ready = true
    local made = new {
      is_ready = function()
        return ready
      end,
      stop = function()
        return nil, "not now"
      end,
    }
    made:stop()
    made:finish(0)
    assert.same({ true, true, "started" }, { made:is_ready(), made:is_unfinished(), made.state })
    made.handler.is_ready = nil
    made:stop()
    made:finish(0)
    assert.same({ false, false, true }, { made:is_ready(), made:is_running(), made:is_unfinished() })
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

  it("counts what a step leaves, in whatever way the handler says it", function()
    for _, case in ipairs { { 3, 3 }, { 0, 0 }, { true, 0 }, { false, 1 }, { nil, 0 }, { "done", 0 } } do
      assert.are.equal(case[2], new({ step = function(_, seconds)
        assert.are.equal(0.5, seconds)
        return case[1]
      end }):step(0.5))
    end
    local left, message, details = new({ step = function()
      return errors.fail("closed", "gone")
    end }):step(0)
    assert.is_nil(left)
    assert.are.equal("gone", message)
    assert.are.equal("closed", details.code)
  end)

  it("counts what is pushed, dropped and refused", function()
    local result
    local made = new { push = function()
      return result()
    end }
    result = function() end
    made:push {}
    local own = { code = "full", retryable = true }
    result = function()
      return nil, "full", own
    end
    assert.are.same({ code = "full", retryable = true, handler = "x" }, select(3, made:push {}))
    assert.is_nil(own.handler) -- the handler's own table is not changed
    result = function()
      return false
    end
    local ok, message, details = made:push {}
    assert.is_nil(ok)
    assert.are.equal("refused", message)
    assert.are.equal("invalid", details.code)
    result = function()
      return false, nil, own -- details without a message
    end
    ok, message, details = made:push {}
    assert.is_nil(ok)
    assert.are.same({ "refused", "full" }, { message, details.code })
    result = function()
      return false, nil, 7
    end
    assert.are.equal("invalid", select(3, made:push {}).code)
    assert.are.same({ ready = false, pushed = 1, dropped = 2, refused = 2 }, made:stats())
    result = function()
      return nil, setmetatable({}, { __tostring = error })
    end
    assert.are.equal("invalid", select(3, made:push {}).code)
  end)

  it("says what a handler refused without words", function()
    fails("init refused", { code = "config" }, new({ init = function() return false end }):start({}))
    fails("refused", { code = "invalid", handler = "x" }, new({ push = function() return false end }):push({}))
    fails("push raised: no", { code = "invalid", handler = "x" },
      new({ push = function() error("no", 0) end }):push({}))
  end)
end)
