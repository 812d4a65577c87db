local cjson = require "cjson"
local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local fails = require "spec.helpers.fails"
local json = require "pusher.base.json"
local payload = require "pusher.channels.payload"
local vectors = require "spec.helpers.vectors"

local KEY = ("k"):rep(32)

local function new(limits)
  limits = limits or {}
  return payload.new(json.new(), encryption.new(limits.key or KEY, core.random),
    { max_payload_kb = limits.max_payload_kb or 10, max_batch = limits.max_batch or 10, idempotency = limits.idempotency },
    { next = function() return "base:1" end })
end

local function build(inputs)
  if inputs.call == "trigger_batch" then
    return new():batch(inputs.batch)
  elseif inputs.call == "send_to_user" then
    return new():user_event(inputs.user_id, inputs.event, inputs.data)
  end
  return new():event(inputs.channels, inputs.event, inputs.data, { socket_id = inputs.socket_id, info = inputs.info })
end

describe("pusher.channels.payload", function()
  it("builds bodies as the known answers say", function()
    local compared = 0
    for _, vector in ipairs(vectors.of("request_body")) do
      local body = build(vector.inputs)
      if vector.expected.object then
        assert.same(vector.expected.object, cjson.decode(body))
        compared = compared + 1
      elseif vector.inputs.call == "send_to_user" then
        assert.same(cjson.decode(vector.expected.body), cjson.decode(body)) -- Node's member order
        compared = compared + 1
      else
        assert.equal(vector.expected.body, body)
        compared = compared + 1
      end
    end
    assert.equal(8, compared)
  end)

  it("writes a table in one call as in several, and refuses the same", function()
    local long = ("x"):rep(100)
    for _, data in ipairs { {}, { a = "/\"\\\1" }, { 1, 2.5, "é" }, "text", 5, true, cjson.null, { long }, { long .. "y" },
      { "\255" }, { 2 ^ 60 }, { function() end }, { [1] = 1, [1000] = 2 } } do
      for _, channel in ipairs { "c", "private-encrypted-c" } do
        local fast, slow = new { max_payload_kb = 104 / 1024 }, new { max_payload_kb = 104 / 1024 }
        fast.sealer = encryption.new(KEY, function(n) return ("n"):rep(n) end)
        slow.sealer, slow.write = fast.sealer, function() end
        assert.same({ slow:event(channel, "e", data) }, { fast:event(channel, "e", data) })
        assert.same({ slow:event(channel, "e", data, { info = "a" }) }, { fast:event(channel, "e", data, { info = "a" }) })
        assert.same({ slow:batch { { channel = channel, name = "e", data = data } } },
          { fast:batch { { channel = channel, name = "e", data = data } } })
      end
    end
    assert.is_string((new { max_payload_kb = 104 / 1024 }:event("c", "e", { long })))
    assert.is_nil((new { max_payload_kb = 104 / 1024 }:event("c", "e", { long .. "y" })))
  end)

  it("sends a string unchanged and encodes the rest once", function()
    local function data_of(data)
      return cjson.decode(new():event({ "c" }, "e", data)).data
    end
    assert.equal("plain", data_of("plain"))
    assert.equal('{"a":1}', data_of('{"a":1}'))
    assert.equal('{"a":1}', data_of { a = 1 })
    assert.equal("7", data_of(7))
    assert.equal("false", data_of(false))
    assert.equal("null", data_of(cjson.null))
    assert.equal("", data_of(""))
  end)

  it("refuses data, names and ids that are not UTF-8, before it seals them", function()
    local bad = "\255"
    for _, channel in ipairs { "c", "private-encrypted-c" } do
      for _, data in ipairs { bad, { bad }, { [bad] = 1 } } do
        local body, _, details = new():event(channel, "e", data)
        assert.is_nil(body)
        assert.equal("invalid", details.code)
      end
    end
    for _, body in ipairs { { new():event("c", bad, "") }, { new():user_event(bad, "e", "") },
      { new():user_event("u", bad, "") }, { new():batch { { channel = "c", name = bad, data = "" } } },
      { new():batch { { channel = "c", name = "e", data = bad } } }, { new():text(bad) } } do
      assert.is_nil(body[1])
      assert.equal("invalid", body[3].code)
    end
    assert.equal("größe", cjson.decode(new():event("c", "größe", "größe")).data)
  end)

  it("escapes names and data", function()
    local body = new():event({ "c" }, 'quote " and \\', "line\nbreak \"x\"")
    local decoded = cjson.decode(body)
    assert.equal('quote " and \\', decoded.name)
    assert.equal("line\nbreak \"x\"", decoded.data)
  end)

  it("encrypts data for an encrypted channel, and only there", function()
    local decoded = cjson.decode(new():event({ "private-encrypted-a" }, "e", { secret = "tune" }))
    assert.is_nil(decoded.data:find("tune", 1, true))
    local opened = encryption.new(KEY):open("private-encrypted-a", cjson.decode(decoded.data))
    assert.equal('{"secret":"tune"}', opened)
    local batch = cjson.decode((new():batch {
      { channel = "private-encrypted-a", name = "e", data = "tune" }, { channel = "b", name = "e", data = "tune" },
    })).batch
    assert.is_nil(batch[1].data:find("tune", 1, true))
    assert.equal("tune", batch[2].data)
  end)

  it("refuses an encrypted channel among others", function()
    for _, channels in ipairs { { "a", "private-encrypted-b" }, { "private-encrypted-a", "private-encrypted-b" } } do
      local body, _, details = new():event(channels, "e", "x")
      assert.is_nil(body)
      assert.equal("encryption", details.code)
    end
  end)

  it("measures in bytes, after encryption, and reports size and limit", function()
    assert.truthy(new():event({ "c" }, "e", ("x"):rep(10240)))
    local body, message, details = new():event({ "c" }, "e", ("x"):rep(10241))
    assert.is_nil(body)
    assert.equal("too_large", details.code)
    assert.equal(10241, details.size)
    assert.equal(10240, details.limit)
    assert.truthy(message:find("10241") and message:find("10240"))
    assert.truthy(new():event({ "private-encrypted-c" }, "e", ("x"):rep(7619)))
    assert.is_nil((new():event({ "private-encrypted-c" }, "e", ("x"):rep(7620))))
    assert.truthy(new { max_payload_kb = 20 }:event({ "c" }, "e", ("x"):rep(20480)))
    assert.is_nil((new():event({ "c" }, "e", ("ä"):rep(5121))))
  end)

  it("adds socket_id and info, checked", function()
    local body = new():event({ "c" }, "e", "x", { socket_id = "1.2", info = { "user_count", "subscription_count" } })
    assert.equal('{"name":"e","channels":["c"],"data":"x",'
      .. '"socket_id":"1.2","info":"user_count,subscription_count"}', body)
    for _, params in ipairs { { socket_id = "1.1\n" }, { socket_id = 7 }, { info = "" }, { sokcet_id = "1.1" } } do
      local refused, _, details = new():event({ "c" }, "e", "x", params)
      assert.is_nil(refused)
      assert.equal("invalid", details.code)
    end
  end)

  it("writes null where no data is given", function()
    assert.equal('{"name":"e","channels":["c"],"data":"null"}', new():event("c", "e"))
    assert.equal('{"name":"e","channels":["#server-to-user-7"],"data":"null"}', new():user_event("7", "e"))
    assert.equal('{"batch":[{"channel":"c","name":"e","data":"null"}]}', new():batch { { channel = "c", name = "e" } })
  end)

  it("checks channels, event and user", function()
    for _, call in ipairs { { "event", "a b", "e" }, { "event", "a", "" }, { "user_event", "", "e" },
      { "user_event", "7", "a\nb" } } do
      local subject = new()
      local body, message, details = subject[call[1]](subject, call[2], call[3], "x")
      assert.is_nil(body)
      assert.equal("string", type(message))
      assert.equal("invalid", details.code)
    end
  end)

  it("names the event of a batch that is wrong", function()
    local good = { channel = "c", name = "e", data = "x" }
    for _, bad in ipairs { { channel = "a b", name = "e", data = "x" }, { channel = "c", name = "", data = "x" },
      { channel = "c", name = "e", data = print }, { channel = "c", name = "e",
        data = "x", x = 1 },
      { channel = "c", name = "e", data = "x", socket_id = "1.1\n" }, 7 } do
      local body, message, details = new():batch { good, bad }
      assert.is_nil(body)
      assert.equal(2, details.index)
      assert.truthy(message:find("event 2", 1, true))
    end
  end)

  it("takes batches of 1 to max_batch", function()
    local events = {}
    for index = 1, 11 do
      events[index] = { channel = "c", name = "e", data = "x" }
    end
    local body, _, details = new():batch(events)
    assert.is_nil(body)
    assert.equal("invalid", details.code)
    assert.equal(10, details.limit)
    assert.truthy(new { max_batch = 11 }:batch(events))
    assert.is_nil((new():batch {}))
    assert.is_nil((new():batch { a = 1 }))
    assert.is_nil((new():batch { events[1], nil, events[2] }))
  end)

  it("keeps the caller's tables", function()
    local event = { channel = "private-encrypted-a", name = "e", data = { a = 1 }, info = { "user_count" } }
    new():batch { event }
    assert.same({ channel = "private-encrypted-a", name = "e", data = { a = 1 }, info = { "user_count" } }, event)
  end)

  describe("with idempotency keys", function()
    local function member(body)
      return body:match(',"idempotency_key":(".*")}')
    end

    it("writes them as JSON, after the members that were there before", function()
      local given = new()
      local params = { idempotency_key = 'a"\\b', info = "user_count", socket_id = "1.2" }
      assert.equal('{"name":"e","channels":["c"],"data":"x","socket_id":"1.2","info":"user_count",'
        .. '"idempotency_key":"a\\"\\\\b"}', (given:event("c", "e", "x", params)))
      assert.equal('"base:1"', member((given:event("c", "e", "x", { idempotency_key = true }))))
      assert.equal('"k"', member((given:user_event("u", "e", "x", { idempotency_key = "k" }))))
      assert.equal('{"batch":[{"channel":"c","name":"e","data":"x","idempotency_key":"k"}]}',
        (given:batch { { channel = "c", name = "e", data = "x", idempotency_key = "k" } }))
      assert.equal(("k"):rep(128), cjson.decode((given:event("c", "e", "x",
        { idempotency_key = ("k"):rep(128) }))).idempotency_key)
    end)

    it("gives one to each event without, when the option says so", function()
      local given = new { idempotency = true }
      assert.equal('"base:1"', member((given:event("c", "e", "x"))))
      assert.equal('"own"', member((given:event("c", "e", "x", { idempotency_key = "own" }))))
      assert.equal('"base:1"', member((given:user_event("u", "e", "x", {}))))
      local batch = cjson.decode((given:batch {
        { channel = "c", name = "e" }, { channel = "c", name = "e", idempotency_key = "own" },
      })).batch
      assert.same({ "base:1", "own" }, { batch[1].idempotency_key, batch[2].idempotency_key })
    end)

    it("says whether all events have one", function()
      local given, keyed = new(), { channel = "c", name = "e", idempotency_key = "k" }
      local function is_keyed(_, _, _, found)
        return found or false
      end
      assert.is_false(is_keyed(given:event("c", "e", "x")))
      assert.is_false(is_keyed(given:event("c", "e", "x", { socket_id = "1.2" })))
      assert.is_true(is_keyed(given:event("c", "e", "x", { idempotency_key = true })))
      assert.is_true(is_keyed(new({ idempotency = true }):event("c", "e", "x")))
      assert.is_true(is_keyed(given:user_event("u", "e", "x", { idempotency_key = "k" })))
      assert.is_false(is_keyed(given:user_event("u", "e", "x")))
      assert.is_true(is_keyed(given:batch { keyed, keyed }))
      assert.is_false(is_keyed(given:batch { keyed, { channel = "c", name = "e" } }))
      assert.is_false(is_keyed(given:batch { { channel = "c", name = "e" }, keyed }))
    end)

    it("refuses those that are no key, also of a batch's event", function()
      for _, key in ipairs { "", ("k"):rep(129), "\255", "a\n", false, 7, cjson.null, {} } do
        for _, call in ipairs { { "event", "c", "e", "x", { idempotency_key = key } },
          { "user_event", "u", "e", "x", { idempotency_key = key } },
          { "batch", { { channel = "c", name = "e", idempotency_key = key } } } } do
          local given = new()
          local body, _, details = given[call[1]](given, call[2], call[3], call[4], call[5])
          assert.is_nil(body)
          assert.same({ "invalid", "idempotency_key" }, { details.code, details.field })
        end
      end
    end)
  end)

  describe("with extra members", function()
    it("writes them as JSON at the end, sorted", function()
      local given, extra = new(), { tags = { a = "b" }, delta = true, ['a"b'] = cjson.null, list = { 1, 2 } }
      local text = ',"a\\"b":null,"delta":true,"list":[1,2],"tags":{"a":"b"}}'
      assert.equal('{"name":"e","channels":["c"],"data":"x","idempotency_key":"k"' .. text,
        (given:event("c", "e", "x", { extra = extra, idempotency_key = "k" })))
      assert.equal(text, (given:user_event("u", "e", "x", { extra = extra })):match('"x"(,.*)$'))
      assert.equal('{"batch":[{"channel":"c","name":"e","data":"x"' .. text .. "]}",
        (given:batch { { channel = "c", name = "e", data = "x", extra = extra } }))
      assert.equal('{"name":"e","channels":["c"],"data":"x"}', (given:event("c", "e", "x", { extra = {} })))
    end)

    it("refuses what cannot be encoded, and names of the library's own", function()
      for _, extra in ipairs { { f = print }, { x = 0 / 0 }, { x = { 1, nil, 3 } }, { x = "\255" }, { name = "x" },
        { data = "x" }, { "x" }, cjson.null, "x", false } do
        local body, _, details = new():event("c", "e", "x", { extra = extra })
        assert.is_nil(body)
        assert.same({ "invalid", "extra" }, { details.code, details.field })
      end
      local body, message, details = new():batch { { channel = "c", name = "e", extra = { f = print } } }
      assert.is_nil(body)
      assert.truthy(message:find('^event 1: member "f" of extra: '))
      assert.equal(1, details.index)
    end)

    it("takes no socket_id and no info for a user", function()
      fails('unknown parameter of send_to_user "socket_id"', { code = "invalid", field = "socket_id" },
        new():user_event("u", "e", "x", { socket_id = "1.2" }))
    end)
  end)

  it("says what is wrong", function()
    local function details(field, index)
      return { code = "invalid", field = field, index = index }
    end
    local function sized(given, bytes)
      return given:compose("", "a", ("x"):rep(bytes))
    end
    fails("event data must have at most 10240 bytes, got 10241", { code = "too_large", size = 10241, limit = 10240 },
      sized(new(), 10241))
    assert.is_string((sized(new(), 10240)))
    fails("event data must have at most 20 bytes, got 84 after encryption", { code = "too_large", size = 84, limit = 20 },
      new({ max_payload_kb = 20 / 1024 }):compose("", "private-encrypted-a", ""))
    fails('unknown trigger parameter "x"', details("x"), new():event("a", "e", "", { x = 1 }))
    fails("event 2: must be a table, got number", details(nil, 2), new():batch({ { channel = "a", name = "e" }, 7 }))
    fails('event 1: unknown member "x"', details("x", 1), new():batch({ { x = 1 } }))
    fails("events must be a list of 1 to 10 tables, got 0", { code = "invalid", field = "events", limit = 10 }, new():batch({}))
  end)
end)
