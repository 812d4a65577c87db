local defaults = require "pusher.transport.recorder.defaults"
local json = require("pusher.base.json").new()

describe("transport.recorder.defaults", function()
  local function body(path, sent, query)
    return defaults.body({ path = path, query = query or {}, json = sent }, json)
  end

  local function decoded(...)
    return json.decode(body(...))
  end

  it("are empty objects for events", function()
    for _, path in ipairs { "/apps/3/events", "/apps/3/batch_events", "/apps/3/users/u/terminate_connections", "/x" } do
      assert.equal("{}", body(path, { channels = { "a" }, batch = { { channel = "a" } } }))
    end
  end)

  it("have the counts that info asks for", function()
    assert.same({ channels = { a = { user_count = 0 }, b = { user_count = 0 } } },
      decoded("/apps/3/events", { channels = { "a", "b" }, info = "user_count,cache" }))
    assert.same({ batch = { {}, { subscription_count = 0 } } },
      decoded("/apps/3/batch_events", { batch = { {}, { info = "subscription_count" } } }))
  end)

  it("have no channels and no users", function()
    assert.same({ channels = {} }, decoded("/apps/3/channels"))
    assert.equal('{"users":[]}', body("/apps/3/channels/presence-a/users"))
    assert.same({ occupied = false, user_count = 0 }, decoded("/apps/3/channels/a", nil, { info = "user_count,cache" }))
    assert.same({ number_of_subscribers = 0 }, decoded("/server_api/v1/apps/3/notifications"))
  end)

  it("are those of Beams and FCM", function()
    assert.equal("pubid-1", decoded("/publish_api/v1/instances/i/publishes/interests").publishId)
    assert.equal("pubid-1", decoded("/publish_api/v1/instances/i/publishes/users").publishId)
    assert.equal(3600, decoded("/token").expires_in)
    assert.matches("^projects/", decoded("/v1/projects/p/messages:send").name)
  end)

  it("bear bodies that somebody wrote by hand", function()
    for _, sent in ipairs { 1, "a", { channels = 1, info = 1 }, { channels = { a = 1 }, info = {} } } do
      assert.equal("{}", body("/apps/3/events", sent))
    end
    for _, sent in ipairs { 1, { batch = 1 }, { batch = { 1 } } } do
      assert.equal("{}", body("/apps/3/batch_events", sent))
    end
  end)
end)
