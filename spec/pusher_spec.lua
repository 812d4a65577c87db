local fake = require "spec.helpers.fake_transport"
local pusher = require "pusher"

describe("pusher", function()
  it("has a version", function()
    assert.truthy(pusher._VERSION:find("^%d+%.%d+%.%d+$"))
  end)

  it("makes a client from options, a URL, the environment", function()
    local transport = fake.new()
    local client = assert(pusher.new { app_id = "3", key = "k", secret = "s", transport = transport })
    assert.truthy(client:trigger("a", "e", "x"))
    client = assert(pusher.from_url("http://k:s@127.0.0.1:6001/apps/4", { transport = transport }))
    client:trigger("a", "e", "x")
    assert.equal("http", transport.last.scheme)
    assert.equal(6001, transport.last.port)
    assert.truthy(transport.last.target:find("^/apps/4/"))
    local set, message, details = pusher.from_env("PUSHER_URL_THAT_NOBODY_SETS", { transport = transport })
    assert.is_nil(set)
    assert.equal("string", type(message))
    assert.equal("config", details.code)
  end)

  it("refuses bad options with the failure triple", function()
    for _, make in ipairs {
      function()
        return pusher.new { app_id = "3", key = "k", secret = "s", clutser = "eu" }
      end,
      function()
        return pusher.new {}
      end,
      function()
        return pusher.from_url("nonsense")
      end,
      function()
        return pusher.new { app_id = "3", key = "k", secret = "s", transport = "pigeon" }
      end,
      function()
        return pusher.new { app_id = "3", key = "k", secret = "s", transport = {} }
      end,
    } do
      local client, message, details = make()
      assert.is_nil(client)
      assert.equal("string", type(message))
      assert.equal("config", details.code)
    end
  end)
end)
