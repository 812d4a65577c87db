local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local fails = require "spec.helpers.fails"
local json = require "pusher.base.json"
local vectors = require "spec.helpers.vectors"
local webhook = require "pusher.channels.webhook"

local KEY = ("m"):rep(32)
local NOW = 1700000000

local function new(key, secret, master_key)
  return webhook.new {
    key = key or "k", mac = core.mac(secret or "s"), json = json.new(),
    sealer = encryption.new(master_key, core.random),
    clock = function()
      return NOW
    end,
  }
end

local function signed(body, key, secret)
  return { ["X-Pusher-Key"] = key or "k", ["X-Pusher-Signature"] = core.mac(secret or "s"):hex(body) }
end

local function refused(code, hook, message, details)
  assert.is_nil(hook)
  assert.equal("string", type(message))
  assert.equal(code, details.code)
end

local BODY = '{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"c"}]}'

describe("pusher.channels.webhook", function()
  it("judges signatures as the known answers say", function()
    for _, vector in ipairs(vectors.of("webhook_signature")) do
      local inputs = vector.inputs
      local key = inputs.header_key or "any"
      local subject = new(inputs.key ~= "" and inputs.key or key, inputs.secret)
      local hook, _, details = subject:read({ ["X-Pusher-Key"] = key, ["X-Pusher-Signature"] = inputs.signature },
        inputs.body, { extra_tokens = inputs.extra_tokens })
      -- Not every verified body is a webhook.
      assert.equal(vector.expected.valid, hook ~= nil or details.code ~= "unauthorized", vector.source)
    end
  end)

  it("reads time and events", function()
    local hook = new():read(signed(BODY), BODY)
    assert.same({ id = core.mac("s"):hex(BODY), time_ms = 1700000000000,
      events = { { name = "channel_occupied", channel = "c" } } }, hook)
    assert.equal("1700000000000", ("%d"):format(hook.time_ms))
  end)

  it("refuses times that are none, and events that are no list", function()
    for _, body in ipairs { '{"time_ms":1700000000000,"events":{"a":{"name":"x"}}}', '{"time_ms":1e999,"events":[]}', '{"time_ms":1e999}',
      '{"time_ms":-1700000000000,"events":[]}', '{"time_ms":9007199254740992,"events":[]}', '{"time_ms":-1,"events":null}' } do
      refused("invalid", new():read(signed(body), body))
    end
    assert.same({}, new():read(signed '{"time_ms":1700000000000,"events":{}}', '{"time_ms":1700000000000,"events":{}}').events)
  end)

  it("finds headers in any case, in a table or by a function", function()
    local given = signed(BODY)
    local key, signature = given["X-Pusher-Key"], given["X-Pusher-Signature"]
    for _, headers in ipairs { given, { ["x-pusher-key"] = key, ["x-pusher-signature"] = signature },
      { ["X-PUSHER-KEY"] = key, ["X-PUSHER-signature"] = signature },
      function(name)
        return given[name]
      end } do
      assert.truthy(new():read(headers, BODY))
    end
  end)

  it("takes extra tokens, each under its own secret only", function()
    local tokens = { { key = "old", secret = "older" }, { key = "other", secret = "others" } }
    assert.truthy(new():read(signed(BODY, "old", "older"), BODY, { extra_tokens = tokens }))
    refused("unauthorized", new():read(signed(BODY, "old", "s"), BODY, { extra_tokens = tokens }))
    refused("unauthorized", new():read(signed(BODY, "k", "older"), BODY, { extra_tokens = tokens }))
    refused("unauthorized", new():read(signed(BODY, "old", "older"), BODY))
    for _, wrong in ipairs { 5, "x", true, { 7 }, { {} }, { { key = "x" } }, { { key = "x", secret = "" } },
      { { key = "x", secret = "s\n" } }, { { key = " x", secret = "s" } }, { { key = "x", secret = "s" }, nil, 7 },
      { { key = 5, secret = "s" } }, { a = { key = "x", secret = "s" } } } do
      for _, headers in ipairs { signed(BODY, "x", "s"), signed(BODY) } do
        local _, message, details = refused("config", new():read(headers, BODY, { extra_tokens = wrong }))
        assert.is_nil(message and message:find('"s', 1, true), details)
      end
    end
  end)

  it("refuses missing, repeated, wrong and forged headers", function()
    local good = signed(BODY)
    local signature = good["X-Pusher-Signature"]
    for _, headers in ipairs { {}, { ["X-Pusher-Key"] = "k" }, { ["X-Pusher-Signature"] = signature },
      { ["X-Pusher-Key"] = "", ["X-Pusher-Signature"] = signature },
      { ["X-Pusher-Key"] = "x", ["X-Pusher-Signature"] = signature },
      { ["X-Pusher-Key"] = { "k", "x" }, ["X-Pusher-Signature"] = signature },
      { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = { signature, signature } },
      { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = signature:sub(1, 63) .. "x" },
      { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = signature:sub(1, 10) },
      { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = "0" },
      function() end } do
      refused("unauthorized", new():read(headers, BODY))
    end
    refused("unauthorized", new():read(good, BODY:sub(1, -2)))
  end)

  it("reads the common shape as any other", function()
    local one = '{"name":"client_event","channel":"private-a","event":"client-x","data":{"n":4},"user_id":7}'
    for _, body in ipairs { BODY, '{"time_ms":1700000000000,"events":[' .. one .. "," .. one .. "]}",
      '{"time_ms":1700000000000,"events":[{}]}', '{"time_ms":1700000000000.5,"events":[{"name":"x"}],"more":[1.5]}',
      '{"time_ms":1700000000000,"events":[7]}' } do
      local headers = signed(body)
      local common = { new():read(headers, body) }
      assert.same({ new():read(headers, body, {}) }, common)
      assert.equal(body:find '"name"' ~= nil, common[1] ~= nil)
    end
  end)

  -- Of headers with the documented names C computes the HMAC, which `mac:verify` does not count; a signature in capitals is
  -- left to Lua.
  it("computes one HMAC for a forged signature in lower case", function()
    local good = signed(BODY)["X-Pusher-Signature"]
    for text, expected in pairs { [good] = 1, [good:upper()] = 2, [("0"):rep(64)] = 1, ["0"] = 1, [("A"):rep(64)] = 2 } do
      for index, headers in ipairs { { ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = text },
        { ["x-pusher-key"] = "k", ["x-pusher-signature"] = text } } do
        local subject, count = new(), 0
        local mac = subject.mac
        subject.mac = { verify = function(_, ...)
          count = count + 1
          return mac:verify(...)
        end }
        local hook = subject:read(headers, BODY)
        assert.equal(text:lower() == good, hook ~= nil)
        assert.equal(index == 1 and expected == 1 and 0 or expected, count, text)
      end
    end
  end)

  it("says that the client is closed when a finalizer has closed it", function()
    for _, headers in ipairs { signed(BODY), { ["x-pusher-key"] = "k", ["x-pusher-signature"] = ("A"):rep(64) } } do
      local subject = new()
      subject.mac:close()
      fails("the client is closed", { code = "closed" }, subject:read(headers, BODY))
    end
  end)

  it("never shows the signature it expected", function()
    local _, message = new():read({ ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = ("0"):rep(64) }, BODY)
    assert.is_nil(message:find(core.mac("s"):hex(BODY), 1, true))
  end)

  it("refuses signed bodies that are not a webhook", function()
    for _, body in ipairs { "x", "[]", "{}", '{"name":"channel_occupied","channel":"a","time_ms":"x"}', '{"events":null}',
      '{"time_ms":"1x","events":[]}', '{"time_ms":"","events":[]}', '{"time_ms":"1234567890123456","events":[]}',
      '{"time_ms":1,"events":[7]}',
      '{"time_ms":1,"events":[{}]}', '{"time_ms":1,"events":7}' } do
      refused("invalid", new():read(signed(body), body))
    end
    local empty = '{"time_ms":1,"events":[]}'
    assert.same({}, new():read(signed(empty), empty).events)
  end)

  it("takes what other servers send: time as text, no events, an empty body", function()
    for _, body in ipairs { '{"time_ms":"1700000000000","events":[{"name":"channel_occupied","channel":"c"}]}', BODY } do
      local hook = new():read(signed(body), body)
      assert.equal("1700000000000", ("%d"):format(hook.time_ms))
      assert.equal(1, #hook.events)
    end
    for _, body in ipairs { "", '{"time_ms":1}', '{"time_ms":1,"events":null}', '{"time_ms":1,"events":{}}' } do
      assert.same({}, new():read(signed(body), body).events)
    end
    refused("unauthorized", new():read(signed(""), "", { max_age = 60 }))
  end)

  it("takes a time in seconds, as ipe sends it, for that time in milliseconds", function()
    for given, expected in pairs { ["1700000000"] = "1700000000000", ['"1700000000"'] = "1700000000000", ["1000000000"] = "1000000000000",
      ["999999999"] = "999999999", ["99999999999"] = "99999999999000", ["100000000000"] = "100000000000" } do
      local body = '{"time_ms":' .. given .. ',"events":[]}'
      assert.equal(expected, ("%d"):format(new():read(signed(body), body).time_ms), given)
    end
    local body = '{"time_ms":1700000000,"events":[]}'
    assert.truthy(new():read(signed(body), body, { max_age = 60 }))
    body = '{"time_ms":1699990000,"events":[]}'
    refused("unauthorized", new():read(signed(body), body, { max_age = 60 }))
  end)

  it("takes no NaN for a time, neither the sender's nor the clock's", function()
    for _, body in ipairs { '{"time_ms":NaN,"events":[]}', '{"time_ms":0x1F,"events":[]}', '{"time_ms":Infinity,"events":[]}' } do
      refused("invalid", new():read(signed(body), body))
    end
    local reader = new()
    reader.clock = function() return 0 / 0 end
    fails("the option clock must return Unix seconds", { code = "config", field = "clock" },
      reader:read(signed(BODY), BODY, { max_age = 60 }))
  end)

  it("takes a signature in upper case, and headers that are lists of one", function()
    local headers = signed(BODY)
    local signature = headers["X-Pusher-Signature"]
    headers["X-Pusher-Signature"] = { signature:upper() }
    assert.equal(signature, new():read(headers, BODY).id)
    headers["X-Pusher-Signature"] = { signature, signature }
    refused("unauthorized", new():read(headers, BODY))
  end)

  it("gives integers as integers, wherever they stand", function()
    local body = '{"time_ms":1,"events":[{"name":"subscription_count","channel":"a","subscription_count":7},'
      .. '{"name":"member_added","channel":"presence-a","user_id":13},{"name":"new_kind","x":[{"n":3}]},'
      .. '{"name":"client_event","channel":"private-a","event":"client-x","data":{"n":4}}]}'
    local hook = new():read(signed(body), body)
    local numbers = { hook.time_ms, hook.events[1].subscription_count, hook.events[2].user_id, hook.events[3].x[1].n,
      hook.events[4].data.n }
    assert.same({ "1", "7", "13", "3", "4" }, {
      tostring(numbers[1]), tostring(numbers[2]), tostring(numbers[3]), tostring(numbers[4]), tostring(numbers[5]),
    })
  end)

  it("keeps unknown kinds of events", function()
    local body = '{"time_ms":1,"events":[{"name":"new_kind","x":[1]},{"name":"cache_miss","channel":"cache-a"}]}'
    local hook = new():read(signed(body), body)
    assert.equal("new_kind", hook.events[1].name)
    assert.equal("cache_miss", hook.events[2].name)
  end)

  it("refuses webhooks outside the age allowed, only when asked to", function()
    local function at(time_ms, max_age)
      local body = ('{"time_ms":%.0f,"events":[]}'):format(time_ms)
      return new():read(signed(body), body, { max_age = max_age })
    end
    assert.truthy(at((NOW - 300) * 1000, 300))
    refused("unauthorized", at((NOW - 301) * 1000, 300))
    refused("unauthorized", at((NOW + 301) * 1000, 300))
    assert.truthy(at(1, nil))
    for _, wrong in ipairs { "5", 0 / 0, -1, math.huge, true, {} } do
      refused("config", at(NOW * 1000, wrong))
    end
  end)

  it("decrypts client events of encrypted channels; one that fails leaves the rest alone", function()
    local sealer = encryption.new(KEY, core.random)
    local function event(channel, data)
      return '{"name":"client_event","channel":"' .. channel .. '","event":"client-x","data":'
        .. data .. "}"
    end
    local good = sealer:seal("private-encrypted-a", '{"said":"hello"}', "", "")
    local of_another_key = encryption.new(("x"):rep(32), core.random):seal("private-encrypted-a", "y", "", "")
    local body = '{"time_ms":1,"events":[' .. table.concat({
      event("private-encrypted-a", of_another_key), event("private-encrypted-a", good), event("private-a", '"plain"'),
      event("private-encrypted-a", '"no json"'), event("private-encrypted-a", "7"),
      '{"name":"channel_vacated","channel":"private-encrypted-a"}',
    }, ",") .. "]}"
    local events = new("k", "s", KEY):read(signed(body), body).events
    assert.is_nil(events[1].data)
    assert.equal("string", type(events[1].error))
    assert.equal('{"said":"hello"}', events[2].data)
    assert.is_nil(events[2].error)
    assert.equal("plain", events[3].data)
    assert.truthy(events[4].error)
    assert.truthy(events[5].error)
    assert.is_nil(events[6].error)
    local without_key = new():read(signed(body), body).events
    assert.truthy(without_key[2].error)
    assert.is_nil(without_key[2].data)
  end)

  it("refuses unknown options", function()
    refused("config", new():read(signed(BODY), BODY, { extra_token = {} }))
  end)

  it("says what is wrong", function()
    local function read(body, opts)
      return new():read(signed(body), body, opts)
    end
    for message, tokens in pairs {
      [" must be a list of { key =, secret = }, got a table with other keys"] = { key = "k", secret = "s" },
      [": token 2 must be { key =, secret = }, got number"] = { { key = "x", secret = "s" }, 7 },
      [": key of token 1 is missing"] = { {} },
      [": key of token 1 must be a string, got number"] = { { key = 5, secret = "s" } },
      [": secret of token 2 must not contain spaces or control characters"] = { { key = "x", secret = "s" },
        { key = "x", secret = "s\n" } },
    } do
      fails('option "extra_tokens"' .. message, { code = "config", field = "extra_tokens" },
        read(BODY, { extra_tokens = tokens }))
    end
    fails("the webhook was signed for another key", { code = "unauthorized" }, new("other"):read(signed(BODY), BODY))
    fails("the webhook's signature is not valid", { code = "unauthorized" }, new():read(signed("x"), BODY))
    fails("the header X-Pusher-Key is missing", { code = "unauthorized", field = "X-Pusher-Key" }, new():read({}, BODY))
    fails("the header X-Pusher-Signature is missing", { code = "unauthorized", field = "X-Pusher-Signature" },
      new():read({ ["X-Pusher-Key"] = "k" }, BODY))
    fails("the header X-Pusher-Signature is missing", { code = "unauthorized", field = "X-Pusher-Signature" },
      new():read({ ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = "" }, BODY))
    fails("the webhook's body must be an object with time_ms and events", { code = "invalid" }, read("{}"))
    fails("the webhook has an event without a name", { code = "invalid" }, read('{"time_ms":1,"events":[{}]}'))
    fails("the webhook's time must be within 10 seconds of this clock, got 1699999999.0", { code = "unauthorized" },
      read('{"time_ms":1000,"events":[]}', { max_age = 10 }))
    fails("the webhook's time must be within 0.4 seconds of this clock, got 0.5", { code = "unauthorized" },
      read('{"time_ms":1699999999500,"events":[]}', { max_age = 0.4 }))
    local event = read('{"time_ms":1,"events":[{"name":"client_event","channel":"private-encrypted-a","data":"x"}]}').events[1]
    assert.same({ "the encrypted data has no valid nonce and ciphertext" }, { event.error })
  end)
end)
