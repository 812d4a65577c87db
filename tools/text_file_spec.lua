local text_file = require "tools.text_file"

describe("tools.text_file", function()
  it("reads what it wrote, byte for byte", function()
    local path, bytes = os.tmpname(), "a\r\n\0\255"
    finally(function() os.remove(path) end)
    text_file.write(path, bytes)
    assert.equal(bytes, text_file.read(path))
    assert.is_true(text_file.exists(path))
    assert.is_false(text_file.exists(path .. "/none"))
    assert.is_false(pcall(text_file.read, path .. "/none"))
    assert.is_false(pcall(text_file.write, path .. "/none", ""))
  end)

  it("replaces a text that must be there, and no pattern", function()
    assert.same({ "x%1 b x%1", 2 }, { text_file.replace("a.c b a.c", "a.c", "x%1") })
    local ok, message = pcall(text_file.replace, "abc", "a.c", "x")
    assert.is_false(ok)
    assert.matches("there is no a%.c$", message)
  end)
end)
