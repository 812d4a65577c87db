local json = require "pusher.base.json"

local codec = json.new()

local function refused(value)
  local text, message, details = codec.encode(value)
  assert.is_nil(text)
  assert.equal("invalid", details.code)
  assert.truthy(message:find("^the value cannot be written as JSON: "))
  return message
end

describe("pusher.base.json", function()
  it("writes and reads what JSON can hold", function()
    assert.equal('{"a":[1,2.5,true,"x"]}', codec.encode { a = { 1, 2.5, true, "x" } })
    assert.same({ a = { 1, 2.5, true, "x" } }, codec.decode('{"a":[1,2.5,true,"x"]}'))
    assert.equal('"text"', codec.encode("text"))
    assert.equal("[1,2]", codec.encode { 1, 2 })
  end)

  it("knows lists of any codec", function()
    for _, list in ipairs { {}, { 1 }, { false }, { [0] = 0 }, { [0] = 1, "a" } } do
      assert.is_true(json.is_list(list))
    end
    for _, other in ipairs { { a = 1 }, { [0] = 1 }, "", 7 } do
      assert.is_false(json.is_list(other))
    end
    assert.is_false(json.is_list(nil))
  end)

  it("refuses what JSON cannot hold", function()
    local cycle = {}
    cycle.self = cycle
    for _, value in ipairs { print, { f = print }, cycle, { 0 / 0 }, { 1 / 0 }, { 1, nil, 3 }, { [true] = 1 },
      coroutine.create(function() end), { [5] = 1 } } do
      refused(value)
    end
  end)

  it("refuses integers that the codec would round, in any place", function()
    local cjson = require("cjson").new()
    pcall(cjson.encode_number_precision, 16)
    local exact = cjson.encode(2 ^ 53) == "9007199254740992"
    local text = codec.encode { id = 2 ^ 53 }
    if exact then
      assert.equal('{"id":9007199254740992}', text)
    else
      assert.truthy(refused({ id = 2 ^ 53 }):find("rounds integers"))
      refused { deep = { { 1e15 } } }
      refused(-1e15)
      refused { [1e15] = true }
      refused { 100000000000001 }
    end
    assert.equal('{"id":99999999999999}', codec.encode { id = 99999999999999 })
  end)

  it("keeps 64-bit integers or refuses them", function()
    if math.type then
      local ok, text = pcall(codec.encode, { math.maxinteger, math.mininteger })
      assert.is_true(ok)
      assert.is_true(text == nil or text == "[9223372036854775807,-9223372036854775808]")
    end
  end)

  it("refuses them from 15 digits to 64 bits with a custom codec that rounds", function()
    local rounding = json.new { encode = function(value) return ("%.14g"):format(value) end, decode = function() end }
    for _, value in ipairs { 1e14, -1e14, 2 ^ 64 } do
      local text, message = rounding.encode(value)
      assert.is_nil(text)
      assert.equal("the value cannot be written as JSON: the codec rounds integers of this size; give them as strings",
        message)
    end
    for _, value in ipairs { 99999999999999, 2 ^ 64 + 4096, 1e14 + 0.5 } do
      assert.is_string(rounding.encode(value))
    end
  end)

  it("reads and writes 100 levels", function()
    local function nested(levels)
      return ("["):rep(levels) .. ("]"):rep(levels)
    end
    local value = assert(codec.decode(nested(100)))
    assert.equal(100, #codec.encode(value):gsub("[^%[{]", ""))
    assert.is_nil((codec.decode(nested(101))))
    refused { value }
  end)

  it("says what the codec said, without the place in the codec", function()
    local raised
    local custom = json.new { encode = function() error(raised, 0) end, decode = function() error(raised, 0) end }
    for given, expected in pairs { ["mine"] = "mine", ["codec.lua:7: mine"] = "mine", ["a: b"] = "a: b" } do
      raised = given
      assert.equal("the value cannot be written as JSON: " .. expected, (select(2, custom.encode(1))))
      assert.equal("the text is not JSON: " .. expected, (select(2, custom.decode("x"))))
    end
    assert.matches("^the value cannot be written as JSON: Cannot serialise function", refused { print })
    assert.matches("^the text is not JSON: Expected .+ but found", (select(2, codec.decode("["))))
  end)

  it("says what to install where there is no codec", function()
    local loaded, preload, cjson = package.loaded, package.preload, require "cjson"
    loaded.cjson, preload.cjson = nil, function() error("none", 0) end
    local made, message, details = json.new()
    loaded.cjson, preload.cjson = cjson, nil
    assert.is_nil(made)
    assert.equal("no JSON codec: install lua-cjson or set the option `json`", message)
    assert.equal("config", details.code)
  end)

  it("writes a number as digits, and -0 as 0", function()
    for text, number in pairs { ["0"] = -0.0, ["-1"] = -1, ["9007199254740991"] = 2 ^ 53 - 1, ["1.5"] = 1.5 } do
      assert.equal(text, json.number_text(number))
    end
  end)

  it("reads no text with a NUL, at which lua-cjson ends", function()
    for _, text in ipairs { "{}\0", "{}\0x", '{"a":12345678901234567890}\0{', "\0" } do
      local value, message, details = codec.decode(text)
      assert.is_nil(value)
      assert.equal("the text is not JSON: it has a NUL", message)
      assert.equal("response", details.code)
    end
    assert.same({ "\0" }, codec.decode '["\\u0000"]')
  end)

  it("accepts texts that look like big numbers", function()
    assert.equal('["1e+15"]', codec.encode { "1e+15" })
    assert.equal("[1.5e+300]", codec.encode { 1.5e300 })
  end)

  it("reads integers as integers where the Lua has them", function()
    local value = codec.decode('{"time_ms":1530710011901,"list":[1,{"n":2}],"f":1.5}')
    assert.equal("1530710011901", ("%d"):format(value.time_ms))
    if math.type then
      assert.equal("integer", math.type(value.time_ms))
      assert.equal("integer", math.type(value.list[2].n))
      assert.equal("float", math.type(value.f))
      assert.equal("integer", math.type(codec.decode("7")))
    end
  end)

  it("fails on garbage without raising", function()
    for _, text in ipairs { "", "{", "nope", "[1,", ('['):rep(200) .. (']'):rep(200), "\0" } do
      local value, message, details = codec.decode(text)
      assert.is_nil(value)
      assert.equal("response", details.code)
      assert.truthy(message:find("^the text is not JSON: "))
    end
  end)

  it("reads what a custom codec lets through, however deep", function()
    local deep = { 1.0 }
    for _ = 1, 300000 do
      deep = { deep, 1.0 }
    end
    local lax = json.new { encode = tostring, decode = function(text)
      return text == "deep" and deep or { 1.0 }
    end }
    assert.is_table(lax.decode("deep"))
    if math.type then
      local value, kinds = lax.decode("deep"), {}
      for level = 1, 300001 do
        kinds[level], value = value[2] and math.type(value[2]), value[1]
      end
      assert.same({ "integer", "float" }, { kinds[100], kinds[101] })
    end
  end)

  it("takes a codec's functions from its class, and refuses one that raises when it is looked at", function()
    local class = { encode = function() return "x" end, decode = function() return 7 end }
    class.__index = class
    assert.equal("x", json.new(setmetatable({}, class)).encode(1))
    local _, message = json.new(setmetatable({}, { __index = error }))
    assert.truthy(message:find('option "json" must be', 1, true))
  end)

  it("refuses a codec without its two functions", function()
    for _, given in ipairs { {}, { encode = print }, { encode = print, decode = "no" } } do
      local made, message, details = json.new(given)
      assert.is_nil(made)
      assert.equal('option "json" must be { encode = function, decode = function }', message)
      assert.equal("config", details.code)
      assert.equal("json", details.field)
    end
  end)

  it("writes UTF-8 only", function()
    assert.equal('{"größe":"日本"}', codec.encode { ["größe"] = "日本" })
    for _, value in ipairs { "\255", { "a\195" }, { ["\192\128"] = 1 }, { a = { b = "\237\160\128" } } } do
      assert.equal("the value cannot be written as JSON: its strings must be UTF-8", refused(value))
    end
    local own = json.new { encode = function() return "\255" end, decode = function() end }
    assert.is_nil((own.encode(1)))
  end)

  it("looks at no more values than the text can have", function()
    local graph = {}
    graph.left, graph.right, graph.n = graph, graph, 1e15
    local own = json.new { encode = function(value) return type(value) == "table" and "[1e+15]" or "1e+15" end, decode = function() end }
    assert.equal("[1e+15]", own.encode(graph) or "[1e+15]") -- ends
  end)

  it("says that keys must be strings", function()
    assert.truthy(refused({ [5] = 1 }):find("; keys must be strings, or 1 to n without holes", 1, true))
  end)

  it("reads integers of any size exactly", function()
    local value = codec.decode('{"a":9007199254740993,"b":["1234567890123456789",-12345678901234567890],"c":123456789012345}')
    assert.equal("9007199254740993", math.type and ("%d"):format(value.a) or value.a)
    assert.equal(math.type and "number" or "string", type(value.a))
    assert.same({ "1234567890123456789", "-12345678901234567890" }, value.b)
    assert.equal(123456789012345, value.c)
    assert.equal(1, select("#", codec.parse("1234567890123456789")))
  end)

  it("writes numbers as text in full", function()
    for text, number in pairs { ["0"] = 0, ["-12"] = -12, ["9007199254740992"] = 2 ^ 53, ["1.5"] = 1.5, ["-0.25"] = -0.25,
      ["1e-07"] = 1e-7 } do
      assert.equal(text, json.number_text(number))
    end
    if math.maxinteger then
      assert.equal("9223372036854775807", json.number_text(math.maxinteger))
    end
  end)

  it("lets lack of memory through: it says nothing about the value or the text", function()
    local short = false
    local own = json.new {
      encode = function() return short and error("not enough memory", 0) or "1" end,
      decode = function() return short and error("not enough memory", 0) or {} end,
    }
    short = true
    assert.has_error(function() own.encode(1) end, "not enough memory")
    assert.has_error(function() own.decode("1") end, "not enough memory")
    local function none() error("not enough memory", 0) end
    assert.has_error(function() json.new { encode = none, decode = tostring } end, "not enough memory")
    if math.type then
      assert.has_error(function() json.new { encode = tostring, decode = none } end, "not enough memory")
    end
  end)

  it("knows which member of an object is an object: the last one of its name, at the top", function()
    for text, expected in pairs {
      ['{"a":{}}'] = true, ['{"a" :\n{ }}'] = true, ['{"\\u0061":{"b":[]}}'] = true, ['{"a":[],"a":{}}'] = true,
      ['{"a":[]}'] = false, ['{"a":"{"}'] = false, ['{"b":{"a":{}}}'] = false, ['{"a":{},"a":[]}'] = false,
      ['{"x":"\\"a\\":{}"}'] = false, ['[{"a":{}}]'] = false, ["{}"] = false, ["7"] = false,
    } do
      assert.equal(expected, json.is_object_at(text, "a", codec.decode), text)
    end
  end)

  it("gives the names of an object's members, until it is to end or a string is malformed", function()
    local function names(text, last)
      local list = {}
      json.each_name(text, function(quoted, place)
        list[#list + 1] = quoted and json.unquote(quoted, codec.decode) .. place or "malformed"
        return #list < (last or 10)
      end)
      return list
    end
    assert.same({ "a4", 'b"18' }, names '{"a":{"c":1},"b\\"":2}')
    assert.same({ "a4" }, names('{"a":1,"b":2}', 1))
    assert.same({ "a4", "malformed" }, names '{"a":1,"b\n":2}')
    assert.equal("", json.unquote('"\\q"', codec.decode))
  end)

  it("accepts a custom codec, and never fails on a string with it", function()
    local custom = json.new {
      encode = function(value)
        if value == "bad" then
          error("no")
        end
        return "<" .. tostring(value) .. ">"
      end,
      decode = function(text)
        return { got = text }
      end,
    }
    assert.equal("<7>", custom.encode(7))
    assert.is_nil((custom.encode("bad")))
    assert.same({ got = "x" }, custom.decode("x"))
    assert.equal([["a\"\\\n\u007f"]], custom.quote('a"\\\n\127'))
  end)
end)
