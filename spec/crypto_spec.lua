local crypto = require "pusher.crypto"
local vectors = require "spec.support.vectors"

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

describe("crypto.mac", function()
  it("gives the known answers", function()
    for _, v in ipairs(vectors.of("hmac_sha256_hex")) do
      assert.equal(v.expected.hex, crypto.mac(v.inputs.key):hex(v.inputs.message))
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
      assert.equal(case[4], crypto.mac(case[2], case[1]):hex(case[3]))
    end
  end)

  it("takes keys around the length of a block", function()
    local seen = {}
    for size = 0, 70 do
      local digits = crypto.mac(("k"):rep(size)):hex("text")
      assert.is_nil(seen[digits])
      seen[digits] = true
    end
    -- A key of 65 bytes stands for its digest.
    local digest = unhex(crypto.sha256_hex(("k"):rep(65)))
    assert.equal(crypto.mac(digest):hex("text"), crypto.mac(("k"):rep(65)):hex("text"))
  end)

  it("signs the concatenation of all parts", function()
    local mac = crypto.mac("secret")
    local whole = mac:hex("1234.5678:private-room")
    assert.equal(whole, mac:hex("1234.5678", ":", "private-room"))
    assert.equal(whole, mac:hex("", "1234.5678:private-", "", "room", ""))
    assert.equal(mac:hex(""), mac:hex())
    local parts = {}
    for i = 1, 200 do
      parts[i] = tostring(i)
    end
    local unpack = table.unpack or unpack
    assert.equal(mac:hex(table.concat(parts)), mac:hex(unpack(parts)))
  end)

  it("gives the same again after other texts, also ones that were refused half-way", function()
    local mac, other = crypto.mac("secret"), crypto.mac("other")
    local first = mac:hex("text")
    other:hex("something else")
    mac:raw(("long"):rep(1000))
    assert.has_error(function() mac:hex("text", {}) end)
    assert.equal(first, mac:hex("text"))
  end)

  it("gives raw bytes too", function()
    local mac = crypto.mac("secret")
    assert.equal(mac:hex("a", "b"), hex(mac:raw("ab")))
    assert.equal(20, #crypto.mac("secret", "sha1"):raw("ab"))
  end)

  it("keeps zero bytes", function()
    assert.not_equal(crypto.mac("a\0b"):hex("x"), crypto.mac("a"):hex("x"))
    assert.not_equal(crypto.mac("a"):hex("x\0y"), crypto.mac("a"):hex("x"))
  end)

  it("verifies a signature, and nothing but it", function()
    local mac = crypto.mac("secret")
    local signature = mac:hex("body")
    assert.is_true(mac:verify(signature, "body"))
    assert.is_true(mac:verify(signature, "bo", "dy"))
    assert.is_false(mac:verify(signature, "body "))
    assert.is_false(crypto.mac("secret2"):verify(signature, "body"))
    assert.is_false(mac:verify(signature:upper(), "body"))
    assert.is_false(mac:verify(signature .. "0", "body"))
    assert.is_false(mac:verify(signature .. "\0", "body"))
    assert.is_false(mac:verify(signature:sub(1, -2), "body"))
    for at = 1, #signature do
      local digit = signature:sub(at, at) == "0" and "1" or "0"
      assert.is_false(mac:verify(signature:sub(1, at - 1) .. digit .. signature:sub(at + 1), "body"))
    end
  end)

  it("answers false to anything that is no signature", function()
    local mac = crypto.mac("secret", "sha1")
    for _, garbage in ipairs { "", "potato", ("0"):rep(40), ("\0"):rep(40), 0, 12.5, {}, print, true, false } do
      assert.is_false(mac:verify(garbage, "body"))
    end
    assert.is_false(mac:verify(nil, "body"))
    assert.is_true(mac:verify(mac:hex("body"), "body"))
  end)

  it("is closed once and for all, and may be closed twice", function()
    local mac = crypto.mac("secret")
    mac:close()
    mac:close()
    for _, method in ipairs { "hex", "raw", "verify" } do
      assert.has_error(function() mac[method](mac, "x", "y") end, nil)
      local _, message = pcall(mac[method], mac, "x", "y")
      assert.matches("closed mac", message)
    end
  end)

  it("shows no secret", function()
    local mac = crypto.mac("my-secret-key")
    assert.matches("^pusher%.mac: ", tostring(mac))
    assert.not_matches("secret", tostring(mac))
    assert.is_false(getmetatable(mac))
    mac:close()
    assert.equal("pusher.mac (closed)", tostring(mac))
  end)

  it("raises on wrong types", function()
    local mac = crypto.mac("secret")
    assert.has_error(function() crypto.mac() end)
    assert.has_error(function() crypto.mac({}) end)
    assert.has_error(function() crypto.mac("secret", "md4") end)
    assert.has_error(function() mac:hex(nil) end)
    assert.has_error(function() mac:hex("x", 12) end) -- Lua versions write numbers differently
    assert.has_error(function() mac:verify("x", {}) end)
    assert.has_error(function() mac.hex("not a mac", "x") end)
    assert.has_error(function() mac.hex(io.stdout, "x") end)
    assert.has_error(function() mac.hex() end)
  end)
end)

describe("crypto digests", function()
  it("gives the known MD5", function()
    for _, kind in ipairs { "md5_hex", "body_md5" } do
      for _, v in ipairs(vectors.of(kind)) do
        assert.equal(v.expected.hex, crypto.md5_hex(v.inputs.data))
      end
    end
    assert.equal("d41d8cd98f00b204e9800998ecf8427e", crypto.md5_hex(""))
  end)

  it("gives the known SHA-256", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", crypto.sha256_hex(""))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", crypto.sha256_hex("abc"))
    assert.equal("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
      crypto.sha256_hex(("a"):rep(1000000)))
  end)

  it("raises on wrong types", function()
    assert.has_error(function() crypto.md5_hex() end)
    assert.has_error(function() crypto.sha256_hex({}) end)
  end)
end)

describe("crypto end-to-end encryption", function()
  local function master_key(inputs)
    return inputs.master_key_raw or crypto.base64_decode(inputs.master_key_base64)
  end

  it("derives the known channel keys", function()
    for _, v in ipairs(vectors.of("shared_secret")) do
      local key = crypto.channel_key(v.inputs.channel, master_key(v.inputs))
      assert.equal(crypto.KEY_BYTES, #key)
      local text = crypto.base64_encode(key)
      assert.equal(v.expected.hex or hex(key), hex(key))
      assert.equal(v.expected.base64 or text, text)
      assert.equal(v.expected.base64_no_padding or text:gsub("=", ""), (text:gsub("=", "")))
    end
  end)

  it("derives the same after other digests", function()
    local first = crypto.channel_key("private-encrypted-a", ("k"):rep(32))
    crypto.sha256_hex("between")
    crypto.mac("between")
    assert.equal(first, crypto.channel_key("private-encrypted-a", ("k"):rep(32)))
    assert.equal(hex(first), crypto.sha256_hex("private-encrypted-a" .. ("k"):rep(32)))
  end)

  it("opens what others have sealed", function()
    for _, v in ipairs(vectors.of("secretbox_open")) do
      local i = v.inputs
      assert.equal(v.expected.plaintext, crypto.open(crypto.base64_decode(i.ciphertext_base64),
        crypto.base64_decode(i.key_base64), crypto.base64_decode(i.nonce_base64)))
    end
    for _, v in ipairs(vectors.of("e2e_decrypt")) do
      local i = v.inputs
      local plaintext, message = crypto.open(crypto.base64_decode(i.ciphertext_base64),
        crypto.channel_key(i.channel, master_key(i)), crypto.base64_decode(i.nonce_base64))
      assert.equal(v.expected.plaintext, plaintext)
      assert.equal(v.expected.error, type(message) == "string" or nil)
    end
  end)

  it("seals as others do", function()
    for _, v in ipairs(vectors.of("e2e_encrypt")) do
      local i = v.inputs
      local sealed = crypto.seal(i.plaintext, crypto.channel_key(i.channel, master_key(i)), i.nonce_raw)
      assert.equal(v.expected.ciphertext_base64, crypto.base64_encode(sealed))
      assert.equal(v.expected.nonce_base64, crypto.base64_encode(i.nonce_raw))
    end
  end)

  it("opens what it has sealed, of any size", function()
    local key, nonce = crypto.random(crypto.KEY_BYTES), crypto.random(crypto.NONCE_BYTES)
    for _, size in ipairs { 0, 1, 15, 16, 17, 1007, 1008, 1009, 1024, 1040, 1041, 10240, 300000 } do
      local text = crypto.random(size)
      local sealed = crypto.seal(text, key, nonce)
      assert.equal(size + crypto.TAG_BYTES, #sealed)
      assert.is_true(text == crypto.open(sealed, key, nonce))
    end
  end)

  it("opens nothing that was touched", function()
    local key, nonce = ("k"):rep(crypto.KEY_BYTES), ("n"):rep(crypto.NONCE_BYTES)
    local sealed = crypto.seal("text", key, nonce)
    for at = 1, #sealed do
      local byte = string.char((sealed:byte(at) + 1) % 256)
      local plaintext, message = crypto.open(sealed:sub(1, at - 1) .. byte .. sealed:sub(at + 1), key, nonce)
      assert.is_nil(plaintext)
      assert.matches("does not open", message)
    end
    assert.is_nil(crypto.open(sealed:sub(1, -2), key, nonce))
    assert.is_nil(crypto.open(sealed .. "x", key, nonce))
    assert.is_nil(crypto.open(sealed, ("K"):rep(crypto.KEY_BYTES), nonce))
    assert.is_nil(crypto.open(sealed, key, ("N"):rep(crypto.NONCE_BYTES)))
  end)

  it("says what is wrong with lengths", function()
    local key, nonce = ("k"):rep(crypto.KEY_BYTES), ("n"):rep(crypto.NONCE_BYTES)
    local cases = {
      { crypto.open, ("x"):rep(crypto.TAG_BYTES - 1), key, nonce, "shorter than its tag" },
      { crypto.open, "", key, nonce, "shorter than its tag" },
      { crypto.open, ("x"):rep(20), key .. "k", nonce, "32" },
      { crypto.open, ("x"):rep(20), key, "", "24" },
      { crypto.seal, "text", key:sub(2), nonce, "32" },
      { crypto.seal, "text", key, nonce:sub(2), "24" },
    }
    for _, case in ipairs(cases) do
      local result, message = case[1](case[2], case[3], case[4])
      assert.is_nil(result)
      assert.matches(case[5], message)
    end
    assert.has_error(function() crypto.seal("text", key) end)
    assert.has_error(function() crypto.open({}, key, nonce) end)
  end)

  it("names its lengths, as integers", function()
    assert.equal("32 24 16", table.concat({ crypto.KEY_BYTES, crypto.NONCE_BYTES, crypto.TAG_BYTES }, " "))
  end)
end)

describe("crypto.random", function()
  it("gives as many bytes as asked for, others each time", function()
    for _, size in ipairs { 0, 1, 24, 1024, 1025, 100000 } do
      assert.equal(size, #crypto.random(size))
    end
    local seen = {}
    for _ = 1, 1000 do
      local bytes = crypto.random(16)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end)

  it("uses all byte values", function()
    local seen, count = {}, 0
    for byte in crypto.random(100000):gmatch(".") do
      if not seen[byte] then
        seen[byte], count = true, count + 1
      end
    end
    assert.equal(256, count)
  end)

  it("refuses sizes that cannot be meant", function()
    assert.has_error(function() crypto.random(-1) end)
    assert.has_error(function() crypto.random(1024 * 1024 + 1) end)
    assert.has_error(function() crypto.random("many") end)
  end)
end)

describe("crypto.equal", function()
  it("compares whole strings", function()
    assert.is_true(crypto.equal("", ""))
    assert.is_true(crypto.equal("same\0same", "same\0same"))
    assert.is_false(crypto.equal("same\0same", "same\0sama"))
    assert.is_false(crypto.equal("same", "same\0"))
    assert.is_false(crypto.equal("", "x"))
    assert.has_error(function() crypto.equal("x") end)
    assert.has_error(function() crypto.equal("x", {}) end)
  end)
end)

describe("crypto's clock", function()
  it("goes forward in fractions of a second", function()
    local first = crypto.now()
    local later
    repeat
      later = crypto.now()
    until later ~= first
    assert.is_true(later > first and later - first < 1)
  end)

  it("sleeps as long as told", function()
    local before = crypto.now()
    crypto.sleep(0.02)
    local slept = crypto.now() - before
    assert.is_true(slept >= 0.02 and slept < 1)
    crypto.sleep(0)
  end)

  it("raises on a time that cannot be meant", function()
    for _, seconds in ipairs { -1, 0 / 0, 1e9 } do
      assert.error_matches(function()
        crypto.sleep(seconds)
      end, "seconds expected")
    end
  end)
end)

describe("crypto.mac:authorize", function()
  local mac = crypto.mac("secret")
  local MASTER = ("m"):rep(crypto.KEY_BYTES)

  local function authorize(form, master)
    return mac:authorize(form, "<", ">", "|", master)
  end

  it("signs the socket and the private channel of a form", function()
    assert.equal(mac:wrap("<", ">", "1.23:private-a@b"), authorize("socket_id=1.23&channel_name=private-a%40b"))
    assert.equal(mac:wrap("<", ">", "1.23:private-a"), authorize("socket_id=1.23&channel_name=private-a", MASTER))
  end)

  it("adds the shared secret of an encrypted channel", function()
    local channel = "private-encrypted-a"
    assert.equal(mac:wrap("<", "|" .. crypto.shared_secret(channel, MASTER) .. ">", "1.23:" .. channel),
      authorize("socket_id=1.23&channel_name=" .. channel, MASTER))
  end)

  it("takes texts of any length around", function()
    local long = ("x"):rep(3000)
    assert.equal(mac:wrap(long, long, "1.23:private-a"), mac:authorize("socket_id=1.23&channel_name=private-a", long, long))
    local secret = crypto.shared_secret("private-encrypted-a", MASTER)
    assert.equal(mac:wrap(long, long .. secret .. long, "1.23:private-encrypted-a"),
      mac:authorize("socket_id=1.23&channel_name=private-encrypted-a", long, long, long, MASTER))
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

  it("raises on wrong types", function()
    assert.has_error(function() mac:authorize() end)
    assert.has_error(function() mac:authorize("form", "<") end)
    assert.has_error(function() mac:authorize("socket_id=1.23&channel_name=private-encrypted-a", "<", ">", nil, MASTER) end)
    assert.has_error(function() mac:authorize("socket_id=1.23&channel_name=private-encrypted-a", "<", ">", "|", {}) end)
  end)
end)
