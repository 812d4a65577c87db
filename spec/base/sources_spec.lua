local core = require "pusher.core"
local options = require "pusher.base.options"
local sources = require "pusher.base.sources"

local WRONG = { false, "1", {}, 0 / 0, 1 / 0, -1 / 0, print }

local function made(source, given)
  return options.check({ f = given }, { f = source }).f
end

local function returning(value)
  return function() return value end
end

describe("pusher.base.sources", function()
  it("takes the system's own without a function of the caller's", function()
    assert.equal(os.time, made(sources.CLOCK))
    assert.equal(core.now, made(sources.NOW))
    assert.equal(core.random, made(sources.RANDOM))
  end)

  it("takes what the function returns", function()
    assert.equal(7.5, made(sources.CLOCK, returning(7.5))())
    assert.equal(-1, made(sources.NOW, returning(-1))())
    assert.equal("abc", made(sources.RANDOM, returning "abc")(3))
  end)

  it("replaces what is no such value", function()
    for _, wrong in ipairs(WRONG) do
      local time = made(sources.CLOCK, returning(wrong))()
      assert.is_true(time ~= time)
      local before = core.now()
      local now = made(sources.NOW, returning(wrong))()
      assert.is_true(now >= before and now <= core.now())
      assert.equal(3, #made(sources.RANDOM, returning(wrong))(3))
    end
    local time = made(sources.CLOCK, returning(nil))()
    assert.is_true(time ~= time)
  end)

  it("leaves what the function raises to its caller", function()
    for name, source in pairs { clock = sources.CLOCK, now = sources.NOW, random = sources.RANDOM } do
      local ok, raised = pcall(made(source, function() error("own", 0) end), 3)
      assert.is_false(ok, name)
      assert.equal("own", raised)
    end
  end)
end)
