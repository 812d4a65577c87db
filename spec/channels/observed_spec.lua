local observed = require "pusher.channels.observed"
local fails = require "spec.helpers.fails"

local MODULES = { "pusher.base.observer", "pusher.channels.label" }

local function load_nothing()
  return nil, "no driver", { code = "config" }
end

describe("pusher.channels.observed", function()
  local real

  before_each(function()
    real = {}
    for _, name in ipairs(MODULES) do
      real[name] = require(name)
    end
  end)

  after_each(function()
    for name, module in pairs(real) do
      package.loaded[name], package.preload[name] = module, nil
    end
  end)

  local function break_module(name, message)
    package.loaded[name] = nil
    package.preload[name] = function()
      error(message, 0)
    end
  end

  it("loads nothing, and gives the transport itself, where nothing is observed", function()
    for _, name in ipairs(MODULES) do
      break_module(name, "not needed")
    end
    local own = {}
    local transport, is_observing = assert(observed.watcher({}, load_nothing))(own, "/apps/1")
    assert.equal(own, transport)
    assert.is_false(is_observing())
  end)

  it("reports calls by their endpoint, and knows when it does", function()
    local seen, is_observing = {}, nil
    local watch = assert(observed.watcher({ observe = function(call)
      seen[#seen + 1] = { call.endpoint, is_observing() }
    end }, function() return {} end))
    local transport
    transport, is_observing = watch({ send = function(_, _, parse) return parse(200, "", "") end }, "/apps/1", "/push")
    for _, target in ipairs { "/apps/1/events?a=b", "/push/notifications" } do
      transport:send({ method = "POST", target = target }, function() return true end)
    end
    assert.same({ { "/events", true }, { "/notifications", true } }, seen)
    assert.is_false(is_observing())
  end)

  it("logs what `observe` raises: to the option `log`, else where errors go", function()
    local logged = {}
    local function log_as(name)
      return function(level)
        logged[#logged + 1] = name .. " " .. level
      end
    end
    local function load_driver()
      return { log_errors = log_as "default" }
    end
    for _, own in ipairs { false, log_as "own" } do
      local watch = assert(observed.watcher({ observe = error, log = own or nil }, load_driver))
      local transport = watch({ send = function(_, _, parse) return parse(200, "", "") end }, "/apps/1")
      transport:send({ method = "GET", target = "/apps/1/channels" }, function() return true end)
    end
    assert.same({ "default error", "own error" }, logged)
  end)

  it("says what cannot be loaded", function()
    for _, name in ipairs(MODULES) do
      break_module(name, "no such file")
      fails("the observer cannot be loaded: no such file", { code = "config", field = "observe" },
        observed.watcher({ observe = print }, load_nothing))
      package.loaded[name] = real[name]
    end
    fails("no driver", { code = "config" }, observed.watcher({ observe = print }, load_nothing))
  end)
end)
