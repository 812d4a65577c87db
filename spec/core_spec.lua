local core = require "pusher.core"
local process = require "pusher_test.process"
local with_fifo = require "spec.helpers.fifo"
local sealed = require "spec.helpers.sealed"
local time_scale = require "spec.helpers.time_scale"
local vectors = require "spec.helpers.vectors"

local function unhex(hex)
  return (hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

local function hex(bytes)
  return (bytes:gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end))
end

describe("core.is_file", function()
  it("is true of files only", function()
    assert.is_true(core.is_file("README.md"))
    assert.is_false(core.is_file("/"))
    assert.is_false(core.is_file("/dev/zero"))
    assert.is_nil(core.is_file("/nowhere/at/all"))
    with_fifo(function(path)
      assert.is_false(core.is_file(path))
    end)
  end)
end)

describe("core.forks", function()
  it("is another one after each fork", function()
    local own = core.forks()
    assert.equal(own, core.forks())
    assert.equal(0, process.run(function()
      assert(core.forks() == own + 1)
      assert(process.run(function()
        assert(core.forks() == own + 2)
      end, 30) == 0)
    end, 60))
    assert.equal(own, core.forks())
  end)
end)

describe("core.mac", function()
  it("agrees with the known vectors", function()
    for _, v in ipairs(vectors.of("hmac_sha256_hex")) do
      assert.equal(v.expected.hex, core.mac(v.inputs.key):hex(v.inputs.message))
    end
  end)

  -- RFC 4231 (SHA-256) and RFC 2202 (SHA-1): short keys, keys of a block and longer, with every length of text.
  local RFC = {
    { "sha256", ("\11"):rep(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "sha256", "Jefe", "what do ya want for nothing?",
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { "sha256", ("\170"):rep(20), ("\221"):rep(50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "sha256", ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { "sha256", ("\170"):rep(131), "This is a test using a larger than block-size key and a larger than block-size data."
      .. " The key needs to be hashed before being used by the HMAC algorithm.",
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
    { "sha1", ("\11"):rep(20), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00" },
    { "sha1", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
    { "sha1", ("\170"):rep(80), "Test Using Larger Than Block-Size Key - Hash Key First",
      "aa4ae5e15272d00e95705637ce8a3b55ed402112" },
  }

  it("agrees with RFC 4231 and RFC 2202", function()
    for _, case in ipairs(RFC) do
      assert.equal(case[4], core.mac(case[2], case[1]):hex(case[3]))
    end
  end)

  it("accepts keys around the length of a block", function()
    local seen = {}
    for size = 0, 70 do
      local digits = core.mac(("k"):rep(size)):hex("text")
      assert.is_nil(seen[digits])
      seen[digits] = true
    end
    -- A key of 65 bytes stands for its digest.
    local digest = unhex(core.sha256_hex(("k"):rep(65)))
    assert.equal(core.mac(digest):hex("text"), core.mac(("k"):rep(65)):hex("text"))
  end)

  it("signs the concatenation of all parts", function()
    local mac = core.mac("secret")
    local whole = mac:hex("1234.5678:private-chat")
    assert.equal(whole, mac:hex("1234.5678", ":", "private-chat"))
    assert.equal(whole, mac:hex("", "1234.5678:private-", "", "chat", ""))
    assert.equal(mac:hex(""), mac:hex())
    local parts = {}
    for i = 1, 200 do
      parts[i] = tostring(i)
    end
    local unpack = table.unpack or unpack
    assert.equal(mac:hex(table.concat(parts)), mac:hex(unpack(parts)))
  end)

  it("gives the same again after other texts, also ones that were refused half-way", function()
    local mac, other = core.mac("secret"), core.mac("other")
    local first = mac:hex("text")
    other:hex("something else")
    mac:raw(("long"):rep(1000))
    assert.has_error(function() mac:hex("text", {}) end)
    assert.equal(first, mac:hex("text"))
  end)

  it("gives raw bytes too", function()
    local mac = core.mac("secret")
    assert.equal(mac:hex("a", "b"), hex(mac:raw("ab")))
    assert.equal(20, #core.mac("secret", "sha1"):raw("ab"))
  end)

  it("keeps zero bytes", function()
    assert.not_equal(core.mac("a\0b"):hex("x"), core.mac("a"):hex("x"))
    assert.not_equal(core.mac("a"):hex("x\0y"), core.mac("a"):hex("x"))
  end)

  it("verifies a signature, and nothing but it", function()
    local mac = core.mac("secret")
    local signature = mac:hex("body")
    assert.is_true(mac:verify(signature, "body"))
    assert.is_true(mac:verify(signature, "bo", "dy"))
    assert.is_false(mac:verify(signature, "body "))
    assert.is_false(core.mac("secret2"):verify(signature, "body"))
    assert.is_false(mac:verify(signature:upper(), "body"))
    assert.is_false(mac:verify(signature .. "0", "body"))
    assert.is_false(mac:verify(signature .. "\0", "body"))
    assert.is_false(mac:verify(signature:sub(1, -2), "body"))
    for at = 1, #signature do
      local digit = signature:sub(at, at) == "0" and "1" or "0"
      assert.is_false(mac:verify(signature:sub(1, at - 1) .. digit .. signature:sub(at + 1), "body"))
    end
  end)

  it("returns false for anything that is not a signature", function()
    local mac = core.mac("secret", "sha1")
    for _, garbage in ipairs { "", "potato", ("0"):rep(40), ("\0"):rep(40), 0, 12.5, {}, print, true, false } do
      assert.is_false(mac:verify(garbage, "body"))
    end
    assert.is_false(mac:verify(nil, "body"))
    assert.is_true(mac:verify(mac:hex("body"), "body"))
  end)

  it("is closed once and for all, and may be closed twice", function()
    local mac = core.mac("secret")
    mac:close()
    mac:close()
    for _, method in ipairs { "hex", "raw", "verify", "wrap" } do
      assert.equal(0, select("#", mac[method](mac, "x", "y", "z"))) -- as its callers want it, see mac.c
    end
  end)

  it("shows no secret", function()
    local mac = core.mac("my-secret-key")
    assert.matches("^pusher%.mac: 0x%x+$", tostring(mac))
    assert.not_matches("secret", tostring(mac))
    assert.is_false(getmetatable(mac))
    mac:close()
    assert.matches("^pusher%.mac: 0x%x+ %(closed%)$", tostring(mac))
  end)

  it("raises on wrong types", function()
    local mac = core.mac("secret")
    assert.has_error(function() core.mac() end)
    assert.has_error(function() core.mac({}) end)
    assert.has_error(function() core.mac("secret", "md4") end)
    assert.has_error(function() mac:hex(nil) end)
    assert.has_error(function() mac:hex("x", 12) end) -- Lua versions write numbers differently
    assert.has_error(function() mac:verify("x", {}) end)
    assert.has_error(function() mac.hex("not a mac", "x") end)
    assert.has_error(function() mac.hex(io.stdout, "x") end)
    assert.has_error(function() mac.hex() end)
  end)
end)

describe("core digests", function()
  it("gives the known MD5", function()
    for _, kind in ipairs { "md5_hex", "body_md5" } do
      for _, v in ipairs(vectors.of(kind)) do
        assert.equal(v.expected.hex, core.md5_hex(v.inputs.data))
      end
    end
    assert.equal("d41d8cd98f00b204e9800998ecf8427e", core.md5_hex(""))
  end)

  it("gives the known SHA-256", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", core.sha256_hex(""))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", core.sha256_hex("abc"))
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
      core.sha256_hex(("a"):rep(1000000)))
  end)

  it("raises on wrong types", function()
    assert.has_error(function() core.md5_hex() end)
    assert.has_error(function() core.sha256_hex({}) end)
  end)
end)

describe("core end-to-end encryption", function()
  local function master_key(inputs)
    return inputs.master_key_raw or core.base64_decode(inputs.master_key_base64)
  end

  it("derives the known channel keys", function()
    for _, v in ipairs(vectors.of("shared_secret")) do
      local key = core.channel_key(v.inputs.channel, master_key(v.inputs))
      assert.equal(core.KEY_BYTES, #key)
      local text = core.base64_encode(key)
      assert.equal(v.expected.hex or hex(key), hex(key))
      assert.equal(v.expected.base64 or text, text)
      assert.equal(v.expected.base64_no_padding or text:gsub("=", ""), (text:gsub("=", "")))
    end
  end)

  it("derives the same after other digests", function()
    local first = core.channel_key("private-encrypted-a", ("k"):rep(32))
    core.sha256_hex("between")
    core.mac("between")
    assert.equal(first, core.channel_key("private-encrypted-a", ("k"):rep(32)))
    assert.equal(hex(first), core.sha256_hex("private-encrypted-a" .. ("k"):rep(32)))
  end)

  it("opens what others have sealed", function()
    for _, v in ipairs(vectors.of("secretbox_open")) do
      local i = v.inputs
      assert.equal(v.expected.plaintext, core.open(core.base64_decode(i.ciphertext_base64),
        core.base64_decode(i.key_base64), core.base64_decode(i.nonce_base64)))
    end
    for _, v in ipairs(vectors.of("e2e_decrypt")) do
      local i = v.inputs
      local plaintext, message = core.open(core.base64_decode(i.ciphertext_base64),
        core.channel_key(i.channel, master_key(i)), core.base64_decode(i.nonce_base64))
      assert.equal(v.expected.plaintext, plaintext)
      assert.equal(v.expected.error, type(message) == "string" or nil)
    end
  end)

  it("seals as others do", function()
    for _, v in ipairs(vectors.of("e2e_encrypt")) do
      local i = v.inputs
      assert.equal(([[<"{\"nonce\":\"%s\",\"ciphertext\":\"%s\"}">]]):format(
        v.expected.nonce_base64, v.expected.ciphertext_base64),
        core.seal_event(i.plaintext, i.channel, master_key(i), i.nonce_raw, "<", ">"))
    end
  end)

  it("opens what it has sealed, of any size", function()
    local master, nonce = core.random(core.KEY_BYTES), core.random(core.NONCE_BYTES)
    local sizes = { 1007, 1008, 1009, 1024, 1040, 1041, 10240, 300000 }
    for size = 0, 100 do
      sizes[#sizes + 1] = size
      sizes[#sizes + 1] = 630 + size -- around the largest result on the C stack
    end
    for _, size in ipairs(sizes) do
      local text = core.random(size)
      local box, key = sealed(text, "private-encrypted-a", master, nonce)
      assert.equal(size + core.TAG_BYTES, #box)
      assert.is_true(text == core.open(box, key, nonce))
    end
  end)

  it("puts any bytes around what it has sealed", function()
    local function seal(front, back)
      return core.seal_event("x", "private-encrypted-a", ("m"):rep(core.KEY_BYTES), ("n"):rep(core.NONCE_BYTES), front, back)
    end
    for _, size in ipairs { 0, 1, 800, 900, 1000, 5000 } do
      local around = ("\0"):rep(size)
      assert.equal(around .. seal("", "") .. around, seal(around, around))
    end
  end)

  it("opens nothing that was touched", function()
    local nonce = ("n"):rep(core.NONCE_BYTES)
    local box, key = sealed("text", "private-encrypted-a", ("k"):rep(core.KEY_BYTES), nonce)
    for at = 1, #box do
      local byte = string.char((box:byte(at) + 1) % 256)
      local plaintext, message = core.open(box:sub(1, at - 1) .. byte .. box:sub(at + 1), key, nonce)
      assert.is_nil(plaintext)
      assert.matches("decryption failed", message)
    end
    assert.is_nil(core.open(box:sub(1, -2), key, nonce))
    assert.is_nil(core.open(box .. "x", key, nonce))
    assert.is_nil(core.open(box, ("K"):rep(core.KEY_BYTES), nonce))
    assert.is_nil(core.open(box, key, ("N"):rep(core.NONCE_BYTES)))
  end)

  it("says what is wrong with lengths", function()
    local key, nonce = ("k"):rep(core.KEY_BYTES), ("n"):rep(core.NONCE_BYTES)
    local cases = {
      { core.open, ("x"):rep(core.TAG_BYTES - 1), key, nonce, "shorter than its tag" },
      { core.open, "", key, nonce, "shorter than its tag" },
      { core.open, ("x"):rep(20), key .. "k", nonce, "32" },
      { core.open, ("x"):rep(20), key, "", "24" },
    }
    for _, case in ipairs(cases) do
      local result, message = case[1](case[2], case[3], case[4])
      assert.is_nil(result)
      assert.matches(case[5], message)
    end
    assert.has_error(function() core.open({}, key, nonce) end)
  end)

  it("names its lengths, as integers", function()
    assert.equal("32 24 16", table.concat({ core.KEY_BYTES, core.NONCE_BYTES, core.TAG_BYTES }, " "))
  end)
end)

describe("core.random", function()
  it("gives as many bytes as asked for, others each time", function()
    for _, size in ipairs { 0, 1, 24, 1024, 1025, 100000 } do
      assert.equal(size, #core.random(size))
    end
    local seen = {}
    for _ = 1, 1000 do
      local bytes = core.random(16)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end)

  it("uses all byte values", function()
    local seen, count = {}, 0
    for byte in core.random(100000):gmatch(".") do
      if not seen[byte] then
        seen[byte], count = true, count + 1
      end
    end
    assert.equal(256, count)
  end)

  it("refuses sizes that cannot be meant", function()
    assert.has_error(function() core.random(-1) end)
    assert.has_error(function() core.random(1024 * 1024 + 1) end)
    assert.has_error(function() core.random("many") end)
  end)
end)

describe("core's clock", function()
  it("moves forward in fractions of a second", function()
    local first = core.now()
    local later
    repeat
      later = core.now()
    until later ~= first
    assert.is_true(later > first and later - first < time_scale)
  end)

  it("sleeps as long as it is asked to", function()
    local before = core.now()
    core.sleep(0.02)
    local slept = core.now() - before
    assert.is_true(slept >= 0.02 and slept < time_scale)
    core.sleep(0)
  end)

  it("raises on a time that cannot be meant", function()
    for _, seconds in ipairs { -1, 0 / 0 } do
      assert.error_matches(function()
        core.sleep(seconds)
      end, "seconds expected")
    end
  end)

  it("sleeps for a day at most, and raises on no time that is longer", function()
    for _, seconds in ipairs { "1e9", "1e308", "math.huge" } do
      local program = assert(io.popen(([[timeout %g %s -e 'io.stdout:write("asleep") io.stdout:flush()
        require("pusher.core").sleep(%s) print("awake")' 2>&1]]):format(time_scale, os.getenv("PUSHER_LUA"), seconds)))
      assert.equal("asleep", program:read("*a"))
      program:close()
    end
  end)
end)

describe("core.parser", function()
  -- What parse(text) returns, and the texts that each of the two functions got.
  local function parse(text, decode, otherwise)
    local decoded, others = {}, {}
    local results = { core.parser(function(...)
      decoded[#decoded + 1] = table.concat({ ... }, " ")
      return decode(...)
    end, function(...)
      others[#others + 1] = table.concat({ ... }, " ")
      return otherwise(...)
    end)(text, "more") }
    return results, decoded, others
  end

  local function three()
    return 1, 2, 3
  end

  it("returns what the decoder makes of a plain text", function()
    for _, value in ipairs { false, "x", 5 } do
      local results, decoded, others = parse("[1]", function() return value end, error)
      assert.same({ { value }, { "[1]" }, {} }, { results, decoded, others })
    end
    assert.same({ 1 }, (parse("x", three, error)))
    assert.equal(1, select("#", core.parser(function() end, error)("x")))
  end)

  it("leaves a text that is not plain to the other function, and one for which the decoder raises", function()
    for _, text in ipairs { "\255", "1234567890123456" } do
      assert.same({ { 1, 2, 3 }, {}, { text } }, { parse(text, error, three) })
    end
    assert.same({ { 1, 2, 3 }, { "x" }, { "x" } }, { parse("x", error, three) })
    assert.same({ 1, 2, 3 }, { core.parser(nil, three)("x") })
    assert.equal(0, select("#", core.parser(error, function() end)("x")))
    assert.error_matches(function() core.parser(error, function() error("from it", 0) end)("x") end, "^from it$")
  end)

  it("raises on a text that is no string", function()
    assert.has_error(function() core.parser(three, three)() end)
    assert.has_error(function() core.parser(three, three)({}) end)
  end)
end)

describe("core.writer", function()
  -- What the encoder's text becomes; nothing when the function returns nothing.
  local function write(text, max_bytes, value)
    local results = { core.writer(function(given)
      assert.equal("table", type(given))
      return text or error("not encodable")
    end, max_bytes or 10)(value or {}, "<", ">") }
    assert.is_true(#results <= 1)
    return results[1]
  end

  it("writes what the encoder makes of a table as a string", function()
    assert.equal([[<"{\"a\":1}">]], write('{"a":1}'))
    assert.equal('<"/">', write("\\/"))
    assert.equal('a\0"[]"b', (core.writer(function() return "[]" end, 2)({}, "a\0", "b")))
    for size = 600, 1100 do
      local text = ("x"):rep(size)
      assert.equal('<"' .. text .. '">', write(text, size))
    end
    assert.equal("<" .. core.quote(("\""):rep(5000)) .. ">", write(("\""):rep(5000), 5000))
  end)

  it("leaves what is too long, needs a second look or cannot be encoded to Lua", function()
    assert.is_nil(write(("x"):rep(11)))
    assert.is_nil(write("12", 1.5))
    for _, text in ipairs { "\255", "1e+20", false } do
      assert.is_nil(write(text))
    end
    assert.is_nil(write("1234567890123456", 16))
    assert.equal(0, select("#", core.writer(nil, 10)({}, "", "")))
    assert.equal(0, select("#", core.writer(function() return 5 end, 10)({}, "", "")))
  end)

  it("leaves every other value to Lua, and encodes none", function()
    for _, value in ipairs { "text", 5, true } do
      assert.is_nil(write("{}", 10, value))
    end
    assert.equal(0, select("#", core.writer(error, 10)(nil, "", "")))
  end)
end)

describe("core.authorizer, with a member,", function()
  local mac = core.mac("secret")
  local FORM = "socket_id=1.23&channel_name=presence-a"

  -- The response, or the number of values when there is none; and how often the encoder was called.
  local function authorize(member, text, form)
    local calls = 0
    local response = core.authorizer(mac, "<", nil, function(given)
      assert.equal(member, given)
      calls = calls + 1
      if not text then
        error("not encodable")
      end
      return text
    end)(form or FORM, member)
    return response, calls
  end

  local function expected(text, channel)
    channel = channel or "presence-a"
    return mac:wrap("<", '","channel_data":' .. core.quote(text) .. "}", "1.23:" .. channel .. ":" .. text)
  end

  it("signs what the encoder writes for a common member", function()
    for _, member in ipairs { { user_id = "1" }, { user_id = ("x"):rep(200), user_info = 1 },
      { user_id = "a@b.c", user_info = {} } } do
      for _, text in ipairs { "{}", ("x"):rep(2000), '"\195\164"' } do
        assert.equal(expected(text), (authorize(member, text)))
      end
    end
    for _, channel in ipairs { "private-a", "private-encryptedx", "presence-encrypted-a" } do
      assert.equal(expected("{}", channel), (authorize({ user_id = "1" }, "{}", "socket_id=1.23&channel_name=" .. channel)))
    end
  end)

  it("writes slashes without a backslash", function()
    assert.equal(expected('{"a":"/\\\\/"}'), (authorize({ user_id = "1" }, [[{"a":"\/\\/"}]])))
    assert.equal(expected(("/"):rep(2000)), (authorize({ user_id = "1" }, ("\\/"):rep(2000))))
  end)

  it("leaves every other member to Lua, and does not encode it", function()
    for _, member in ipairs {
      {}, { user_info = 1 }, { user_id = 1 }, { user_id = "" }, { user_id = "a b" }, { user_id = ("x"):rep(201) },
      { user_id = "1", user = 1 }, { user_id = "1", user_info = 1, user_infos = 1 }, { user_id = "1", "x" },
      { user_id = "1", [true] = 1 }, setmetatable({ user_id = "1" }, {}), "text", 1, true,
    } do
      local response, calls = authorize(member, "{}")
      assert.is_nil(response)
      assert.equal(0, calls)
    end
    assert.is_nil((authorize(nil, "{}")))
  end)

  it("leaves every other form and channel to Lua, and encodes nothing", function()
    for _, form in ipairs { "", FORM .. "&a=b", "socket_id=1.23&channel_name=private-encrypted-a",
      "socket_id=1.23&channel_name=a", "socket_id=1.23&channel_name=presence", "socket_id=x&channel_name=presence-a" } do
      local response, calls = authorize({ user_id = "1" }, "{}", form)
      assert.is_nil(response)
      assert.equal(0, calls)
    end
  end)

  it("leaves a text that needs a second look to Lua", function()
    for _, text in ipairs { "\255", "1234567890123456", "1e+20", "1E+20", false } do
      assert.is_nil((authorize({ user_id = "1" }, text)))
    end
    assert.is_nil((core.authorizer(mac, "<", nil, function() return 1 end)(FORM, { user_id = "1" })))
    assert.is_nil((core.authorizer(mac, "<")(FORM, { user_id = "1" })))
  end)

  it("returns nothing when the mac is closed meanwhile", function()
    local closed = core.mac("secret")
    assert.equal(0, select("#", core.authorizer(closed, "<", nil, function()
      closed:close()
      return "{}"
    end)(FORM, { user_id = "1" })))
  end)
end)

describe("core.authorizer", function()
  local mac = core.mac("secret")
  local MASTER = ("m"):rep(core.KEY_BYTES)

  local function authorize(form, master)
    return core.authorizer(mac, "<", master)(form)
  end

  it("signs the socket and the private channel of a form", function()
    assert.equal(mac:wrap("<", '"}', "1.23:private-a@b"), authorize("socket_id=1.23&channel_name=private-a%40b"))
    assert.equal(mac:wrap("<", '"}', "1.23:private-a"), authorize("socket_id=1.23&channel_name=private-a", MASTER))
  end)

  it("adds the shared secret of an encrypted channel", function()
    local channel = "private-encrypted-a"
    assert.equal(mac:wrap("<", '","shared_secret":"' .. core.shared_secret(channel, MASTER) .. '"}', "1.23:" .. channel),
      authorize("socket_id=1.23&channel_name=" .. channel, MASTER))
  end)

  it("accepts a front of any length", function()
    for size = 800, 1100 do
      local long = ("\0"):rep(size)
      local secret = core.shared_secret("private-encrypted-a", MASTER)
      local common = core.authorizer(mac, long, MASTER, function() return '{"user_id":"1"}' end)
      assert.equal(mac:wrap(long, '"}', "1.23:private-a"), common("socket_id=1.23&channel_name=private-a"))
      assert.equal(mac:wrap(long, '","shared_secret":"' .. secret .. '"}', "1.23:private-encrypted-a"),
        common("socket_id=1.23&channel_name=private-encrypted-a"))
      assert.equal(mac:wrap(long, [[","channel_data":"{\"user_id\":\"1\"}"}]], '1.23:private-a:{"user_id":"1"}'),
        common("socket_id=1.23&channel_name=private-a", { user_id = "1" }))
    end
  end)

  it("leaves every other form to Lua", function()
    for _, form in ipairs {
      "", "socket_id=1.23", "channel_name=private-a&socket_id=1.23", "socket_id=1.23&channel_name=private-a&x=y",
      "socket_id=1.23&channel_name=a", "socket_id=1.23&channel_name=presence-a", "socket_id=1.23&channel_name=private",
      "socket_id=1.23&channel_name=Private-a", "socket_id=x&channel_name=private-a",
      "socket_id=1.23&channel_name=private-a%0a",
    } do
      assert.equal(0, select("#", authorize(form, MASTER)))
    end
    assert.equal(0, select("#", authorize("socket_id=1.23&channel_name=private-encrypted-a")))
  end)

  it("returns nothing for a closed mac", function()
    local closed = core.mac("secret")
    closed:close()
    for _, channel in ipairs { "private-a", "private-encrypted-a" } do
      assert.equal(0, select("#", core.authorizer(closed, "<", MASTER)("socket_id=1.23&channel_name=" .. channel)))
    end
  end)

  it("forgets the master key when it is called without arguments", function()
    local common = core.authorizer(mac, "<", MASTER)
    assert.truthy(common("socket_id=1.23&channel_name=private-encrypted-a"))
    assert.equal(0, select("#", common()))
    assert.equal(0, select("#", common("socket_id=1.23&channel_name=private-encrypted-a")))
    assert.truthy(common("socket_id=1.23&channel_name=private-a"))
  end)

  it("leaves arguments of wrong types to Lua", function()
    local common = core.authorizer(mac, "<", MASTER, tostring)
    for _, form in ipairs { 5, {}, true, mac } do
      assert.equal(0, select("#", common(form)))
    end
    assert.equal(0, select("#", common(nil)))
    assert.equal(0, select("#", common("socket_id=1.23&channel_name=private-a", false)))
  end)
end)
