local long_integers = require "pusher.base.long_integers"

local function quoted(text)
  local result, mark = long_integers.quote(text)
  return (result:gsub('"' .. mark:gsub("%p", "%%%0"), '"#')), result, mark
end

describe("pusher.base.long_integers", function()
  it("quotes integers of more than 15 digits, and nothing else", function()
    for text, expected in pairs {
      ["1234567890123456"] = '"#1234567890123456"',
      ["-1234567890123456"] = '"#-1234567890123456"',
      ["123456789012345"] = "123456789012345",
      ["-123456789012345"] = "-123456789012345",
      ["[12345678901234567890,1]"] = '["#12345678901234567890",1]',
      ['{"a":1234567890123456,"b":"1234567890123456"}'] = '{"a":"#1234567890123456","b":"1234567890123456"}',
      ['["\\"1234567890123456",1234567890123456]'] = '["\\"1234567890123456","#1234567890123456"]',
      ['["\\\\",1234567890123456]'] = '["\\\\","#1234567890123456"]',
      ["1234567890123456.5"] = "1234567890123456.5",
      ["1234567890123456e3"] = "1234567890123456e3",
      ["0.1234567890123456"] = "0.1234567890123456",
      ["1e1234567890123456"] = "1e1234567890123456",
      ["{1234567890123456 :1}"] = "{1234567890123456 :1}", -- no JSON: names are strings
      ['"1234567890123456'] = '"1234567890123456',
      ["01234567890123456"] = "01234567890123456", -- no JSON: a leading zero
      ["-"] = "-",
      [""] = "",
    } do
      assert.equal(expected, (quoted(text)))
    end
  end)

  it("has another mark each time, which no sender can know", function()
    local _, one = long_integers.quote("1")
    local _, other = long_integers.quote("1")
    assert.not_equal(one, other)
    assert.is_true(#one >= 16)
  end)

  it("restores numbers where they are exact, else digits", function()
    local restored = long_integers.restore({ "#1234567890123456", { "#-9007199254740993" }, "x#1", "1", true,
      "#123456789012345678901234567890" }, "#", 100)
    assert.equal(1234567890123456, restored[1])
    assert.equal(math.type and math.tointeger("-9007199254740993") or "-9007199254740993", restored[2][1])
    assert.same({ "x#1", "1", true, "123456789012345678901234567890" }, { restored[3], restored[4], restored[5], restored[6] })
    assert.equal("number", type(long_integers.restore("#9007199254740991", "#", 1)))
    assert.equal(math.type and "number" or "string", type(long_integers.restore("#9007199254740992", "#", 1)))
  end)

  it("looks as deep as the caller says", function()
    assert.same({ { { "#1" } } }, long_integers.restore({ { { "#1" } } }, "#", 2))
    assert.same({ { { 1 } } }, long_integers.restore({ { { "#1" } } }, "#", 3))
  end)
end)
