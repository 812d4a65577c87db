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
      deep = { deep }
    end
    local lax = json.new { encode = print, decode = function(text)
      return text == "deep" and deep or { 1.0 }
    end }
    assert.is_table(lax.decode("deep"))
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

  it("leaves the application's cjson settings alone", function()
    local cjson = require "cjson"
    local before = cjson.encode_max_depth()
    json.new()
    assert.equal(before, cjson.encode_max_depth())
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
    assert.equal([["a\u0022\u005c\u000a\u007f"]], custom.quote('a"\\\n\127'))
  end)
end)
