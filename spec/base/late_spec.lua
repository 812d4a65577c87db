local fails = require "spec.helpers.fails"
local late = require "pusher.base.late"

describe("pusher.base.late", function()
  local NAME = "pusher.late_probe"

  before_each(function()
    package.loaded[NAME], package.preload[NAME] = nil, nil
  end)

  teardown(function()
    package.loaded[NAME], package.preload[NAME] = nil, nil
  end)

  local module = {}

  it("loads a module once", function()
    local loads = 0
    package.preload[NAME] = function()
      loads = loads + 1
      return module
    end
    assert.equal(module, (late.load(NAME, "the probe")))
    assert.equal(module, (late.load(NAME, "the probe", "option")))
    assert.equal(1, loads)
  end)

  it("says what cannot be loaded, in one line of limited length", function()
    package.preload[NAME] = function()
      error("libx.so:\n\t cannot open" .. ("x"):rep(1000), 0)
    end
    local value, message, details = late.load(NAME, "the probe", "option")
    assert.is_nil(value)
    assert.matches("^the probe cannot be loaded: [^\n]*libx%.so: cannot openxxx", message)
    assert.is_true(#message < 340)
    assert.same({ code = "config", field = "option", retryable = false }, details)
    package.preload[NAME] = function()
      error(setmetatable({}, { __tostring = error }))
    end
    fails("the probe cannot be loaded: an error that cannot be shown", { code = "config" }, late.load(NAME, "the probe"))
  end)

  it("tries again after a failure, also where Lua itself does not", function()
    package.preload[NAME] = function()
      error("not enough files", 0)
    end
    assert.is_nil((late.load(NAME, "the probe")))
    package.preload[NAME] = function()
      return module
    end
    assert.equal(module, (late.load(NAME, "the probe")))
  end)

  it("loads a module that is being loaded, as for a finalizer", function()
    local inner
    package.preload[NAME] = function()
      package.preload[NAME] = function()
        return module
      end
      inner = late.load(NAME, "the probe")
      return module
    end
    assert.equal(module, (late.load(NAME, "the probe")))
    assert.equal(module, inner)
  end)

  it("raises when memory is short, and works afterwards", function()
    for _, prefix in ipairs { "", "error loading module 'x' from file 'x.lua':\n\t" } do
      package.preload[NAME] = function()
        error(prefix .. "not enough memory", 0)
      end
      local ok, message = pcall(late.load, NAME, "the probe")
      assert.same({ false, "not enough memory" }, { ok, message })
    end
    package.preload[NAME] = function()
      return module
    end
    assert.equal(module, (late.load(NAME, "the probe")))
  end)

  it("finds what is loaded already where `require` is hidden", function()
    package.loaded[NAME] = module
    local hidden = rawget(_G, "require")
    rawset(_G, "require", nil)
    local ok, made = pcall(late.load, NAME, "the probe")
    rawset(_G, "require", hidden)
    assert.is_true(ok and made == module)
  end)

  it("reports what cannot be loaded in a host without io.open, or with one that raises, as in a Luanti mod", function()
    local real = io.open
    finally(function()
      io.open = real -- luacheck: ignore 122
      package.loaded["pusher.base.late"] = late
    end)
    package.preload[NAME] = function()
      error("no such file", 0)
    end
    for _, open in ipairs { false, error } do
      io.open, package.loaded["pusher.base.late"] = open or nil, nil -- luacheck: ignore 122
      local sandboxed = require "pusher.base.late"
      fails("the probe cannot be loaded: no such file", { code = "config" }, sandboxed.load(NAME, "the probe"))
    end
  end)

  it("leaves the marks of others' modules", function()
    local mark = io.stdout -- a userdata, as in Lua 5.1
    package.preload[NAME] = function()
      error("not now", 0)
    end
    package.loaded["late_probe"], package.loaded[5] = mark, mark
    finally(function()
      package.loaded["late_probe"], package.loaded[5] = nil, nil
    end)
    assert.is_nil((late.load(NAME, "the probe")))
    assert.same({ mark, mark }, { package.loaded["late_probe"], package.loaded[5] })
  end)
end)
