local cjson = require "cjson"
local fails = require "spec.helpers.fails"
local json = assert(require("pusher.base.json").new())
local receipt = require "pusher.push.tinode.receipt"
local uid = require "pusher.push.tinode.uid"
local vectors = require("spec.helpers.push_vectors").tinode_receipt_json

local NOW = 1600000000
local USER = "CAcGBQQDAgE"

local function message_to(changes)
  local given = {
    to = { [USER] = { delivered = 1, devices = { "d1" }, unread = 3 } },
    payload = { what = "msg", topic = "grpAbCdEf", ts = "2020-03-13T06:48:18.123Z", from = "usrCAcGBQQDAgE",
      seq = 42, mime = "text/plain", content = "hello" },
  }
  for name, value in pairs(changes or {}) do
    given.payload[name] = value
  end
  return given
end

-- The bytes that Go wrote, its decimal keys replaced by the text that Go itself reads.
local function intended(bytes)
  local front, to, rest = bytes:match('^({"to":){(.-)}(,"payload".*)$')
  to = to:gsub('"(%d+)":{', function(digits)
    return ('"%s":{'):format(uid.from_decimal(digits))
  end)
  return front .. "{" .. to .. "}" .. rest
end

describe("pusher.push.tinode.receipt", function()
  describe("known answers", function()
    it("writes members in the chat server's order, user ids as text", function()
      for _, case in ipairs(vectors.marshal) do
        local expected = intended(case.go_bytes)
        local checked = assert(receipt.decode(expected, json, NOW))
        local text = assert(receipt.encode(checked, json))
        if type(checked.payload.content) == "string" then
          assert.are.equal(expected, (text:gsub("\\/", "/"))) -- lua-cjson escapes the slash
        end
        assert.are.same(cjson.decode(expected), cjson.decode(text))
      end
    end)

    it("reads user ids as text only", function()
      for _, case in ipairs(vectors.unmarshal) do
        local checked, message, details = receipt.decode(case["in"], json, NOW)
        if case.error then
          assert.is_nil(checked)
          assert.matches("11 characters", message)
          assert.are.equal("invalid", details.code)
        else
          local id = receipt.uids(checked)[1]
          assert.are.equal(case.to_uint64, uid.to_decimal(id))
          assert.are.equal(case.delivered, checked.to[id].delivered)
          assert.are.equal(7, checked.payload.want)
        end
      end
    end)
  end)

  it("fills in what is absent", function()
    local checked = assert(receipt.check({ to = { [USER] = {} }, payload = { what = "msg" } }, NOW))
    assert.are.same({
      to = { [USER] = { delivered = 0, devices = {}, unread = 0 } },
      payload = { what = "msg", silent = false, topic = "", ts = "2020-09-13T12:26:40Z", from = "", seq = 0,
        mime = "", want = 0, given = 0 },
    }, checked)
  end)

  it("checks no receipt twice", function()
    local checked = assert(receipt.check(message_to(), NOW))
    assert.are.equal(checked, receipt.check(checked, NOW))
  end)

  it("takes JSON's null for absent", function()
    local given = message_to { content = cjson.null, want = cjson.null, ts = cjson.null, silent = cjson.null }
    given.to[USER].devices = cjson.null
    local checked = assert(receipt.check(given, NOW))
    assert.is_nil(checked.payload.content)
    assert.are.same({}, checked.to[USER].devices)
    assert.is_false(checked.payload.silent)
  end)

  it("copies, so that the caller may change the table", function()
    local given = message_to { content = { txt = "a", fmt = { { at = 0 } } } }
    local checked = assert(receipt.check(given, NOW))
    given.payload.content.fmt[1].at = 7
    given.to[USER].devices[1] = "other"
    given.payload.what = "sub"
    assert.are.equal(0, checked.payload.content.fmt[1].at)
    assert.are.equal("d1", checked.to[USER].devices[1])
    assert.are.equal("msg", checked.payload.what)
  end)

  it("takes a time in seconds and modes as letters or bits", function()
    local checked = assert(receipt.check(message_to { ts = 1584082098.123, want = "jrwps", given = 255 }, NOW))
    assert.are.equal("2020-03-13T06:48:18.123Z", checked.payload.ts)
    assert.are.equal(47, checked.payload.want)
    assert.are.equal(255, checked.payload.given)
  end)

  it("keeps sequence numbers digit for digit up to 2^53", function()
    local text = assert(receipt.encode(assert(receipt.check(message_to { seq = 2 ^ 53 }, NOW)), json))
    assert.matches('"seq":9007199254740992,', text, 1, true)
  end)

  it("lists user ids by their number", function()
    local to = {}
    for _, digits in ipairs { "256", "1", "18446744073709551615", "72623859790382856" } do
      to[uid.from_decimal(digits)] = {}
    end
    local ids = receipt.uids(assert(receipt.check({ to = to, payload = { what = "msg" } }, NOW)))
    for index, id in ipairs(ids) do
      ids[index] = uid.to_decimal(id)
    end
    assert.are.same({ "1", "256", "72623859790382856", "18446744073709551615" }, ids)
  end)

  describe("refuses", function()
    local function refused(given, field)
      local checked, message, details = receipt.check(given, NOW)
      assert.is_nil(checked)
      assert.is_string(message)
      if field then
        assert.are.equal(field, details.field)
      end
      return details.code, message
    end

    local bad = {
      ["a user id that is a number"] = { { to = { [5] = {} }, payload = { what = "msg" } }, "uid" },
      ["a recipient that is not a table"] = { { to = { [USER] = true }, payload = { what = "msg" } }, "to" },
      ["no recipients at all"] = { { payload = { what = "msg" } }, "to" },
      ["no payload"] = { { to = {} }, "payload" },
      ["a payload without what"] = { { to = {}, payload = {} }, "payload.what" },
      ["what as a number"] = { message_to { what = 5 }, "payload.what" },
      ["a topic as a number"] = { message_to { topic = 5 }, "payload.topic" },
      ["a topic in Latin-1"] = { message_to { topic = "gr\252n" }, "payload.topic" },
      ["content in Latin-1"] = { message_to { content = "gr\252n" }, "payload.content" },
      ["a key of content in Latin-1"] = { message_to { content = { ["gr\252n"] = 1 } }, "payload.content" },
      ["content that is a function"] = { message_to { content = { txt = print } }, "payload.content" },
      ["content with a NaN"] = { message_to { content = { a = 0 / 0 } }, "payload.content" },
      ["content keyed by a boolean"] = { message_to { content = { [true] = 1 } }, "payload.content" },
      ["a negative seq"] = { message_to { seq = -1 }, "payload.seq" },
      ["half a seq"] = { message_to { seq = 1.5 }, "payload.seq" },
      ["a seq beyond 2^53"] = { message_to { seq = 2 ^ 54 }, "payload.seq" },
      ["a seq as text"] = { message_to { seq = "42" }, "payload.seq" },
      ["silent as text"] = { message_to { silent = "true" }, "payload.silent" },
      ["a time that is none"] = { message_to { ts = "yesterday" }, "ts" },
      ["an unknown access mode"] = { message_to { want = "X" }, "access_mode" },
    }
    for name, case in pairs(bad) do
      it(name, function()
        assert.are.equal("invalid", (refused(case[1], case[2])))
      end)
    end

    it("recipients with bad members", function()
      for name, value in pairs { delivered = -1, devices = { 5 }, unread = "3" } do
        assert.are.equal("invalid", (refused({ to = { [USER] = { [name] = value } }, payload = { what = "msg" } },
          "to." .. name)))
      end
    end)

    it("content with a loop in it", function()
      local content = {}
      content.content = content
      assert.are.equal("too_large", (refused(message_to { content = content }, "payload.content")))
    end)

    it("more recipients, devices, bytes or members than the limits", function()
      local to = {}
      for number = 1, 10000 do
        to[uid.from_decimal(("%d"):format(number))] = {}
      end
      assert.is_table(receipt.check({ to = to, payload = { what = "msg" } }, NOW))
      to[uid.from_decimal("10001")] = {}
      assert.are.equal("too_large", (refused({ to = to, payload = { what = "msg" } }, "to")))
      local devices = {}
      for index = 1, 1000 do
        devices[index] = "d"
      end
      assert.is_table(receipt.check({ to = { [USER] = { devices = devices } }, payload = { what = "msg" } }, NOW))
      devices[1001] = "d"
      refused({ to = { [USER] = { devices = devices } }, payload = { what = "msg" } }, "to.devices")
      local long = ("a"):rep(256 * 1024)
      assert.is_table(receipt.check(message_to { content = long, topic = long }, NOW))
      long = long .. "a"
      assert.are.equal("too_large", (refused(message_to { content = long }, "payload.content")))
      assert.are.equal("too_large", (refused(message_to { topic = long }, "payload.topic")))
      local function nested(levels)
        local inner = {}
        for _ = 2, levels do
          inner = { inner }
        end
        return message_to { content = inner }
      end
      assert.is_table(receipt.check(nested(32), NOW))
      assert.are.equal("too_large", (refused(nested(33), "payload.content")))
      local members = {}
      for index = 1, 20000 do
        members[index] = 0
      end
      assert.are.equal("too_large", (refused(message_to { content = members }, "payload.content")))
    end)

    it("JSON that is not a receipt", function()
      for _, text in ipairs { "", "{", "null", "5", "[]", '"x"', '{"to":5}' } do
        local checked, message, details = receipt.decode(text, json, NOW)
        assert.is_nil(checked)
        assert.is_string(message)
        assert.is_string(details.code)
      end
    end)
  end)

  it("says what is wrong, and in which member", function()
    local function payload(changes)
      return receipt.check(message_to(changes), NOW)
    end
    local function to(recipients)
      return receipt.check({ to = recipients, payload = { what = "msg" } }, NOW)
    end
    local function wrong(field, text, ...)
      fails(("receipt: %s %s"):format(field, text), { code = "invalid", field = field }, ...)
    end
    local function large(field, text, ...)
      fails("receipt: " .. text, { code = "too_large", field = field }, ...)
    end
    fails("receipt: must be a table, got number", { code = "invalid", field = "receipt" }, receipt.check(5))
    wrong("text", "must be a JSON object", receipt.decode("5", json))
    fails(select(2, json.decode("[")), { code = "response" }, receipt.decode("[", json))
    wrong("text", "must be a JSON object", receipt.decode("null", json))
    local line = "bad argument #%d to '%s' (%s expected, got %s)"
    assert.has_error(function() receipt.uids({}) end, line:format(1, "uids", "checked receipt", "table"))
    assert.has_error(function() receipt.encode(5, json) end, line:format(1, "encode", "checked receipt", "number"))
    assert.has_error(function() receipt.encode(receipt.check(message_to(), NOW), 5) end, line:format(2, "encode", "codec", "number"))
    assert.has_error(function() receipt.decode("", {}) end, line:format(2, "decode", "codec", "table"))
    assert.has_error(function() receipt.decode(5, json) end, line:format(1, "decode", "string", "number"))
    local whole = "must be a whole number from 0 to 2^53, got "
    wrong("payload.seq", whole .. "-1", payload { seq = -1 })
    wrong("payload.seq", whole .. "1.5", payload { seq = 1.5 })
    wrong("payload.seq", whole .. "table", payload { seq = {} })
    assert(payload { seq = 2 ^ 53 })
    wrong("payload.seq", whole .. tostring(2 ^ 53 + 2), payload { seq = 2 ^ 53 + 2 })
    wrong("payload.topic", "must be a string, got number", payload { topic = 5 })
    wrong("payload.topic", "is not valid UTF-8", payload { topic = "\255" })
    assert(payload { topic = ("x"):rep(262144) })
    large("payload.topic", "payload.topic must have at most 262144 bytes, got 262145", payload { topic = ("x"):rep(262145) })
    wrong("payload.silent", "must be a boolean, got number", payload { silent = 1 })
    wrong("payload.content", "must be text in UTF-8 or a value that JSON has", payload { content = { print } })
    large("payload.content", "content must have at most 262144 bytes and 32 levels", payload { content = ("x"):rep(262145) })
    wrong("payload.what", 'is missing, it must be "msg" or "sub"', payload { what = "" })
    wrong("payload", "must be a table, got nil", receipt.check({ to = {} }, NOW))
    wrong("to", "must be a table from user id to recipient, got nil", receipt.check({}, NOW))
    wrong("to", "must have a table for each user id, got number", to { [USER] = 5 })
    wrong("to.devices", "must be a list of strings", to { [USER] = { devices = { 5 } } })
    wrong("to.devices", "must be a list of 0 to 1000 device ids", to { [USER] = { devices = { x = "y" } } })
    wrong("to.unread", whole .. "-1", to { [USER] = { unread = -1 } })
    fails("receipt: to: user id must be 11 characters of base64url, got string of 1 bytes", { code = "invalid", field = "uid" },
      to { a = {} })
  end)
end)
