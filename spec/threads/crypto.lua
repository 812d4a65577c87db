-- One of many threads that use pusher.crypto at once, each in its own Lua state: every answer is checked.
-- Arguments: the thread's number, the number of threads, calls of each kind.

local number, _, calls = ...
local crypto = require "pusher.crypto"

calls = tonumber(calls) or 20000
local text = "1234.1234:private-room-" .. number
local mac = crypto.mac("7ad3773142a6692b25b8")
local key = crypto.channel_key("private-encrypted-" .. number, ("k"):rep(crypto.KEY_BYTES))
local digits, md5, sealed_size = mac:hex(text), crypto.md5_hex(text), #text + crypto.TAG_BYTES

for i = 1, calls do
  assert(mac:hex("1234.1234", ":private-room-" .. number) == digits)
  assert(mac:verify(digits, text))
  assert(crypto.md5_hex(text) == md5)
  local nonce = crypto.random(crypto.NONCE_BYTES)
  local sealed = crypto.seal(text, key, nonce)
  assert(#sealed == sealed_size and crypto.open(sealed, key, nonce) == text)
  assert(not crypto.open(sealed, key, ("n"):rep(crypto.NONCE_BYTES)))
  if i % 100 == 0 then -- what fetches algorithms and fills OpenSSL's error queue
    assert(crypto.mac(text, "sha1"):hex(text):len() == 40)
    assert(not crypto.rs256_sign("-----BEGIN PRIVATE KEY-----\n", text))
  end
  if i % 500 == 0 then
    local pem = io.open("spec/support/keys/pkcs8.pem"):read("*a")
    local public = io.open("spec/support/keys/public.pem"):read("*a")
    assert(crypto.rs256_verify(public, text, assert(crypto.rs256_sign(pem, text))))
  end
end
