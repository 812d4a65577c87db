local encryption = require "pusher.channels.encryption"
local events = require "pusher.transport.recorder.events"
local json = require("pusher.base.json").new()

describe("transport.recorder.events", function()
  local function of(path, body, sealer, method)
    local list = {}
    events.add(list, { method = method or "POST", path = path, json = body }, json, sealer)
    return list
  end

  it("are one for each channel, each with data of its own", function()
    local list = of("/apps/3/events", { name = "n", channels = { "a", "b" }, data = '{"x":1}', socket_id = "1.2",
      info = "user_count,subscription_count", idempotency_key = "k", tags = { t = 1 } })
    local expected = { name = "n", channel = "a", data = { x = 1 }, socket_id = "1.2", idempotency_key = "k",
      info = { "user_count", "subscription_count" }, extra = { tags = { t = 1 } } }
    assert.same(expected, list[1])
    expected.channel = "b"
    assert.same(expected, list[2])
    assert.is_nil(list[3])
    list[1].data.x = 2
    assert.equal(1, list[2].data.x)
  end)

  it("are those of a batch in its order", function()
    assert.same({ { name = "n", channel = "a", data = "text" }, { name = "m", channel = "b" } },
      of("/x/apps/3/batch_events", { batch = { { name = "n", channel = "a", data = "text" }, { name = "m", channel = "b",
        data = "null" } } }))
  end)

  it("name the user in place of a channel", function()
    assert.same({ { name = "n", user_id = "u", data = 1 } },
      of("/apps/3/events", { name = "n", channels = { "#server-to-user-u" }, data = "1" }))
  end)

  it("show the data of encrypted channels with the key only", function()
    local key = ("k"):rep(32)
    local sealer = encryption.new(key, function(count) return ("n"):rep(count) end)
    local channel = "private-encrypted-a"
    local body = { name = "n", channels = { channel }, data = json.decode(sealer:seal(channel, '{"x":1}', "", "")) }
    assert.same({ { name = "n", channel = channel, data = { x = 1 }, encrypted = true } }, of("/apps/3/events", body, sealer))
    local envelope = json.decode(body.data)
    assert.is_truthy(envelope.nonce and envelope.ciphertext)
    assert.same({ { name = "n", channel = channel, data = envelope, encrypted = true } }, of("/apps/3/events", body))
    local wrong = encryption.new(("w"):rep(32))
    assert.same({ { name = "n", channel = channel, data = envelope, encrypted = true,
      error = "decryption failed: wrong master key or corrupted data" } }, of("/apps/3/events", body, wrong))
  end)

  it("are in no other request", function()
    local body = { name = "n", channels = { "a" }, data = "1" }
    assert.same({}, of("/apps/3/channels", body))
    assert.same({}, of("/events", body))
    assert.same({}, of("/apps/3/events", body, nil, "GET"))
    assert.same({}, of("/apps/3/events", nil))
  end)

  it("bear bodies that somebody wrote by hand", function()
    for _, body in ipairs { 1, { channels = 1 }, { channels = {} }, { batch = 1 }, { batch = { 1, { channels = 1 } } } } do
      assert.same({}, of("/apps/3/events", body))
      assert.same({}, of("/apps/3/batch_events", body))
    end
    assert.same({ { channel = "a", data = 1 } }, of("/apps/3/events", { channels = { "a" }, data = 1 }))
    assert.same({ { channel = "private-encrypted-a", data = 1, encrypted = true } },
      of("/apps/3/events", { channels = { "private-encrypted-a" }, data = 1 }, encryption.new()))
  end)
end)
