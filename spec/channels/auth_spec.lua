local auth = require "pusher.channels.auth"
local cjson = require "cjson"
local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local fails = require "spec.helpers.fails"
local json = require "pusher.base.json"
local vectors = require "spec.helpers.vectors"

local function new(key, secret, master_key)
  return auth.new {
    key = key or "k", mac = core.mac(secret or "s"), json = json.new(),
    sealer = encryption.new(master_key, core.random),
  }
end

local function refused(code, text, message, details)
  assert.is_nil(text)
  assert.equal("string", type(message))
  assert.equal(code, details.code)
end

describe("pusher.channels.auth", function()
  it("authorizes channels as the known answers say", function()
    local signed_count = 0
    for _, vector in ipairs(vectors.of("channel_auth")) do
      local inputs, expected = vector.inputs, vector.expected
      local base64 = inputs.master_key_base64
      local master_key = inputs.master_key_raw or (base64 and core.base64_decode(base64))
      local text = new(inputs.key, inputs.secret, master_key):authorize_channel(
        { socket_id = inputs.socket_id, channel_name = inputs.channel }, inputs.channel_data)
      if text then
        local response = cjson.decode(text)
        assert.equal(expected.auth, response.auth, vector.source)
        assert.equal(inputs.channel_data, response.channel_data)
        if expected.shared_secret then
          assert.equal(expected.shared_secret, response.shared_secret)
        end
        signed_count = signed_count + 1
      else
        -- Some libraries sign names of public channels or data that is not a member; the signature itself must agree.
        local signed = inputs.socket_id .. ":" .. inputs.channel
          .. (inputs.channel_data and ":" .. inputs.channel_data or "")
        assert.equal(expected.auth, inputs.key .. ":" .. core.mac(inputs.secret):hex(signed), vector.source)
        assert.is_true(not inputs.channel:find("^private%-") or inputs.channel_data ~= nil, vector.source)
      end
    end
    assert.equal(6, signed_count)
  end)

  it("authenticates users as the known answers say", function()
    for _, vector in ipairs(vectors.of("user_auth")) do
      local inputs = vector.inputs
      local text = new(inputs.key, inputs.secret):authenticate_user({ socket_id = inputs.socket_id }, inputs.user_data)
      local response = cjson.decode(text)
      assert.equal(vector.expected.auth, response.auth, vector.source)
      assert.equal(inputs.user_data, response.user_data)
    end
  end)

  it("derives shared secrets as the known answers say", function()
    for _, vector in ipairs(vectors.of("shared_secret")) do
      local inputs, expected = vector.inputs, vector.expected
      local master_key = inputs.master_key_raw or core.base64_decode(inputs.master_key_base64)
      local secret = encryption.new(master_key):shared_secret(inputs.channel)
      if expected.base64_no_padding then
        assert.equal(expected.base64_no_padding, (secret:gsub("=", "")))
      else
        assert.equal(expected.base64 or expected.hex,
          expected.base64 and secret or (core.base64_decode(secret):gsub(".", function(c)
            return ("%02x"):format(c:byte())
          end)))
      end
    end
  end)

  it("takes a form, its fields, and any order and encoding of it", function()
    local expected = new():authorize_channel("socket_id=1.2&channel_name=private-a=@,.;b")
    assert.truthy(expected)
    for _, params in ipairs { "channel_name=private-a%3D%40%2C.%3Bb&socket_id=1%2e2",
      "x=y&socket_id=1.2&channel_name=private-a%3D@,.;b",
      { socket_id = "1.2", channel_name = "private-a=@,.;b", other = { "a", "b" } } } do
      assert.equal(expected, (new():authorize_channel(params)))
    end
  end)

  it("writes members of presence channels", function()
    local response = cjson.decode(new():authorize_channel("socket_id=1.2&channel_name=presence-a",
      { user_id = "7", user_info = { name = 'A "quoted" name', tags = { 1, 2 } } }))
    local member = cjson.decode(response.channel_data)
    assert.same({ user_id = "7", user_info = { name = 'A "quoted" name', tags = { 1, 2 } } }, member)
    assert.equal("k:" .. core.mac("s"):hex("1.2:presence-a:" .. response.channel_data), response.auth)
    response = cjson.decode(new():authorize_channel("socket_id=1.2&channel_name=presence-a", { user_id = 12 }))
    assert.equal('{"user_id":"12"}', response.channel_data)
  end)

  it("signs a JSON text unchanged", function()
    local text = '{ "user_id": 7 , "user_info":{"b":1,"a":2}}'
    local response = cjson.decode(new():authorize_channel("socket_id=1.2&channel_name=presence-a", text))
    assert.equal(text, response.channel_data)
  end)

  it("signs a member for private channels, too, when one is given", function()
    local response = cjson.decode(new():authorize_channel("socket_id=1.2&channel_name=private-a", { user_id = "7" }))
    assert.equal('{"user_id":"7"}', response.channel_data)
    assert.equal("k:" .. core.mac("s"):hex('1.2:private-a:{"user_id":"7"}'), response.auth)
  end)

  it("gives the key of encrypted and of encrypted cache channels", function()
    local subject = new("k", "s", ("m"):rep(32))
    for _, channel in ipairs { "private-encrypted-a", "private-encrypted-cache-a" } do
      local response = cjson.decode(subject:authorize_channel { socket_id = "1.2", channel_name = channel })
      assert.equal(core.base64_encode(core.channel_key(channel, ("m"):rep(32))), response.shared_secret)
      assert.equal("k:" .. core.mac("s"):hex("1.2:" .. channel), response.auth)
    end
    for _, channel in ipairs { "private-cache-a", "presence-cache-a" } do
      local response = cjson.decode(subject:authorize_channel({ socket_id = "1.2", channel_name = channel }, { user_id = "1" }))
      assert.is_nil(response.shared_secret)
    end
    refused("encryption", new():authorize_channel("socket_id=1.2&channel_name=private-encrypted-a"))
  end)

  it("refuses what a subscriber may forge", function()
    local subject = new()
    for _, params in ipairs { "", "garbage", "socket_id=1.2", "channel_name=private-a", "socket_id=1.2&channel_name=",
      "socket_id=1.1%0A&channel_name=private-a", "socket_id=1.1&channel_name=private-a%0A",
      "socket_id=1.1&socket_id=2.2&channel_name=private-a", "socket_id=1.1&channel_name=private-a&channel_name=private-b",
      "socket_id=1.1&channel_name=public", "socket_id=1.1:private-a&channel_name=private-b",
      "socket_id=1.1&channel_name=private-a%3Ab", "socket_id=1.1&channel_name=Private-a",
        "socket_id=1.1&channel_name=presence",
      "socket_id=1.1&channel_name=private-" .. ("x"):rep(193), "socket_id[]=1.1&channel_name=private-a",
      { socket_id = "1.1", channel_name = { "private-a", "private-b" } }, { socket_id = 1.1,
        channel_name = "private-a" },
      { socket_id = "1.1", channel_name = true }, {} } do
      refused("invalid", subject:authorize_channel(params))
    end
    assert.truthy(subject:authorize_channel("socket_id=1.1&channel_name=private-" .. ("x"):rep(192)))
  end)

  it("demands a member of presence channels, with an id", function()
    local subject, params = new(), "socket_id=1.2&channel_name=presence-a"
    for _, member in ipairs { { nil }, { {} }, { { user_id = "" } }, { { user_id = 1.5 } }, { { user_id = {} } },
      { "not json" }, { "[]" }, { '{"user_info":{}}' }, { "7" },
      { { user_id = "1", user_info = print } } } do
      refused("invalid", subject:authorize_channel(params, member[1]))
    end
  end)

  it("signs user_id and user_info of a member, and refuses any other field by name", function()
    local subject, params = new(), "socket_id=1.2&channel_name=presence-a"
    for _, member in ipairs { { user_id = "1", password = "hunter2" }, { user_id = 7, password = "hunter2" },
      '{"user_id":"1","password":"hunter2"}', { user_id = "1", user_info = { a = 1 }, password = false } } do
      for _, given in ipairs { params, { socket_id = "1.2", channel_name = "presence-a" } } do
        local text, message, details = subject:authorize_channel(given, member)
        assert.is_nil(text)
        assert.equal("invalid", details.code)
        assert.equal("password", details.field)
        assert.truthy(message:find('"password"', 1, true))
        assert.is_nil(message:find("hunter2", 1, true))
      end
    end
    local listed, _, details = subject:authorize_channel(params, { user_id = "1", "x" })
    assert.is_nil(listed)
    assert.equal("1", details.field)
    refused("invalid", subject:authorize_channel("socket_id=1.2&channel_name=private-a", { user_id = "1", x = 1 }))
    -- What an object shows beyond its own fields is not signed.
    local object = setmetatable({ user_id = "1" }, { __index = { user_info = { a = 1 } },
      __pairs = function() return next, { user_id = "1", password = "hunter2" } end })
    local response = cjson.decode(subject:authorize_channel(params, object))
    assert.same({ user_id = "1" }, cjson.decode(response.channel_data))
  end)

  it("refuses a list of channels", function()
    local _, _, details = new():authorize_channel("socket_id=1.2&channel_name[]=private-a")
    assert.equal("channel_name", details.field)
    refused("invalid", new():authorize_channel("socket_id=1.2&channel_name[0]=private-a"))
    refused("invalid", new():authorize_channel { socket_id = "1.2", ["channel_name[]"] = { "private-a" } })
  end)

  it("forgets the master key", function()
    local params, sealer = "socket_id=1.2&channel_name=private-encrypted-a", encryption.new(("m"):rep(32))
    local subject = auth.new { key = "k", mac = core.mac("s"), json = json.new(), sealer = sealer }
    local common = subject.authorize_common -- a trace of LuaJIT may keep it
    assert.truthy(common(params))
    subject:close()
    sealer:close()
    assert.equal(0, select("#", common(params)))
    refused("closed", subject:authorize_channel(params))
  end)

  it("authenticates users with info and a watchlist", function()
    local response = cjson.decode(new():authenticate_user("socket_id=1.2",
      { id = "7", user_info = { name = "A" }, watchlist = { "8", "9" } }))
    assert.same({ id = "7", user_info = { name = "A" }, watchlist = { "8", "9" } }, cjson.decode(response.user_data))
    assert.equal("k:" .. core.mac("s"):hex("1.2::user::" .. response.user_data), response.auth)
  end)

  it("signs no watchlist of a text that is an object", function()
    fails("the JSON text must be an object with id", { code = "invalid", field = "id" },
      new():authenticate_user("socket_id=1.2", '{"watchlist":{}}'))
    for _, text in ipairs { '{"id":"u","watchlist":{}}', '{"watchlist" :\n{ },"id":"u"}', '{"id":"u","w\\u0061tchlist":{}}',
      '{"id":"u","watchlist":[],"watchlist":{}}' } do
      fails("watchlist must be a list of at most 100 user ids, got an object", { code = "invalid", field = "watchlist" },
        new():authenticate_user("socket_id=1.2", text))
    end
    for _, text in ipairs { '{"id":"u","watchlist":[]}', '{"id":"u","user_info":{"watchlist":{}}}',
      '{"id":"u","watchlist":{},"watchlist":[]}', '{"id":"u","x":"\\"watchlist\\":{}"}' } do
      assert.truthy(new():authenticate_user("socket_id=1.2", text))
    end
  end)

  it("writes a watchlist as a list of ids, and checks it", function()
    local function user_data(watchlist)
      local text, message, details = new():authenticate_user({ socket_id = "1.2" }, { id = "u", watchlist = watchlist })
      return text and cjson.decode(text).user_data, message, details
    end
    local ids = {}
    for index = 1, 100 do
      ids[index] = "u" .. index
    end
    assert.equal('{"id":"u","watchlist":[]}', user_data {})
    assert.equal('{"id":"u","watchlist":["a/b","\\"q\\""]}', user_data { "a/b", '"q"' })
    assert.truthy(user_data(ids))
    ids[101] = "one more"
    for _, case in ipairs { { "101", ids }, { "an object", { a = "b" } }, { "boolean", true }, { "string", "a" } } do
      fails("watchlist must be a list of at most 100 user ids, got " .. case[1], { code = "invalid", field = "watchlist" },
        user_data(case[2]))
    end
    for _, watchlist in ipairs { ids, { 7 }, { a = "b" }, { "a", nil, "c" }, { "" }, { "\255" }, { {} }, "a", true } do
      local text, message, details = user_data(watchlist)
      assert.is_nil(text)
      assert.truthy(message:find("^watchlist"))
      assert.same({ "invalid", "watchlist" }, { details.code, details.field })
      if type(watchlist) == "table" and #watchlist > 0 then
        refused("invalid", new():authenticate_user({ socket_id = "1.2" }, cjson.encode { id = "u", watchlist = watchlist }))
      end
    end
  end)

  it("refuses texts that are not UTF-8, and signs none", function()
    refused("invalid", new():authorize_channel({ socket_id = "1.2", channel_name = "presence-a" }, '{"user_id":"\255"}'))
    refused("invalid", new():authorize_channel({ socket_id = "1.2", channel_name = "private-a" }, '{"x":"\255"}'))
    refused("invalid", new():authorize_channel({ socket_id = "1.2", channel_name = "presence-a" }, { user_id = "\255" }))
    refused("invalid", new():authorize_channel({ socket_id = "1.2", channel_name = "presence-a" },
      { user_id = "1", user_info = { "\255" } }))
    refused("invalid", new():authenticate_user({ socket_id = "1.2" }, '{"id":"\255"}'))
    refused("invalid", new():authenticate_user({ socket_id = "1.2" }, { id = "\255" }))
  end)

  it("refuses users without a string id, and forged socket ids", function()
    local subject = new()
    for _, user in ipairs { {}, { id = 7 }, { id = "" }, { id = "a\n" }, "x", "{}", '{"id":7}', { id = "1",
      f = print } } do
      refused("invalid", subject:authenticate_user("socket_id=1.2", user))
    end
    for _, params in ipairs { "", "socket_id=1", "socket_id=1.2&socket_id=1.2", {}, { socket_id = { "1.2" } } } do
      refused("invalid", subject:authenticate_user(params, { id = "7" }))
    end
  end)

  it("signs id, user_info and watchlist of a user, and refuses any other field by name", function()
    local text, message, details = new():authenticate_user("socket_id=1.2", { id = "1", password = "hunter2" })
    assert.is_nil(text)
    assert.same({ "invalid", "password" }, { details.code, details.field })
    assert.is_nil(message:find("hunter2", 1, true))
  end)

  it("calls the codec once for a member, whatever the form and the channel", function()
    for _, form in ipairs {
      "socket_id=1.2&channel_name=presence-a", "channel_name=presence-a&socket_id=1.2",
      "socket_id=1.2&channel_name=private-a", "socket_id=1.2&channel_name=private-encrypted-a",
    } do
      local calls = 0
      local codec = { decode = cjson.decode, encode = function(value)
        calls = calls + (type(value) == "table" and 1 or 0)
        return cjson.encode(value)
      end }
      local subject = auth.new { key = "k", mac = core.mac("s"), json = json.new(codec),
        sealer = encryption.new(("m"):rep(32), core.random) }
      assert.is_nil(subject.authorize_common(form, { user_id = "1" }))
      assert.is_truthy(subject:authorize_channel(form, { user_id = "1" }))
      assert.equal(1, calls, form)
    end
  end)

  it("authorizes the common shape as every other", function()
    local subject = new("k", "s", ("m"):rep(32))
    local count = 0
    for _, channel in ipairs { "presence-a", "private-a", "private-encrypted-a" } do
      local form = "socket_id=1.2&channel_name=" .. channel
      for _, member in ipairs { false, { user_id = "1" }, { user_id = "a", user_info = "http://a/b\\/" },
        { user_id = "a", user_info = ("\"/"):rep(500) }, { user_id = 5 }, { user_id = "a", user_info = 2 ^ 70 } } do
        local common = subject.authorize_common(form, member or nil)
        if common then
          assert.equal(subject:authorize_channel({ socket_id = "1.2", channel_name = channel }, member or nil), common)
          assert.equal(subject:authorize_channel(form, member or nil), common)
          count = count + 1
        end
      end
    end
    assert.equal(8, count)
    assert.is_nil(subject.authorize_common({ socket_id = "1.2", channel_name = "private-a" }))
    assert.is_nil(subject.authorize_common(5))
    assert.is_nil(subject.authorize_common("socket_id=1.2&channel_name=presence-a", "text"))
  end)

  it("does not call the codec for channels without a member, and once where it fails", function()
    for channel, expected in pairs { public = 0, ["bad channel!"] = 0, ["presence-a"] = 1, ["private-a"] = 1,
      ["private-encrypted-a"] = 1 } do
      local calls = 0
      local codec = { decode = cjson.decode, encode = function(value)
        calls = calls + (type(value) == "table" and 1 or 0)
        return type(value) ~= "table" and cjson.encode(value) or calls > 1 and "{}" or error("fails at first")
      end }
      local subject = auth.new { key = "k", mac = core.mac("s"), json = json.new(codec), sealer = encryption.new(("m"):rep(32)) }
      refused("invalid", subject:authorize_channel("socket_id=1.2&channel_name=" .. channel, { user_id = "1" }))
      assert.equal(expected, calls, channel)
    end
  end)

  it("says that the client is closed when a finalizer has closed it", function()
    for _, channel in ipairs { "private-a", "private-encrypted-a", "presence-a" } do
      local subject = new("k", "s", ("m"):rep(32))
      local form, member = "socket_id=1.2&channel_name=" .. channel, channel == "presence-a" and { user_id = "1" } or nil
      assert.truthy(subject.authorize_common(form, member))
      subject.mac:close()
      assert.is_nil(subject.authorize_common(form, member))
      refused("closed", subject:authorize_channel(form, member))
      subject.sealer:close()
      subject:close()
      assert.is_nil(subject.authorize_common(form, member))
      refused("closed", subject:authorize_channel(form, member))
    end
  end)

  it("fails when the codec closes the client", function()
    local subject
    local codec = { decode = cjson.decode, encode = function(value)
      if subject and type(value) == "table" then
        subject.mac:close()
        subject.sealer:close()
        subject:close()
      end
      return cjson.encode(value)
    end }
    local function closing()
      subject = auth.new { key = "k", mac = core.mac("s"), json = json.new(codec),
        sealer = encryption.new(("m"):rep(32)) }
      return subject
    end
    for _, channel in ipairs { "presence-a", "private-encrypted-a" } do
      refused("closed", closing():authorize_channel("socket_id=1.2&channel_name=" .. channel, { user_id = "1" }))
    end
    refused("closed", closing():authenticate_user("socket_id=1.2", { id = "1" }))
  end)

  it("keeps the caller's tables", function()
    local member = { user_id = 7, user_info = { a = 1 } }
    local params = { socket_id = "1.2", channel_name = "presence-a" }
    new():authorize_channel(params, member)
    assert.same({ user_id = 7, user_info = { a = 1 } }, member)
    assert.same({ socket_id = "1.2", channel_name = "presence-a" }, params)
  end)

  it("says what is wrong, and in which member", function()
    local function member(given)
      return new():authorize_channel("socket_id=1.2&channel_name=presence-a", given)
    end
    local function user(given)
      return new():authenticate_user("socket_id=1.2", given)
    end
    local function invalid(field)
      return { code = "invalid", field = field }
    end
    fails("a presence channel needs a member { user_id = …, user_info = … }", invalid("member"), member())
    fails("the JSON text must be an object with user_id", invalid("user_id"), member("{}"))
    local NO_ID = "user_id must be a string or a whole number, got "
    fails(NO_ID .. "boolean", invalid("user_id"), member('{"user_id":true}'))
    fails(NO_ID .. "1.5", invalid("user_id"), member('{"user_id":1.5}'))
    fails(NO_ID .. "number", invalid("user_id"), member('{"user_id":1e400}'))
    fails('user id "" must have 1 to 200 bytes, got 0', invalid("user_id"), member('{"user_id":""}'))
    fails('user id "?" has a control character', invalid("user_id"), member('{"user_id":"\\u0000"}'))
    for _, id in ipairs { "7", '"7"', "9007199254740993" } do
      assert.truthy(member('{"user_id":' .. id .. "}"))
    end
    assert.equal("0", cjson.decode(cjson.decode((member { user_id = -0.0 })).channel_data).user_id)
    fails('unknown field of a member "x"', invalid("x"), member('{"user_id":"a","x":1}'))
    fails('unknown field of a member "x"', invalid("x"), member { user_id = "a", x = 1 })
    fails(NO_ID .. "nil", invalid("user_id"), member {})
    fails(NO_ID .. "1.5", invalid("user_id"), member { user_id = 1.5 })
    for text, id in pairs { ["9007199254740992"] = 2 ^ 53, ["-9007199254740992"] = -2 ^ 53, ["1e+300"] = 1e300 } do
      fails(NO_ID .. text, invalid("user_id"), member { user_id = id })
    end
    for id, text in pairs { [2 ^ 53 - 1] = "9007199254740991", [-(2 ^ 53 - 1)] = "-9007199254740991", [0] = "0" } do
      assert.equal(text, cjson.decode(cjson.decode((member { user_id = id })).channel_data).user_id)
    end
    fails("the JSON text must be an object with id", invalid("id"), user("{}"))
    fails('unknown field of a user "x"', invalid("x"), user { id = "a", x = 1 })
    fails("the member is not JSON in UTF-8", invalid("member"),
      new():authorize_channel("socket_id=1.2&channel_name=private-a", "["))
    fails("channel_name must be one channel, not a list", invalid("channel_name"),
      new():authorize_channel("socket_id=1.2&channel_name[]=private-a"))
    local closed = new()
    closed:close()
    fails("the client is closed", { code = "closed" },
      closed:authorize_channel("socket_id=1.2&channel_name=presence-a", { user_id = "a" }))
    fails("the client is closed", { code = "closed" }, closed:authenticate_user("socket_id=1.2", { id = "a" }))
  end)
end)
