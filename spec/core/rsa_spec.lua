-- RS256 from PEM keys. The keys in spec/helpers/keys were made for this spec and protect nothing; the
-- passphrase of the protected ones is "sesame".

local core = require "pusher.core"
local key = require "spec.helpers.key"

describe("core.rs256", function()
  local PUBLIC = key "public"

  it("makes the known assertion", function()
    local v = require("spec.helpers.push_vectors").fcm_oauth
    local text = core.base64url_encode(v.header_json) .. "." .. core.base64url_encode(v.claims_json)
    local signature = assert(core.rs256_sign(v.private_key_pkcs8_pem, text))
    assert.equal(v.assertion, text .. "." .. core.base64url_encode(signature))
    assert.is_true(core.rs256_verify(v.public_key_pem, text, signature))
  end)

  it("takes PKCS#1 and PKCS#8, with other line ends and words around", function()
    local expected = assert(core.rs256_sign(key "pkcs8", "text"))
    assert.equal(256, #expected)
    for _, pem in ipairs {
      key "pkcs1", key("pkcs8"):gsub("\n", "\r\n"), "a comment\n" .. key "pkcs8" .. "more\n", key "public" .. key "pkcs8",
    } do
      assert.equal(expected, core.rs256_sign(pem, "text"))
    end
    assert.is_true(core.rs256_verify(PUBLIC, "text", expected))
  end)

  it("verifies nothing else", function()
    local signature = assert(core.rs256_sign(key "pkcs8", "text"))
    assert.is_false(core.rs256_verify(PUBLIC, "Text", signature))
    assert.is_false(core.rs256_verify(PUBLIC, "text", signature:sub(1, -2)))
    assert.is_false(core.rs256_verify(PUBLIC, "text", signature .. "\0"))
    assert.is_false(core.rs256_verify(PUBLIC, "text", ""))
    assert.is_false(core.rs256_verify(key "ec_public", "text", signature))
    assert.is_false(core.rs256_verify(key "pkcs8", "text", signature))
    assert.is_false(core.rs256_verify("", "text", signature))
    for at = 1, #signature, 17 do
      local byte = string.char((signature:byte(at) + 1) % 256)
      assert.is_false(core.rs256_verify(PUBLIC, "text", signature:sub(1, at - 1) .. byte .. signature:sub(at + 1)))
    end
  end)

  it("signs texts of any size", function()
    for _, size in ipairs { 0, 1, 100000 } do
      local text = core.random(size)
      assert.is_true(core.rs256_verify(PUBLIC, text, core.rs256_sign(key "pkcs8", text)))
    end
  end)

  -- The callback keeps OpenSSL from prompting on the terminal.
  it("refuses protected keys with a clear message", function()
    for _, name in ipairs { "pkcs8_encrypted", "pkcs8_encrypted_old", "pkcs1_encrypted" } do
      local signature, message = core.rs256_sign(key(name), "text")
      assert.is_nil(signature)
      assert.matches("passphrase", message)
    end
  end)

  it("refuses what cannot serve for RS256", function()
    local size = "the RSA key must have 2048 to 16384 bits"
    local cases = {
      { key "ec", "not an RSA key" },
      { key "rsa_pss", "not an RSA key" },
      { key "rsa1024", size }, { key "rsa2047", size }, { key "rsa16385", size },
      { key "public", "not a private key" },
      { "", "not a private key" },
      { "-----BEGIN PRIVATE KEY-----\n", "not a private key" },
      { key("pkcs8"):sub(1, 900), "not a private key" },
      { key("pkcs8"):gsub("MIIE", "MIIF", 1), "not a private key" },
      { ("x"):rep(65537), "^the key must have at most 65536 bytes$" },
      { key "pkcs8" .. ("x"):rep(65537 - #key "pkcs8"), "^the key must have at most 65536 bytes$" },
    }
    for _, case in ipairs(cases) do
      local signature, message = core.rs256_sign(case[1], "text")
      assert.is_nil(signature)
      assert.matches(case[2], message)
      assert.not_matches("MII", message)
    end
  end)

  -- Byte 294 is the public exponent's last, with which OpenSSL 3.0 reads the key but does not sign.
  it("blames no lack of memory for a damaged key", function()
    local der = core.base64_decode((key("pkcs8"):gsub("%-%-%-%-%-[^\n]*", ""):gsub("%s", "")))
    for position = 285, 300 do
      local bytes = core.base64_encode(der:sub(1, position - 1) .. "\0" .. der:sub(position + 1))
      local signature, message, short_of_memory = core.rs256_sign(
        "-----BEGIN PRIVATE KEY-----\n" .. bytes:gsub(("."):rep(64), "%0\n") .. "\n-----END PRIVATE KEY-----\n", "text")
      assert.is_true(signature ~= nil or short_of_memory == false, message)
    end
  end)

  it("accepts keys of up to 16384 bits, in texts of up to 64 KiB", function()
    assert.equal(2048, #assert(core.rs256_sign(key "rsa16384", "text")))
    local padded = key "pkcs8" .. ("x"):rep(65536 - #key "pkcs8")
    assert.equal(core.rs256_sign(key "pkcs8", "text"), core.rs256_sign(padded, "text"))
  end)

  it("raises on wrong types", function()
    assert.has_error(function() core.rs256_sign(nil, "text") end)
    assert.has_error(function() core.rs256_sign("pem") end)
    assert.has_error(function() core.rs256_verify("pem", "text") end)
  end)
end)
