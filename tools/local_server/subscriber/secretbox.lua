--- Decrypts events of encrypted channels, as a subscriber does: with libsodium itself, not with the library under test.

local ffi = require "ffi"
local basexx = require "basexx"
local cjson = require "cjson"

ffi.cdef [[
  int sodium_init(void);
  int crypto_secretbox_open_easy(unsigned char *message, const unsigned char *box,
    unsigned long long length, const unsigned char *nonce, const unsigned char *key);
]]

local TAG_BYTES, NONCE_BYTES, KEY_BYTES = 16, 24, 32

local function load_sodium()
  for _, name in ipairs { "sodium", "libsodium.so.23", "libsodium.so.26" } do
    local ok, library = pcall(ffi.load, name)
    if ok then
      assert(library.sodium_init() >= 0, "libsodium cannot start")
      return library
    end
  end
  error("libsodium is not installed")
end

local secretbox = {}

--- Opens the data of an event.
-- @tparam string data `{"nonce":"…","ciphertext":"…"}`
-- @tparam string shared_secret base64 of the channel's key
-- @treturn string|nil the plaintext; nil when it cannot be decrypted
function secretbox.open(data, shared_secret)
  local ok, sealed = pcall(cjson.decode, data)
  if not ok or type(sealed) ~= "table" then
    return nil
  end
  local nonce = basexx.from_base64(tostring(sealed.nonce))
  local box = basexx.from_base64(tostring(sealed.ciphertext))
  local key = basexx.from_base64(shared_secret)
  if not nonce or not box or not key or #nonce ~= NONCE_BYTES or #key ~= KEY_BYTES or #box < TAG_BYTES then
    return nil
  end
  local message = ffi.new("unsigned char[?]", #box)
  if load_sodium().crypto_secretbox_open_easy(message, box, #box, nonce, key) == 0 then
    return ffi.string(message, #box - TAG_BYTES)
  end
end

return secretbox
