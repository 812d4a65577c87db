local fails = require "spec.helpers.fails"
local transport = require "pusher.transport"

describe("pusher.transport", function()
  local function resolved(wanted)
    local made = assert(transport.resolve { transport = wanted })
    if made.close then
      finally(function()
        made:close()
      end)
    end
    return made
  end

  it("chooses curl outside nginx", function()
    assert.equal("curl", resolved(nil).name)
  end)

  it("makes the default outside nginx by its first call, with the options as they were, which are checked at once", function()
    local NAME = "pusher.transport.curl"
    local real, given_to = require(NAME), {}
    package.loaded[NAME] = { new = function(given)
      given_to[#given_to + 1] = given
      return { send = function(_, request, parse) return parse(request) end }
    end }
    finally(function()
      package.loaded[NAME] = real
    end)
    fails('option "timeout" must be a number from 0.001 to 2147483647, got -1', { code = "config", field = "timeout" },
      transport.resolve { timeout = -1 })
    local given = { timeout = 3, keepalive = { idle = 1 }, app_id = "1" }
    local late = assert(transport.resolve(given))
    assert.same({}, given_to)
    given.keepalive.idle = 2
    assert.equal("request", (late:send("request", function(request) return request end)))
    assert.same({ 1, 3, 1 }, { #given_to, given_to[1].timeout, given_to[1].keepalive.idle })
  end)

  it("makes a transport by its name", function()
    assert.equal("curl", resolved("curl").name)
    assert.equal("async", resolved("async").name)
  end)

  it("chooses ngx inside nginx, and passes all of a transport's options and no others", function()
    _G.ngx = { socket = { tcp = function() end } }
    finally(function()
      _G.ngx = nil
      package.loaded["pusher.transport.ngx"] = nil
    end)
    package.loaded["pusher.transport.ngx"] = { new = function(given)
      return { name = "ngx", given = given }
    end }
    local expected = { timeout = 3, connect_timeout = 2, keepalive = { idle = 1 }, proxy = "p", no_proxy = "n",
      ca_file = "c", tls_verify = false, max_response_bytes = 5, max_pending = 7, log = print }
    local given = { app_id = "1", secret = "s" }
    for name, value in pairs(expected) do
      given[name] = value
    end
    local made = transport.resolve(given)
    assert.equal("ngx", made.name)
    assert.same(expected, made.given)
  end)

  it("ignores another global called ngx", function()
    _G.ngx = { log = print }
    finally(function()
      _G.ngx = nil
    end)
    assert.equal("curl", resolved(nil).name)
  end)

  it("returns an object that has a send method unchanged", function()
    local own = { send = function() end }
    assert.equal(own, resolved(own))
  end)

  it("takes objects that raise for names they do not know", function()
    local object = setmetatable({ send = print }, { __index = function(_, name) error("unknown: " .. name) end })
    assert.equal(object, transport.resolve { transport = object })
    assert.same({ nil, "text", { code = "invalid" } }, { transport.refuse(object, "text", { code = "invalid" }) })
    local _, _, details = transport.resolve { transport = setmetatable({}, getmetatable(object)) }
    assert.equal("config", details.code)
  end)

  it("refuses anything else", function()
    for _, wanted in ipairs { "http", "", 5, true, {}, { send = true } } do
      local result, message, details = transport.resolve { transport = wanted }
      assert.is_nil(result)
      assert.matches("transport", message)
      assert.equal("config", details.code)
      assert.equal("transport", details.field)
    end
  end)

  it("passes a transport's options, and the transport's refusal back", function()
    for _, name in ipairs { "curl", "async" } do
      local result, message, details = transport.resolve { transport = name, timeout = -1 }
      assert.is_nil(result)
      assert.equal('option "timeout" must be a number from 0.001 to 2147483647, got -1', message)
      assert.equal("config", details.code)
    end
  end)

  it("refuses as the transport does, and by the failure itself where it has no way of its own", function()
    local details = { code = "invalid" }
    for _, own in ipairs { {}, { fail = 0 } } do
      assert.same({ nil, "text", details }, { transport.refuse(own, "text", details) })
    end
    local pending = {}
    assert.equal(pending, transport.refuse({ fail = function(_, message, given)
      return message == "text" and given == details and pending
    end }, "text", details))
  end)

  it("raises at the caller's line when its options are no table", function()
    _G.ngx = { socket = { tcp = function() end } }
    finally(function()
      _G.ngx = nil
    end)
    for _, name in ipairs { "curl", "async", "ngx" } do
      local ok, message = pcall(function()
        local made = require("pusher.transport." .. name).new("x")
        return made
      end)
      assert.is_false(ok)
      assert.truthy(message:find("transport_spec.lua:%d+: bad argument #1 to 'new' %(table or nil expected"), message)
    end
  end)

  it("checks the options of a transport that is made directly", function()
    _G.ngx = { socket = { tcp = function() end } }
    finally(function()
      _G.ngx = nil
    end)
    for _, name in ipairs { "curl", "async", "ngx" } do
      local module = require("pusher.transport." .. name)
      for field, given in pairs { ["timout"] = { timout = 1 }, app_id = { app_id = "1" }, ["keepalive.idel"] = { keepalive = { idel = 1 } },
        max_pending = { max_pending = 0 } } do
        local made, message, details = module.new(given)
        assert.is_nil(made)
        assert.truthy(message:find(field, 1, true), message)
        assert.same({ "config", field }, { details.code, details.field })
      end
      local made = assert(module.new())
      assert.equal(name, made.name)
      made:close()
    end
  end)

  it("says what a transport may be", function()
    fails('option "transport" must be "curl", "async", "ngx" or an object with a send method, got "pigeon"',
      { code = "config", field = "transport" }, transport.resolve { transport = "pigeon" })
  end)
end)
