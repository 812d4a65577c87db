local cjson = require "cjson"
local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local fails = require "spec.helpers.fails"
local vectors = require "spec.helpers.vectors"

local KEY = ("k"):rep(32)

-- The text that is sent as data.
local function sealed(sealer, channel, plaintext)
  local quoted, message, details = sealer:seal(channel, plaintext, "[", "]")
  return quoted and cjson.decode(quoted)[1], message, details
end

describe("pusher.channels.encryption", function()
  it("takes and refuses master keys as the known answers say", function()
    for _, vector in ipairs(vectors.of("master_key")) do
      local key, message, details = encryption.master_key(vector.inputs.base64, vector.inputs.raw)
      assert.equal(vector.expected.accepted, key ~= nil, vector.source)
      if key then
        assert.equal(vector.expected.bytes or key, key)
      else
        assert.equal("config", details.code)
        assert.is_nil(message:find(vector.inputs.base64 or vector.inputs.raw, 1, true))
      end
    end
  end)

  it("refuses both forms at once", function()
    local key, _, details = encryption.master_key(core.base64_encode(KEY), KEY)
    assert.is_nil(key)
    assert.equal("config", details.code)
  end)

  it("encrypts as the known answers say", function()
    for _, vector in ipairs(vectors.of("e2e_encrypt")) do
      local sealer = encryption.new(vector.inputs.master_key_raw, function()
        return vector.inputs.nonce_raw
      end)
      local envelope = cjson.decode((sealed(sealer, vector.inputs.channel, vector.inputs.plaintext)))
      assert.equal(vector.expected.nonce_base64, envelope.nonce)
      assert.equal(vector.expected.ciphertext_base64, envelope.ciphertext)
    end
  end)

  it("decrypts, or does not, as the known answers say", function()
    for _, vector in ipairs(vectors.of("e2e_decrypt")) do
      local inputs = vector.inputs
      local sealer = encryption.new(inputs.master_key_raw or core.base64_decode(inputs.master_key_base64))
      local plaintext, _, details = sealer:open(inputs.channel,
        { nonce = inputs.nonce_base64, ciphertext = inputs.ciphertext_base64 })
      if vector.expected.error then
        assert.is_nil(plaintext)
        assert.equal("encryption", details.code)
      else
        assert.equal(vector.expected.plaintext, plaintext)
      end
    end
  end)

  it("decrypts what it encrypted, under a fresh nonce each time, in the order nonce, ciphertext", function()
    local sealer = encryption.new(KEY, core.random)
    local first = sealed(sealer, "private-encrypted-a", "hello")
    assert.truthy(first:find('^{"nonce":"[%w+/]+=*","ciphertext":"[%w+/]+=*"}$'))
    assert.not_equal(first, sealed(sealer, "private-encrypted-a", "hello"))
    assert.equal("hello", sealer:open("private-encrypted-a", cjson.decode(first)))
    assert.is_nil((sealer:open("private-encrypted-b", cjson.decode(first))))
  end)

  it("has the size that the docs' formula says", function()
    local sealer = encryption.new(KEY, core.random)
    for _, bytes in ipairs { 0, 1, 2, 3, 4, 100, 7619 } do
      local text = ("x"):rep(bytes)
      assert.equal(60 + 4 * math.ceil((bytes + 16) / 3), #sealed(sealer, "private-encrypted-a", text))
      assert.equal(#sealed(sealer, "private-encrypted-a", text), (sealer:size(text)))
    end
  end)

  it("fails on hostile envelopes", function()
    local sealer = encryption.new(KEY, core.random)
    for _, envelope in ipairs { {}, { nonce = 7 }, { nonce = "AAAA", ciphertext = "AAAA" },
      { nonce = core.base64_encode(("n"):rep(24)), ciphertext = "!" },
      { nonce = core.base64_encode(("n"):rep(24)), ciphertext = "" },
      { nonce = core.base64_encode(("n"):rep(24)), ciphertext = {} } } do
      local plaintext, _, details = sealer:open("private-encrypted-a", envelope)
      assert.is_nil(plaintext)
      assert.equal("encryption", details.code)
    end
  end)

  it("ends what it has begun when it is closed meanwhile", function()
    local sealer
    sealer = encryption.new(KEY, function(size)
      sealer:close()
      return core.random(size)
    end)
    assert.is_string((sealed(sealer, "private-encrypted-a", "text")))
    assert.is_nil((sealed(sealer, "private-encrypted-a", "text")))
  end)

  it("refuses without a key, and after close", function()
    local sealer = encryption.new(KEY, core.random)
    assert.equal(KEY, sealer:key())
    sealer:close()
    assert.is_nil(sealer:key())
    for _, subject in ipairs { sealer, encryption.new(nil, core.random) } do
      for _, call in ipairs { "seal", "size", "open", "shared_secret" } do
        local value, _, details = subject[call](subject, "private-encrypted-a", "x", "", "")
        assert.is_nil(value)
        assert.equal("encryption", details.code)
      end
    end
    assert.equal("pusher.channels.encryption", tostring(sealer))
  end)

  it("says what is wrong", function()
    local config = { code = "config" }
    fails("give encryption_master_key_base64 or encryption_master_key (deprecated), not both", config,
      encryption.master_key("a", "b"))
    fails("encryption_master_key_base64 is not valid base64", config, encryption.master_key("*"))
    fails("the encryption master key has 3 bytes; it must have 32", config, encryption.master_key("YWJj"))
    local without, with = encryption.new(), encryption.new(("k"):rep(32), function(n) return ("n"):rep(n) end)
    local no_key = "an encrypted channel needs the option encryption_master_key_base64"
    fails(no_key, { code = "encryption" }, without:shared_secret("c"))
    fails(no_key, { code = "encryption" }, without:seal("c", "x", "", ""))
    fails(no_key, { code = "encryption" }, without:size("x"))
    fails(no_key, { code = "encryption" }, without:open("c", {}))
    fails("the encrypted data has no valid nonce and ciphertext", { code = "encryption" }, with:open("c", {}))
    fails("decryption failed: wrong master key or corrupted data", { code = "encryption" },
      with:open("c", { nonce = ("bm5u"):rep(8), ciphertext = ("bm5u"):rep(8) }))
  end)
end)
