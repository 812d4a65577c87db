local core = require "pusher.core"
local vectors = require "spec.helpers.vectors"

describe("pusher.core's names", function()
  it("judge socket ids and channel names as the known vectors do", function()
    for _, vector in ipairs(vectors.of("socket_id")) do
      assert.equal(vector.expected.valid, core.is_socket_id(vector.inputs.value), vector.inputs.value)
    end
    for _, vector in ipairs(vectors.of("channel_name")) do
      local name = vector.inputs.value:rep(vector.inputs["repeat"] or 1)
      assert.equal(vector.expected.valid, core.is_channel_name(name), name)
    end
  end)

  it("know every byte of the alphabet and no other", function()
    local allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;"
    for byte = 0, 255 do
      local char = string.char(byte)
      local expected = allowed:find(char, 1, true) ~= nil
      assert.equal(expected, core.is_channel_name("a" .. char), byte)
      assert.equal(expected, core.is_channel_name(char .. "a"), byte)
      assert.equal(expected, core.subscriber("socket_id=1.2&channel_name=a" .. char) ~= nil, byte)
      assert.equal(expected, core.subscriber(("socket_id=1.2&channel_name=a%%%02x"):format(byte)) ~= nil, byte)
      assert.equal(byte >= 48 and byte <= 57, core.is_socket_id("1.2" .. char), byte)
    end
  end)

  it("are no other values, nor numbers", function()
    for _, value in ipairs { 5, true, {}, print, io.stdout } do
      assert.is_false(core.is_channel_name(value))
    end
    assert.is_false(core.is_channel_name(nil))
    assert.error(function() core.is_channel_name() end)
  end)

  it("bound the length", function()
    assert.is_true(core.is_channel_name(("x"):rep(200)))
    assert.is_false(core.is_channel_name(("x"):rep(201)))
    assert.is_false(core.is_channel_name(""))
    assert.truthy(core.subscriber("socket_id=1.2&channel_name=" .. ("x"):rep(200)))
    assert.is_nil((core.subscriber("socket_id=1.2&channel_name=" .. ("x"):rep(201))))
    assert.is_nil((core.subscriber("socket_id=1.2&channel_name=" .. ("%78"):rep(201))))
    assert.is_false(core.is_socket_id(""))
    assert.is_true(core.is_socket_id(("1"):rep(1000) .. "." .. ("2"):rep(1000)))
  end)

  it("read the form as clients send it", function()
    assert.same({ "1.23", "private-a=@,.;b", "private-" }, { core.subscriber("socket_id=1.23&channel_name=private-a%3D%40,.%3bb") })
    assert.same({ "1.2", "lobby", "lobby" }, { core.subscriber("socket_id=1.2&channel_name=lobby") })
    assert.same({ "1.2", "-x", "-" }, { core.subscriber("socket_id=1.2&channel_name=-x") })
  end)

  it("read no other form", function()
    for _, form in ipairs { "", "socket_id=", "socket_id=1.2", "socket_id=1.2&channel_name=", "socket_id=1.2&channel_name=a&x=y",
      "channel_name=a&socket_id=1.2", "socket_id=1.2&socket_id=1.2&channel_name=a", "socket_id=1.2\0&channel_name=a",
      "socket_id=1.2&channel_name=a\0", "socket_id=1.2&channel_name=a%", "socket_id=1.2&channel_name=a%4",
      "socket_id=1.2&channel_name=a%zz", "socket_id=1.2&channel_name=a%00", "socket_id=1.2&channel_name=a+b",
      "socket_id=1%2e2&channel_name=a", "Socket_id=1.2&channel_name=a", "socket_id=1.2&channel_name=a%\0004" } do
      assert.is_nil((core.subscriber(form)), form)
    end
  end)

  it("put a text around a signature", function()
    local mac = core.mac("secret")
    assert.equal("<" .. mac:hex("a", "b") .. ">", mac:wrap("<", ">", "ab"))
    assert.equal(mac:hex("a"), mac:wrap("", "", "a"))
    local long = ("x"):rep(5000)
    assert.equal(long .. mac:hex("a", "b") .. long, mac:wrap(long, long, "a", "b"))
    assert.equal(long .. mac:hex("a"), mac:wrap(long, "", "a")) -- where a byte too many is one behind the buffer
    assert.equal(mac:hex("a") .. long, mac:wrap("", long, "a"))
    mac:close()
    assert.is_nil((mac:wrap("<", ">", "a")))
  end)
end)
