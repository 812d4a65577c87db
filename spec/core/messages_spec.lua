-- What pusher.core says, word for word: messages are part of the API. Errors of wrong arguments name the argument.

local core = require "pusher.core"
local read_key = require "spec.helpers.key"

local KEY, NONCE = ("k"):rep(32), ("n"):rep(24)

-- PKCS#1, with a modulus of 0.
local EMPTY_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMBsCAQACAQACAQMCAQMCAQMCAQMCAQECAQECAQE=\n-----END RSA PRIVATE KEY-----\n"

describe("pusher.core's messages", function()
  it("say what a wrong value is", function()
    local sizes = "the key must have 32 bytes and the nonce 24 bytes"
    for _, case in ipairs {
      { "not valid base64 with padding", core.base64_decode, "A" },
      { "not valid base64 with padding", core.base64_decode, "A===" },
      { "not valid base64url without padding", core.base64url_decode, "A" },
      { sizes, core.open, "x", KEY .. "k", NONCE }, { sizes, core.open, "x", KEY:sub(2), NONCE },
      { sizes, core.open, "x", KEY, NONCE .. "n" }, { sizes, core.open, "x", KEY, NONCE:sub(2) },
      { "the ciphertext is shorter than its tag of 16 bytes", core.open, ("x"):rep(15), KEY, NONCE },
      { "decryption failed: wrong key or nonce, or corrupted ciphertext", core.open, ("x"):rep(16), KEY, NONCE },
    } do
      assert.same({ n = 2, [2] = case[1] }, (function(...)
        return { n = select("#", ...), ... }
      end)(case[2](case[3], case[4], case[5])))
    end
  end)

  it("say what is wrong with a key, and that memory is not short", function()
    for _, case in ipairs {
      { "not a private key in PEM format", "" }, { "not an RSA key", read_key "ec" },
      { "the RSA key must have 2048 to 16384 bits", read_key "rsa1024" },
      { "the RSA key must have 2048 to 16384 bits", EMPTY_KEY },
      { "the key is encrypted with a passphrase; a key without one is needed", read_key "pkcs8_encrypted" },
      { "the key must have at most 65536 bytes", ("x"):rep(65537) }, { "not a private key in PEM format", ("x"):rep(65536) },
    } do
      local signature, message, short_of_memory = core.rs256_sign(case[2], "x")
      assert.is_nil(signature)
      assert.equal(case[1], message)
      assert.is_false(short_of_memory)
    end
  end)

  -- As in a host whose OpenSSL allows none of them.
  it("say that there are no digests, and no signatures", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("openssl_conf = init\n[init]\nproviders = list\n[list]\nbase = base\n[base]\nactivate = 1\n")
    file:close()
    local program = assert(io.popen(([[OPENSSL_CONF=%s %s -e '
      local core = require "pusher.core"
      for _, name in ipairs { "sha256_hex", "md5_hex", "mac", "channel_key", "shared_secret", "seal_event" } do
        print(name, select(2, pcall(core[name], "", name ~= "mac" and "" or nil, "", ("n"):rep(24), "", "")))
      end
      local key = assert(io.open("spec/helpers/keys/pkcs8.pem")):read("*a")
      print("rs256_sign", select(2, core.rs256_sign(key, "x")))' 2>&1]]):format(path, os.getenv("PUSHER_LUA"))))
    local message, names = "OpenSSL cannot compute the digest (not available, or out of memory)", 0
    local unable = "OpenSSL cannot compute RS256 signatures (not available, or out of memory)\ttrue"
    for line in program:lines() do
      names = names + 1
      assert.equal(line:find("^rs256") and unable or message, line:match("\t(.*)"), line)
    end
    program:close()
    os.remove(path)
    assert.equal(7, names)
  end)

  it("name the argument that is wrong", function()
    local mac = core.mac("secret")
    for _, case in ipairs {
      { "#1 to '[^']+' %(0 to 1048576 bytes expected%)", core.random, -1 },
      { "#1 to '[^']+' %(0 to 1048576 bytes expected%)", core.random, 1048577 },
      { "#1 to '[^']+' %(0 or more seconds expected%)", core.sleep, -1e-9 },
      { "#1 to '[^']+' %(string expected", core.channel_key, {}, "" },
      { "#2 to '[^']+' %(string expected", core.channel_key, "", {} },
      { "#1 to '[^']+' %(string expected", core.shared_secret, {}, "" },
      { "#2 to '[^']+' %(string expected", core.shared_secret, "", {} },
      { "#1 to '[^']+' %(string expected", core.seal_event, {}, "", KEY, NONCE, "", "" },
      { "#2 to '[^']+' %(string expected", core.seal_event, "", {}, KEY, NONCE, "", "" },
      { "#3 to '[^']+' %(string expected", core.seal_event, "", "", {}, NONCE, "", "" },
      { "#4 to '[^']+' %(string expected", core.seal_event, "", "", KEY, {}, "", "" },
      { "#4 to '[^']+' %(24 bytes expected%)", core.seal_event, "", "", KEY, NONCE .. "n", "", "" },
      { "#4 to '[^']+' %(24 bytes expected%)", core.seal_event, "", "", KEY, NONCE:sub(2), "", "" },
      { "#5 to '[^']+' %(string expected", core.seal_event, "", "", KEY, NONCE, {}, "" },
      { "#6 to '[^']+' %(string expected", core.seal_event, "", "", KEY, NONCE, "", {} },
      { "#1 to '[^']+' %(string expected", core.open, {}, KEY, NONCE },
      { "#2 to '[^']+' %(string expected", core.open, "", {}, NONCE },
      { "#3 to '[^']+' %(string expected", core.open, "", KEY, {} },
      { "#1 to '[^']+' %(string expected", core.rs256_sign, {}, "" },
      { "#2 to '[^']+' %(string expected", core.rs256_sign, "", {} },
      { "#3 to '[^']+' %(string expected", core.rs256_verify, "", "", {} },
      { "#1 to '[^']+' %(string expected", core.subscriber, {} },
      { "#1 to '[^']+' %(string expected", core.mac, {} }, { "#2 to '[^']+' %(invalid option 'md5'%)", core.mac, "", "md5" },
      { "#2 to '[^']+' %(string expected", core.authorizer, mac, {} },
      { "#2 to '[^']+' %(string expected", core.authorizer, mac },
      { "#3 to '[^']+' %(string expected", core.authorizer, mac, "", {} },
      { "#2 to '[^']+' %(number expected", core.writer, tostring, {} },
      { "#2 to '[^']+' %(string expected", core.writer(tostring, 5), {}, {}, "" },
      { "#3 to '[^']+' %(string expected", core.writer(tostring, 5), {}, "" },
      { "pusher.mac expected", core.authorizer }, { "pusher.mac expected", core.authorizer, {}, "" },
      { "pusher.mac expected", core.authorizer, io.stdout, "" },
      { "pusher.mac expected", mac.hex, io.stdout, "" }, { "pusher.mac expected", mac.close, io.stdout },
      { "pusher.mac expected", mac.close, "" },
    } do
      assert.error_matches(function()
        case[2](case[3], case[4], case[5], case[6], case[7], case[8])
      end, case[1])
    end
    assert.equal(1048576, #core.random(1048576))
  end)
end)
