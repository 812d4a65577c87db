local arguments = require "pusher.base.arguments"

describe("pusher.base.arguments", function()
  it("shows a string quoted, short and on one line, and the type of anything else", function()
    assert.equal('"my-channel"', arguments.show("my-channel"))
    assert.equal('"a?b??"', arguments.show("a\nb\0\127"))
    assert.equal('"' .. ("x"):rep(60) .. '"', arguments.show(("x"):rep(60)))
    assert.equal('"' .. ("x"):rep(60) .. '…"', arguments.show(("x"):rep(5000000)))
    assert.equal("number", arguments.show(7))
    assert.equal("nil", arguments.show(nil))
  end)

  it("raises wrong types at the caller's line", function()
    local function method(value)
      arguments.check("method", 2, value, "string or table")
    end
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

  it("says when there is no value, and accepts nil where it is allowed", function()
    local ok, message = pcall(arguments.check, "method", 1, nil, "table")
    assert.is_false(ok)
    assert.truthy(message:find("(table expected, got no value)", 1, true), message)
    arguments.check("method", 1, nil, "table or nil")
  end)

  it("refuses unknown members", function()
    local known = { info = true, socket_id = true }
    assert.is_true(arguments.members({ info = 1, socket_id = 2 }, known, "trigger parameter"))
    assert.is_true(arguments.members({}, known, "trigger parameter"))
    local ok, message, details = arguments.members({ inof = 1 }, known, "trigger parameter")
    assert.is_nil(ok)
    assert.equal('unknown trigger parameter "inof"', message)
    assert.same({ code = "invalid", field = "inof", retryable = false }, details)
    ok, message, details = arguments.members({ [1] = "info" }, known, "trigger parameter")
    assert.is_nil(ok)
    assert.equal("unknown trigger parameter number", message)
    assert.equal("1", details.field)
  end)

  it("measures plain lists and nothing else", function()
    assert.equal(0, arguments.list_length {})
    assert.equal(3, arguments.list_length { "a", false, "c" })
    for _, value in ipairs { { a = 1 }, { "a", b = 1 }, { [0] = "a" }, { [2] = "a" }, { "a", nil, "c" }, { [1.5] = "a" },
      { "a", nil, "c", x = "filler" }, { "a", nil, nil, "d", x = 1, y = 2 } } do
      assert.is_nil(arguments.list_length(value))
    end
  end)

  it("takes any time to wait from 0 on", function()
    assert.equal(0, arguments.seconds("wait", 0))
    assert.equal(math.huge, arguments.seconds("wait", math.huge))
    for _, seconds in ipairs { -1, -math.huge, 0 / 0 } do
      local ok, message, details = arguments.seconds("wait", seconds)
      assert.is_nil(ok)
      assert.truthy(message:find("wait: seconds must be 0 or more, got", 1, true), message)
      assert.equal("invalid", details.code)
    end
  end)
end)
