-- spec/locale_spec.lua has what it does in other locales.

local cjson = require "pusher.base.cjson"

describe("pusher.base.cjson", function()
  it("writes slashes plainly, and keeps backslashes", function()
    local codec = cjson.new()
    for text, expected in pairs {
      ["a/b"] = '"a/b"', ["\\/"] = '"\\\\/"', ["\\\\/"] = '"\\\\\\\\/"', ["</script>"] = '"</script>"',
      ['"/"'] = '"\\"/\\""', ["/"] = '"/"',
    } do
      assert.equal(expected, codec.finish(codec.encode(text)))
      assert.equal(text, codec.decode(expected))
    end
    assert.equal(1, select("#", codec.finish('"a\\/b"')))
  end)

  it("leaves the application's settings alone", function()
    local theirs = require "cjson"
    local before = theirs.encode_max_depth()
    cjson.new()
    assert.equal(before, theirs.encode_max_depth())
    assert.is_true(pcall(theirs.encode, { [5] = 1, [1] = 1 }))
  end)

  it("has nothing to repair when a text is at fault", function()
    assert.is_nil(cjson.new().repair())
  end)
end)
