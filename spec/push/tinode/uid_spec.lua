local core = require "pusher.core"
local fails = require "spec.helpers.fails"
local uid = require "pusher.push.tinode.uid"
local vectors = require("spec.helpers.push_vectors").tinode_uid

describe("pusher.push.tinode.uid", function()
  describe("known answers", function()
    for _, case in ipairs(vectors.encode) do
      it("encodes " .. case.uint64, function()
        assert.are.equal(case.text, uid.from_decimal(case.uint64))
        assert.are.equal(case.user_id, uid.user_id(case.text))
        assert.are.equal(case.uint64, uid.to_decimal(case.text))
        if case.base32 then
          assert.are.equal(case.base32, uid.base32(case.text))
        end
      end)
    end

    for _, case in ipairs(vectors.parse_uid) do
      it("parses " .. case["in"], function()
        local text, message, details = uid.canonical(case["in"])
        if case.uint64 == "0" then
          assert.is_nil(text)
          assert.are.equal("invalid", details.code)
          assert.matches("11 characters", message)
        else
          assert.are.equal(case.uint64, uid.to_decimal(text))
        end
      end)
    end

    for _, case in ipairs(vectors.parse_user_id) do
      it("parses the user's name " .. case["in"], function()
        local text = uid.parse_user_id(case["in"])
        assert.are.equal(case.uint64, text and uid.to_decimal(text) or "0")
      end)
    end

    for _, case in ipairs(vectors.p2p_name) do
      it(("names the conversation of %s and %s"):format(case.a, case.b), function()
        local name, _, details = uid.p2p_name(uid.from_decimal(case.a), uid.from_decimal(case.b))
        assert.are.equal(case.name, name or "")
        assert.are.equal(case.name == "", details ~= nil)
      end)
    end
  end)

  it("clears the unused bits, so that one user has one text", function()
    assert.are.equal("CAcGBQQDAgE", uid.canonical("CAcGBQQDAgF"))
    assert.are.equal("__________8", uid.canonical("__________9"))
    assert.are.equal("CAcGBQQDAgE", uid.canonical("CAcGBQQDAgE"))
  end)

  it("keeps all 64 bits through text and decimal", function()
    for _ = 1, 200 do
      local bytes = core.random(uid.BYTES)
      local text = uid.encode(bytes)
      assert.are.equal(uid.TEXT_BYTES, #text)
      assert.are.equal(bytes, uid.decode(text))
      assert.are.equal(text, uid.from_decimal(uid.to_decimal(text)))
    end
    for _, digits in ipairs { "9007199254740993", "9223372036854775807", "9223372036854775808" } do
      assert.are.equal(digits, uid.to_decimal(uid.from_decimal(digits)))
    end
    assert.are.equal(uid.from_decimal("7"), uid.from_decimal("0007"))
    assert.are.equal("", uid.from_decimal("0000000000000000000000000"))
  end)

  it("refuses a number, which cannot hold 64 bits", function()
    for _, call in ipairs { "from_decimal", "canonical", "decode", "to_decimal", "user_id", "base32",
      "parse_user_id" } do
      local result, message, details = uid[call](72623859790382856)
      assert.is_nil(result)
      assert.matches("cannot hold 64 bits", message)
      assert.are.equal("invalid", details.code)
    end
  end)

  it("refuses what is not an unsigned 64-bit number in decimal", function()
    for _, digits in ipairs { "18446744073709551616", "99999999999999999999", "-1", "1.0", "1e3", "", " 1", "0x1",
      "1\n" } do
      local text, message, details = uid.from_decimal(digits)
      assert.is_nil(text, digits)
      assert.is_string(message)
      assert.are.equal("uid", details.field)
    end
  end)

  it("refuses every kind of garbage without raising", function()
    for _, garbage in ipairs { "", "usr", "AAAAAAAAAAAA", ("\255"):rep(11), "CAcGBQQDAg\n", "CAcGBQQ AgE", {}, true } do
      assert.is_nil((uid.decode(garbage)))
      assert.is_nil((uid.p2p_name(garbage, "CAcGBQQDAgE")))
      assert.is_nil((uid.p2p_name("CAcGBQQDAgE", garbage)))
    end
    assert.is_nil((uid.encode("short")))
  end)

  it("says what is wrong", function()
    local details = { code = "invalid", field = "uid" }
    fails("user id must be 8 bytes, got string of 1 bytes", details, uid.encode("a"))
    fails("user id must be 11 characters of base64url, got nil", details, uid.decode())
    fails("user id must be the decimal digits of an unsigned 64-bit number, got number, which cannot hold 64 bits; give its "
      .. "digits as a string to uid.from_decimal", details, uid.from_decimal(5))
    fails('user id must be "usr" and 11 characters of base64url, got string of 1 bytes', details, uid.parse_user_id("x"))
    fails("a conversation of two must have two different users", details, uid.p2p_name("CAcGBQQDAgE", "CAcGBQQDAgE"))
  end)
end)
