-- The text codecs of pusher.core: base64, base64url, UTF-8.

local core = require "pusher.core"

describe("core.base64", function()
  -- RFC 4648 section 10, and the two digits in which the alphabets differ.
  local KNOWN = {
    { "", "", "" },
    { "f", "Zg==", "Zg" },
    { "fo", "Zm8=", "Zm8" },
    { "foo", "Zm9v", "Zm9v" },
    { "foob", "Zm9vYg==", "Zm9vYg" },
    { "fooba", "Zm9vYmE=", "Zm9vYmE" },
    { "foobar", "Zm9vYmFy", "Zm9vYmFy" },
    { "\251\255\190", "+/++", "-_--" },
    { "\255\255", "//8=", "__8" },
    { "\0\0\0\0", "AAAAAA==", "AAAAAA" },
  }

  it("agrees with the known vectors both ways", function()
    for _, case in ipairs(KNOWN) do
      assert.equal(case[2], core.base64_encode(case[1]))
      assert.equal(case[3], core.base64url_encode(case[1]))
      assert.equal(case[1], core.base64_decode(case[2]))
      assert.equal(case[1], core.base64url_decode(case[3]))
    end
  end)

  it("brings back every length", function()
    for size = 0, 100 do
      local bytes = core.random(size)
      assert.equal(bytes, core.base64_decode(core.base64_encode(bytes)))
      assert.equal(bytes, core.base64url_decode(core.base64url_encode(bytes)))
    end
    for _, size in ipairs { 766, 767, 768, 769, 1365, 1366, 1367, 10240, 100000 } do
      local bytes = core.random(size)
      assert.is_true(bytes == core.base64_decode(core.base64_encode(bytes)))
      assert.is_true(bytes == core.base64url_decode(core.base64url_encode(bytes)))
    end
  end)

  local function assert_refused(decode, text)
    local bytes, message = decode(text)
    assert.is_nil(bytes, ("%q"):format(text))
    assert.equal("string", type(message))
  end

  it("refuses what is not padded base64 in its one form", function()
    local refused = {
      "Zg", "Zg=", "Zg===", "Zg==Zg==", "Z===", "====", "=", "==", "A=AA", "AA=A", "=AAA", -- padding
      "Zh==", "Zm9=", "//9=", -- stray low bits
      "Zm9v\n", "Zm 9", " Zm9v", "Zm9v    ", "Zm\n9v", "Zm9vYg==\n", -- spaces
      "-_--", "Zm9*", "Zm9\0", "\0\0\0\0", "Zm9\255", "\195\164\195\164", -- no ASCII digits
      "A", "AAAAA", "AAAAA===",
    }
    for _, text in ipairs(refused) do
      assert_refused(core.base64_decode, text)
    end
  end)

  it("refuses what is not unpadded base64url in its one form", function()
    for _, text in ipairs { "Zg==", "Zm8=", "=", "Zh", "Zm9", "+/++", "A", "AAAAA", "Zm9v\n", "Zm9v ", "Zm9\0" } do
      assert_refused(core.base64url_decode, text)
    end
  end)

  it("has for each group of digits one text only", function()
    local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    local accepted, others = 0, 0
    for a = 1, 64, 7 do
      for b = 1, 64 do
        local text = digits:sub(a, a) .. digits:sub(b, b) .. "=="
        local bytes = core.base64_decode(text)
        if bytes then
          accepted = accepted + 1
          others = core.base64_encode(bytes) == text and others or others + 1
        end
      end
    end
    assert.equal(10 * 4, accepted) -- two bits of the second digit are free
    assert.equal(0, others)
  end)

  it("raises on wrong types", function()
    for _, name in ipairs { "base64_encode", "base64_decode", "base64url_encode", "base64url_decode" } do
      assert.has_error(function() core[name]() end)
      assert.has_error(function() core[name]({}) end)
    end
  end)
end)

describe("core.quote", function()
  local cjson = require "cjson"

  -- lua-cjson's own text, but for the slash.
  local function expected(text)
    return (cjson.encode(text):gsub("\\.", { ["\\/"] = "/" }))
  end

  it("escapes each byte as lua-cjson does, wherever it stands", function()
    for code = 0, 255 do
      for before = 0, 17 do
        local text = ("a"):rep(before) .. string.char(code) .. ("b"):rep(17 - before)
        if core.quote(text) ~= expected(text) then
          error(("byte %d after %d: %s"):format(code, before, core.quote(text)))
        end
      end
    end
  end)

  it("escapes texts of any length, with what stands around them", function()
    for _, text in ipairs { "", "a", '"', ("x"):rep(5000), ("\1"):rep(5000), ('{"a":"b"}\n'):rep(700) } do
      assert.equal(expected(text), core.quote(text))
      assert.equal("<" .. expected(text) .. ">", core.quote(text, "<", ">"))
      assert.equal(text .. expected(text) .. text, core.quote(text, text, text))
    end
  end)

  it("raises on wrong types", function()
    assert.has_error(function() core.quote() end)
    assert.has_error(function() core.quote("a", {}, "") end)
    assert.has_error(function() core.quote("a", "") end)
  end)
end)

describe("core.is_final_json", function()
  it("refuses what a codec may have written wrongly, wherever it stands", function()
    for text, final in pairs {
      [""] = true, ["+"] = true, ["e"] = true, ['{"a":1e+20}'] = false, ["1E+20"] = false, ["e+"] = false, ["+e"] = true,
      ["++e+"] = false, ['"a\\/b"'] = false, ["\\/"] = false, ['"a/b\\n"'] = true, ['"//"'] = true, ["1e-7"] = true,
      ["1234567890123456"] = false, ["\255"] = false, ["größer"] = true, ["a\0e+"] = false,
    } do
      assert.equal(final, core.is_final_json(text), text)
    end
    assert.has_error(function() core.is_final_json() end)
  end)
end)

describe("core.plain_slashes", function()
  it("removes the backslash before a slash, and no other", function()
    for text, plain in pairs {
      [""] = "", ["/"] = "/", ["\\/"] = "/", ["\\\\/"] = "\\\\/", ["\\\\\\/"] = "\\\\/", ["\\"] = "\\", ["a\\/b\\/"] = "a/b/",
      ["\\n\\/\\u002f"] = "\\n/\\u002f", ["\0\\/\0"] = "\0/\0", [("\\/"):rep(3000)] = ("/"):rep(3000), ["a\\"] = "a\\",
    } do
      assert.equal(plain, core.plain_slashes(text))
    end
  end)
end)

describe("core.utf8_valid", function()
  local function utf8_of(code)
    local char, floor = string.char, math.floor
    if code < 0x80 then
      return char(code)
    elseif code < 0x800 then
      return char(0xC0 + floor(code / 64), 0x80 + code % 64)
    elseif code < 0x10000 then
      return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
    end
    return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
      0x80 + code % 64)
  end

  it("takes text in every script, and zero bytes", function()
    for _, text in ipairs { "", "plain", "a\0b", "größer", "Здравствуйте", "日本語", "😀 1234567 😀", "\239\191\191" } do
      assert.is_true(core.utf8_valid(text))
    end
  end)

  it("takes every code point but surrogates", function()
    for code = 0, 0x10FFFF, 331 do
      local good = code < 0xD800 or code > 0xDFFF
      if core.utf8_valid(utf8_of(code)) ~= good then
        error(("U+%X"):format(code))
      end
    end
    for _, code in ipairs { 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF } do
      assert.is_true(core.utf8_valid(utf8_of(code)))
    end
    assert.is_false(core.utf8_valid(utf8_of(0xD800)))
    assert.is_false(core.utf8_valid(utf8_of(0xDFFF)))
    assert.is_false(core.utf8_valid(utf8_of(0x110000)))
  end)

  -- Every lead, by table 3-7 of the Unicode standard.
  it("agrees with the table of well-formed sequences", function()
    local function second_ok(lead, second)
      local low = lead == 0xE0 and 0xA0 or lead == 0xF0 and 0x90 or 0x80
      local high = lead == 0xED and 0x9F or lead == 0xF4 and 0x8F or 0xBF
      return second >= low and second <= high
    end
    -- One byte of each range that the table distinguishes.
    local seconds = { 0, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xE0, 0xFF }
    local wrong = {}
    local function expect(good, bytes)
      if core.utf8_valid(bytes) ~= good then
        wrong[#wrong + 1] = ("%q"):format(bytes)
      end
    end
    for lead = 0x80, 0xFF do
      for _, second in ipairs(seconds) do
        local start = string.char(lead, second)
        local good = second_ok(lead, second)
        expect(good and lead >= 0xC2 and lead <= 0xDF, start)
        expect(good and lead >= 0xE0 and lead <= 0xEF, start .. "\128")
        expect(good and lead >= 0xF0 and lead <= 0xF4, start .. "\128\191")
      end
    end
    assert.same({}, wrong)
  end)

  it("finds the bad byte wherever it stands", function()
    for at = 1, 20 do
      local head = ("x"):rep(at - 1)
      for _, bad in ipairs { "\255", "\195", "\240\159\152" } do
        assert.is_false(core.utf8_valid(head .. bad))
        assert.is_false(core.utf8_valid(head .. bad .. ("x"):rep(20 - at)))
      end
    end
    assert.is_false(core.utf8_valid("\224\160x"))
    assert.is_false(core.utf8_valid("\240\144\128x"))
    assert.has_error(function() core.utf8_valid() end)
  end)
end)

describe("core.is_target", function()
  it("takes what begins with a slash and has no control character and no space", function()
    for _, text in ipairs { "/", "/apps/3/events?x=%2f", "/\195\164", "/~!" .. ("x"):rep(100) } do
      assert.is_true(core.is_target(text))
    end
    assert.is_false(core.is_target(""))
    assert.is_false(core.is_target("x/"))
  end)

  it("looks at each byte, wherever it is", function()
    for code = 0, 255 do
      local good = code > 32 and code ~= 127
      for _, place in ipairs { 0, 1, 7, 16, 63 } do
        local text = "/" .. ("a"):rep(place) .. string.char(code) .. ("b"):rep(63 - place)
        assert.equal(good, core.is_target(text))
      end
    end
  end)
end)
