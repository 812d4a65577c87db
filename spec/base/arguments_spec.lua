local arguments = require "pusher.base.arguments"
local fails = require "spec.helpers.fails"

-- Raises at each look.
local LIVELY = {}
for _, event in ipairs { "__index", "__len", "__pairs", "__ipairs", "__tostring" } do
  LIVELY[event] = function() error("looked at " .. event) end
end

-- A function of another file.
local function library(text)
  local load_text = loadstring or load -- luacheck: ignore 113
  return assert(load_text("local arguments = ...\n" .. text, "@library.lua"))(arguments)
end

describe("pusher.base.arguments", function()
  it("shows a string quoted, short and on one line, and the type of anything else", function()
    assert.equal('"my-channel"', arguments.show("my-channel"))
    assert.equal('"a' .. ("\195\188"):rep(29) .. '…"', arguments.show("a" .. ("\195\188"):rep(40)))
    assert.equal('"??"', arguments.show("\255\254"))
    assert.equal("a" .. ("\195\188"):rep(29), arguments.name("a" .. ("\195\188"):rep(40)))
    assert.equal('"a?b??"', arguments.show("a\nb\0\127"))
    assert.equal('"' .. ("x"):rep(60) .. '"', arguments.show(("x"):rep(60)))
    assert.equal('"' .. ("x"):rep(60) .. '…"', arguments.show(("x"):rep(5000000)))
    assert.equal("number", arguments.show(7))
    assert.equal("nil", arguments.show(nil))
  end)

  it("raises wrong types at the caller's line", function()
    local method = library "return function(value) arguments.check('method', 2, value, 'string or table') end"
    local ok, message = pcall(function()
      local result = method(7)
      return result
    end)
    assert.is_false(ok)
    local expected = "bad argument #2 to 'method' (string or table expected, got number)"
    assert.truthy(message:find("arguments_spec.lua:%d+: ") and message:find(expected, 1, true), message)
    method("fine")
    method {}
    assert.has_error(function()
      method(nil)
    end)
  end)

  it("raises there from whatever depth of the library's file", function()
    for name, text in pairs {
      ["a helper"] = [[
        local function check(value) arguments.check("method", 1, value, "string") end
        return function(value) check(value) end]],
      ["a tail call"] = [[
        local function method(value) arguments.check("method", 1, value, "string") end
        return function(...) return method(...) end]],
      ["a value of another kind"] = [[
        local function check(value) if value ~= 1 then arguments.refuse("method", 1, "client", type(value)) end end
        return function(value) check(value) end]],
      ["a message of its own"] = "return function() arguments.raise('wrong') end",
    } do
      local method = library(text)
      local line
      local ok, message = pcall(function()
        line = debug.getinfo(1, "l").currentline + 1
        local result = method(7)
        return result
      end)
      assert.is_false(ok)
      assert.truthy(message:find("arguments_spec.lua:" .. line .. ": ", 1, true), name .. ": " .. message)
    end
  end)

  it("says when there is no value, and accepts nil where it is allowed", function()
    local ok, message = pcall(arguments.check, "method", 1, nil, "table")
    assert.is_false(ok)
    assert.truthy(message:find("(table expected, got no value)", 1, true), message)
    arguments.check("method", 1, nil, "table or nil")
  end)

  it("copies the members that are known, and refuses others", function()
    local known = { info = true, socket_id = true }
    local given = { info = 1, socket_id = false }
    local copy = arguments.read(given, known, "trigger parameter")
    assert.same(given, copy)
    assert.are_not.equal(given, copy)
    assert.same({}, arguments.read({}, known, "trigger parameter"))
    assert.same({ info = 1 }, arguments.read(setmetatable({ info = 1 }, LIVELY), known, "trigger parameter"))
    local ok, message, details = arguments.read({ inof = 1 }, known, "trigger parameter")
    assert.is_nil(ok)
    assert.equal('unknown trigger parameter "inof"', message)
    assert.same({ code = "invalid", field = "inof", retryable = false }, details)
    ok, message, details = arguments.read({ [1] = "info" }, known, "trigger parameter")
    assert.is_nil(ok)
    assert.equal("unknown trigger parameter number", message)
    assert.equal("1", details.field)
  end)

  it("copies plain lists and nothing else", function()
    assert.same({}, arguments.list {})
    assert.same({ "a", false, "c" }, arguments.list { "a", false, "c" })
    assert.same({ "a" }, arguments.list(setmetatable({ "a" }, LIVELY)))
    for _, value in ipairs { { a = 1 }, { "a", b = 1 }, { [0] = "a" }, { [2] = "a" }, { "a", nil, "c" }, { [1.5] = "a" },
      { "a", nil, "c", x = "filler" }, { "a", nil, nil, "d", x = 1, y = 2 } } do
      assert.is_nil((arguments.list(value)))
    end
    local list = { "a", "b" }
    local copy, count = arguments.list(list)
    assert.are_not.equal(list, copy)
    assert.equal(2, count)
    assert.equal(2, arguments.length(setmetatable({ 1, 2 }, LIVELY)))
  end)

  it("copies a list of so many entries", function()
    assert.same({ 1, 2, 3 }, arguments.entries({ 1, 2, 3 }, 3, "names", "strings"))
    for given, got in pairs { [{ 1, 2, 3, 4 }] = "4", [{}] = "0", [{ a = 1 }] = "a table with other keys" } do
      local list, message, details = arguments.entries(given, 3, "names", "strings")
      assert.is_nil(list)
      assert.equal("names must be a list of 1 to 3 strings, got " .. got, message)
      assert.same({ code = "invalid", field = "names", limit = 3, retryable = false }, details)
    end
  end)

  it("finds the functions of objects, and none where the look-up raises", function()
    local class = { send = print, size = 5 }
    class.__index = class
    assert.equal(print, arguments.method(setmetatable({}, class), "send"))
    assert.is_nil(arguments.method(setmetatable({}, class), "size"))
    assert.is_nil(arguments.method({}, "send"))
    assert.is_nil(arguments.method(setmetatable({}, LIVELY), "send"))
    local short = setmetatable({}, { __index = function() error("not enough memory", 0) end })
    assert.has_error(function() arguments.method(short, "send") end, "not enough memory")
  end)

  it("names keys of any type", function()
    assert.equal("info", arguments.name "info")
    assert.equal("1", arguments.name(1))
    assert.equal(60, #arguments.name(("x"):rep(1000)))
    assert.equal("table", arguments.name(setmetatable({}, LIVELY)))
  end)

  it("takes any time to wait from 0 on", function()
    assert.equal(7, arguments.seconds("wait", nil, 7))
    assert.equal(0, arguments.seconds("wait", 0))
    assert.equal(math.huge, arguments.seconds("wait", math.huge))
    for _, seconds in ipairs { -1, -math.huge, 0 / 0 } do
      local ok, message, details = arguments.seconds("wait", seconds)
      assert.is_nil(ok)
      assert.truthy(message:find("wait: seconds must be 0 or more, got", 1, true), message)
      assert.equal("invalid", details.code)
    end
  end)

  it("says what is wrong", function()
    fails('unknown option "x"', { code = "invalid", field = "x" }, arguments.read({ x = 1 }, {}, "option"))
    fails("step: seconds must be 0 or more, got -1", { code = "invalid", field = "seconds" }, arguments.seconds("step", -1))
    fails("ids must be a list of 1 to 2 names, got 3", { code = "invalid", field = "ids", limit = 2 },
      arguments.entries({ 1, 2, 3 }, 2, "ids", "names"))
    fails("ids must be a list of 1 to 2 names, got a table with other keys", { code = "invalid", field = "ids", limit = 2 },
      arguments.entries({ x = 1 }, 2, "ids", "names"))
    assert.equal(0, arguments.seconds("step", 0, 5))
    assert.equal(5, arguments.seconds("step", nil, 5))
  end)
end)
