-- One of many threads that use pusher.core at once, each in its own Lua state: every result is checked.
-- Arguments: the thread's number, the number of threads, calls of each kind.

local number, _, calls = ...
local core = require "pusher.core"
local sealed = require "spec.helpers.sealed"

calls = tonumber(calls) or 20000
local text = "1234.1234:private-chat-" .. number
local mac = core.mac("7ad3773142a6692b25b8")
local channel, master_key = "private-encrypted-" .. number, ("k"):rep(core.KEY_BYTES)
local digits, md5, sealed_size = mac:hex(text), core.md5_hex(text), #text + core.TAG_BYTES

for i = 1, calls do
  assert(mac:hex("1234.1234", ":private-chat-" .. number) == digits)
  assert(mac:verify(digits, text))
  assert(core.md5_hex(text) == md5)
  local nonce = core.random(core.NONCE_BYTES)
  local box, key = sealed(text, channel, master_key, nonce)
  assert(#box == sealed_size and core.open(box, key, nonce) == text)
  assert(not core.open(box, key, ("n"):rep(core.NONCE_BYTES)))
  if i % 100 == 0 then -- fetches algorithms and fills OpenSSL's error queue
    assert(core.mac(text, "sha1"):hex(text):len() == 40)
    assert(not core.rs256_sign("-----BEGIN PRIVATE KEY-----\n", text))
  end
  if i % 500 == 0 then
    local pem = io.open("spec/helpers/keys/pkcs8.pem"):read("*a")
    local public = io.open("spec/helpers/keys/public.pem"):read("*a")
    assert(core.rs256_verify(public, text, assert(core.rs256_sign(pem, text))))
  end
end
