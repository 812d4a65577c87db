local fails = require "spec.helpers.fails"
local json_fields = require "pusher.channels.json_fields"

local codec = assert(require("pusher.base.json").new())

describe("pusher.channels.json_fields", function()
  local function read(text, custom)
    local count = 0
    local fields, message, details = json_fields.read(text, custom or codec, function()
      count = count + 1
      return true
    end)
    return fields, message, details, count
  end

  it("reads an object, whatever its members are", function()
    for text, expected in pairs {
      ['{"socket_id":"1.2","x":"\\u00e9"}'] = { socket_id = "1.2", x = "\195\169" }, ["{}"] = {}, [" \r\n\t{}"] = {},
      ['{"a":{"a":"b","a":["c"]},"b":["a",1]}'] = { a = { a = { "c" } }, b = { "a", 1 } },
      ['{"a\\"b":"\\\\","c":":"}'] = { ['a"b'] = "\\", c = ":" }, ['{"a" : true}'] = { a = true },
    } do
      assert.same(expected, (read(text)), text)
    end
  end)

  it("counts the members, not those inside others", function()
    for text, expected in pairs {
      ['{"a":1,"b":{"c":1,"d":{}},"e":["f",{"g":":"}]}'] = 3, ["{}"] = 0, ['{"a":":","b":"\\":","c":"\\\\"}'] = 3,
    } do
      assert.equal(expected, (select(4, read(text))), text)
    end
    fails("too many", { code = "full" }, json_fields.read('{"a":1}', codec, function()
      return nil, "too many", { code = "full" }
    end))
  end)

  it("refuses what is no object, no JSON, or not UTF-8", function()
    local texts = {
      ["the form must be UTF-8"] = { '{"a":"\255"}', "\255" },
      ["the form must be a JSON object"] = { "", "[]", '["a"]', "null", '"a"', "1", "\239\187\191{}", ("["):rep(2000) },
      ["the form is not valid JSON"] = { "{", '{"a":1', "{'a':1}", '{"a":1}{}',
        '{"a":' .. ("["):rep(2000) .. ("]"):rep(2000) .. "}" },
    }
    for message, list in pairs(texts) do
      for _, text in ipairs(list) do
        fails(message, { code = "invalid", field = "form" }, read(text))
      end
    end
  end)

  it("refuses a member that is given twice, however it is written", function()
    for _, text in ipairs { '{"a":1,"a":1}', ' {"a":1,"a":1}', '{"a":1,"b":{},"\\u0061":2}', '{"\\u0061":1,"a":2}' } do
      fails('the member "a" must be given once', { code = "invalid", field = "a" }, read(text))
    end
    fails('the member "a"b" must be given once', { code = "invalid", field = 'a"b' }, read '{"a\\"b":1,"a\\u0022b":1}')
  end)

  it("refuses control characters, which readers take in different ways", function()
    local GOOD = '{"socket_id":"1.2","channel_name":"private-a"'
    local texts = { GOOD .. "}\0", GOOD .. "}\0garbage", GOOD .. "\0}", "\0" .. GOOD .. "}", GOOD .. ',"x":"\0"}' }
    for _, char in ipairs { "\1", "\t", "\n", "\r", "\11", "\31" } do
      for _, more in ipairs { ',"x":"%s"', ',"x%s":1', ',"x":["y","a\\"%sb"]', ',"x":"\\%s"', ',"x":{"y%s":1}', ',"x":"y%s' } do
        texts[#texts + 1] = GOOD .. more:format(char) .. "}"
      end
    end
    local lenient = { decode = function() return { socket_id = "1.2" } end }
    for _, text in ipairs(texts) do
      assert.is_nil((read(text)), text)
      local fields, message, details = read(text, lenient)
      assert.same({ nil, "invalid", "form" }, { fields, details and details.code, details and details.field }, text)
      assert.is_truthy(message)
    end
    fails("the form must not contain control characters, nor tabs or line breaks inside strings",
      { code = "invalid", field = "form" }, read(GOOD .. ',"x":"a\nb"}'))
    for _, text in ipairs { "\t\r\n{\n\t\"a\"\r:\n1\t}\r\n", '{"a":1,"b\\n":"\\t\\u0000\127"}' } do
      assert.equal(1, read(text).a)
    end
  end)

  it("survives a codec that reads other texts as objects", function()
    for _, text in ipairs { '{"a', "{]]}", '{"\\', '{"\\":', '{"\\q":1}', "{x}" } do
      assert.same({ x = 1 }, (read(text, { decode = function() return { x = 1 } end })), text)
    end
    assert.same({ 0 / 0 ~= 0 / 0 }, (read('{"\\q":1}', { decode = function() return { 0 / 0 ~= 0 / 0 } end })))
  end)
end)
