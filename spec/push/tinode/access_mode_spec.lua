local access_mode = require "pusher.push.tinode.access_mode"
local fails = require "spec.helpers.fails"
local vectors = require("spec.helpers.push_vectors").tinode_access_mode

local BEFORE = 153 -- 0x99, the mode that the known answers are parsed over

describe("pusher.push.tinode.access_mode", function()
  for _, case in ipairs(vectors.to_string) do
    it("prints " .. case.bits, function()
      assert.are.equal(case.text, access_mode.format(case.bits))
      assert.are.equal(case.bits, access_mode.parse(case.text))
    end)
  end

  for _, case in ipairs(vectors.parse_over_0x99) do
    it("parses " .. case["in"], function()
      local bits, message, details = access_mode.parse(case["in"], BEFORE)
      if case.error then
        assert.is_nil(bits)
        assert.are.equal(case.error, message)
        assert.are.equal("invalid", details.code)
      else
        assert.are.equal(case.bits, bits)
      end
    end)
  end

  it("changes nothing for no letters", function()
    assert.are.equal(BEFORE, access_mode.parse("", BEFORE))
    assert.are.equal(0, access_mode.parse(""))
  end)

  it("counts a repeated letter once", function()
    assert.are.equal(3, access_mode.parse("JRJRrj"))
  end)

  it("knows 0 to 255 and nothing else", function()
    for bits = 0, 255 do
      assert.are.equal(bits, access_mode.parse(access_mode.format(bits)))
    end
    for _, bits in ipairs { -1, 256, 1.5, 0 / 0, 1 / 0, "7", {} } do
      local text, message, details = access_mode.format(bits)
      assert.is_nil(text)
      assert.is_string(message)
      assert.are.equal("invalid", details.code)
    end
  end)

  it("reads bits or letters", function()
    assert.are.equal(47, access_mode.check(47))
    assert.are.equal(47, access_mode.check("JRWPS"))
    assert.is_nil((access_mode.check(256)))
    assert.is_nil((access_mode.check({})))
    assert.is_nil((access_mode.check("Ж")))
  end)

  it("says what is wrong", function()
    local details = { code = "invalid", field = "access_mode" }
    fails("access mode must be bits from 0 to 255", details, access_mode.format(256))
    fails("access mode must be bits from 0 to 255", details, access_mode.parse("J", -1))
    fails("access mode must be letters or bits from 0 to 255, got number", details, access_mode.check(256))
    fails("AccessMode: invalid character '?'", details, access_mode.parse("J\255"))
    fails("AccessMode: invalid character 'X'", details, access_mode.parse("x"))
  end)
end)
