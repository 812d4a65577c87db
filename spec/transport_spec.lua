local transport = require "pusher.transport"

describe("pusher.transport", function()
  local function resolved(wanted)
    local carrier = assert(transport.resolve { transport = wanted })
    if carrier.close then
      finally(function()
        carrier:close()
      end)
    end
    return carrier
  end

  it("takes curl outside nginx", function()
    assert.equal("curl", resolved(nil).name)
  end)

  it("makes a transport by its name", function()
    assert.equal("curl", resolved("curl").name)
    assert.equal("async", resolved("async").name)
  end)

  it("takes ngx inside nginx", function()
    _G.ngx = { socket = { tcp = function() end } }
    finally(function()
      _G.ngx = nil
      package.loaded["pusher.transport.ngx"] = nil
    end)
    package.loaded["pusher.transport.ngx"] = { new = function(options)
      return { name = "ngx", options = options }
    end }
    local options = { timeout = 3 }
    assert.equal(options, transport.resolve(options).options)
  end)

  it("is not misled by something else that is called ngx", function()
    _G.ngx = { log = print }
    finally(function()
      _G.ngx = nil
    end)
    assert.equal("curl", resolved(nil).name)
  end)

  it("takes an object that can send as it is", function()
    local own = { send = function() end }
    assert.equal(own, resolved(own))
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

  it("hands on what the transport says of its options", function()
    for _, name in ipairs { "curl", "async" } do
      local result, message, details = transport.resolve { transport = name, timeout = -1 }
      assert.is_nil(result)
      assert.matches("timeout", message)
      assert.equal("config", details.code)
    end
  end)
end)
