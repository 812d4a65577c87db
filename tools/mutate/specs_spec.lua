-- Which specs tools/mutate.lua runs for a module.

local specs = require "tools.mutate.specs"

describe("The mutator's choice of specs", function()
  local all, users

  setup(function()
    all = specs.files("spec tools", "_spec.lua")
    users = specs.graph(specs.files("lua spec", ".lua"))
  end)

  local function position(list, path)
    for i, member in ipairs(list) do
      if member == path then
        return i
      end
    end
  end

  it("knows the module of a spec", function()
    assert.equal("lua/pusher.lua", specs.module_of("spec/pusher_spec.lua"))
    assert.equal("lua/pusher/push/fcm.lua", specs.module_of("spec/push/fcm_spec.lua"))
  end)

  it("begins with the module's own spec, then takes those of the modules that require it", function()
    local near, others = specs.order("lua/pusher/base/retry.lua", users, all)
    assert.equal("spec/base/retry_spec.lua", near[1])
    assert.is_truthy(position(near, "spec/publisher/retries_spec.lua"))
    assert.is_truthy(position(others, "spec/push/fcm_spec.lua"))
    assert.is_nil(position(others, "spec/push/tinode/uid_spec.lua"))
    assert.is_truthy(position(others, "spec/readme_spec.lua"))
    assert.is_nil(position(others, "spec/base/retry_spec.lua"))
  end)

  it("follows a name that is computed", function()
    local _, others = specs.order("lua/pusher/transport/ngx/wire.lua", users, all)
    assert.is_truthy(position(others, "spec/client_spec.lua"))
  end)

  it("runs a slow spec for its own module, and those of the wire where a transport is changed", function()
    local slow = "spec/transport/wire_spec.lua"
    local _, others = specs.order("lua/pusher/client.lua", users, all)
    assert.is_nil(position(others, slow))
    local _, of_errors = specs.order("lua/pusher/base/errors.lua", users, all)
    assert.is_nil(position(of_errors, "spec/base/no_proxy_spec.lua"))
    local near, more = specs.order("lua/pusher/transport/curl.lua", users, all)
    assert.is_truthy(position(more, slow) or position(near, slow))
    assert.equal("spec/base/url_spec.lua", (specs.order("lua/pusher/base/url.lua", users, all))[1])
  end)
end)
