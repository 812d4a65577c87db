local ascii = require "pusher.base.ascii"

describe("pusher.base.ascii", function()
  it("changes the case of A-Z and a-z, and no other byte", function()
    local all = {}
    for code = 0, 255 do
      all[#all + 1] = string.char(code)
    end
    local text = table.concat(all)
    local lower = ascii.lower(text)
    assert.equal("abcdefghijklmnopqrstuvwxyz", lower:sub(66, 91))
    assert.equal(text:sub(1, 65) .. text:sub(92), lower:sub(1, 65) .. lower:sub(92))
    assert.equal(text:sub(1, 97) .. "ABCDEFGHIJKLMNOPQRSTUVWXYZ" .. text:sub(124), ascii.upper(text))
    assert.equal(2, select("#", ascii.lower("A"), ascii.upper("a")))
  end)

  it("shortens to valid UTF-8", function()
    for text, expected in pairs {
      abcde = "abcd", abcd = "abcd", [""] = "", ["ab\195\188"] = "ab\195\188", ["abc\195\188"] = "abc", ["ab\226\130\172"] = "ab",
      ["a\240\159\152\128"] = "a", ["\240\159\152\128x"] = "\240\159\152\128", ["\255\254"] = "??", ["abc\195"] = "abc?",
      ["\128\128\128\128\128\128"] = "?", ["a\192\128"] = "a??", ["\237\160\128"] = "???",
    } do
      assert.equal(expected, ascii.shorten(text, 4))
    end
  end)

  it("orders by bytes", function()
    local sorted = { "", "A", "B", "_", "a", "a\0", "a_b", "aab", "auth_version", "author", "b", "\128", "\255" }
    table.sort(sorted, function(a, b) return a > b end)
    table.sort(sorted, ascii.less)
    assert.same({ "", "A", "B", "_", "a", "a\0", "a_b", "aab", "auth_version", "author", "b", "\128", "\255" }, sorted)
    assert.is_false(ascii.less("x", "x"))
  end)
end)
