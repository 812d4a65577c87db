--- End-to-end encryption of `private-encrypted-` channels.
--
-- Per-channel key: SHA-256(channel name .. master key). Event data: NaCl secretbox under a random nonce, as the text
-- {"nonce":…,"ciphertext":…}. Rule: Channels docs "End-to-end encryption"; crypto.go of pusher-http-go.

local core = require "pusher.core"
local errors = require "pusher.base.errors"

local floor = math.floor

local ENVELOPE_BYTES = #'{"nonce":"","ciphertext":""}' + floor(core.NONCE_BYTES / 3 * 4)

local encryption = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.encryption" }

function metatable.__tostring()
  return "pusher.channels.encryption"
end

--- Reads the master key from its base64 form or (deprecated) its 32 bytes.
-- @tparam[opt] string base64 standard base64 with padding
-- @tparam[opt] string bytes the deprecated raw form
-- @treturn string|nil 32 bytes
function encryption.master_key(base64, bytes)
  if base64 and bytes then
    return errors.fail("config", "give encryption_master_key_base64 or encryption_master_key (deprecated), not both")
  end
  local key = bytes or core.base64_decode(base64)
  if not key then
    return errors.fail("config", "encryption_master_key_base64 is not valid base64")
  elseif #key ~= core.KEY_BYTES then
    return errors.fail("config", ("the encryption master key has %d bytes; it must have %d"):format(
      #key, core.KEY_BYTES))
  end
  return key
end

--- Makes the sealer of one client.
-- @tparam string|nil master_key 32 bytes; without one every call is refused
-- @tparam function random function(n) returning n random bytes
function encryption.new(master_key, random)
  return setmetatable({ master_key = master_key, random = random }, metatable)
end

local function no_key()
  return errors.fail("encryption", "an encrypted channel needs the option encryption_master_key_base64")
end

--- The master key, for core.authorizer.
-- @treturn string|nil
function methods:key()
  return self.master_key
end

--- The key of one channel, as its subscribers get it.
-- @tparam string channel
-- @treturn string|nil base64 of 32 bytes
function methods:shared_secret(channel)
  local master_key = self.master_key -- read once: a finalizer may close the client
  if not master_key then
    return no_key()
  end
  return core.shared_secret(channel, master_key)
end

--- The bytes that event data has when it is encrypted, as servers count them.
-- @tparam string plaintext
-- @treturn integer|nil
function methods:size(plaintext)
  if not self.master_key then
    return no_key()
  end
  return ENVELOPE_BYTES + 4 * floor((#plaintext + core.TAG_BYTES + 2) / 3)
end

--- Encrypts event data.
-- @tparam string channel
-- @tparam string plaintext
-- @tparam string front
-- @tparam string back
-- @treturn string|nil front .. the text to send as `data`, as a JSON string .. back
function methods:seal(channel, plaintext, front, back)
  local master_key = self.master_key
  if not master_key then
    return no_key()
  end
  return core.seal_event(plaintext, channel, master_key, self.random(core.NONCE_BYTES), front, back)
end

--- Decrypts event data, such as a client event's in a webhook.
-- @tparam string channel
-- @tparam table envelope `{ nonce = base64, ciphertext = base64 }`
-- @treturn string|nil plaintext
function methods:open(channel, envelope)
  local master_key = self.master_key
  if not master_key then
    return no_key()
  end
  local nonce = type(envelope.nonce) == "string" and core.base64_decode(envelope.nonce)
  local sealed = type(envelope.ciphertext) == "string" and core.base64_decode(envelope.ciphertext)
  if not nonce or #nonce ~= core.NONCE_BYTES or not sealed then
    return errors.fail("encryption", "the encrypted data has no valid nonce and ciphertext")
  end
  local plaintext = core.open(sealed, core.channel_key(channel, master_key), nonce)
  if not plaintext then
    return errors.fail("encryption", "decryption failed: wrong master key or corrupted data")
  end
  return plaintext
end

--- Forgets the master key.
function methods:close()
  self.master_key = nil
end

return encryption
