-- Untrusted input to pusher.core: random bytes, and valid texts with random damage. It returns false, or nil and a
-- message, and never raises. The seed is fixed, so that a failure can be reproduced.

local core = require "pusher.core"
local read_key = require "spec.helpers.key"
local sealed = require "spec.helpers.sealed"

local ROUNDS = tonumber(os.getenv("PUSHER_GARBAGE_ROUNDS")) or 500

-- Park and Miller's generator: the same numbers on every Lua, which math.random does not promise.
local state = 20240229
local function random(n)
  state = state * 16807 % 2147483647
  return state % n + 1
end

-- Cut out of one long piece, since making each byte anew takes longer than the tests.
local bytes = {}
for i = 1, 4096 do
  bytes[i] = string.char(random(256) - 1)
end
local POOL = table.concat(bytes)

local function garbage(max)
  local at = random(#POOL - max)
  return POOL:sub(at, at + random(max) - 2)
end

-- Changes, drops, doubles or inserts a few bytes.
local function damage(text)
  for _ = 1, random(3) do
    local at, kind = random(#text + 1), random(4)
    local head, tail = text:sub(1, at - 1), text:sub(at + 1)
    if kind == 1 then
      text = head .. garbage(4) .. tail
    elseif kind == 2 then
      text = head
    elseif kind == 3 then
      text = text .. text:sub(at)
    else
      text = head .. string.char(random(256) - 1) .. text:sub(at)
    end
  end
  return text
end

-- nil and a message, or a string that `check` agrees with.
local function assert_result(result, message, check)
  if result == nil then
    assert(type(message) == "string") -- not busted's assert, which is slow in a loop
  else
    assert(type(result) == "string" and check(result))
  end
end

describe("garbage", function()
  it("into base64 decoders is refused, or is what the encoder would give", function()
    local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_==="
    for _ = 1, ROUNDS do
      local text = {}
      for i = 1, random(12) - 1 do
        local at = random(#digits)
        text[i] = digits:sub(at, at)
      end
      for _, input in ipairs { table.concat(text), garbage(40), damage(core.base64_encode(garbage(30))) } do
        local result, message = core.base64_decode(input)
        assert_result(result, message, function(b) return core.base64_encode(b) == input end)
        result, message = core.base64url_decode(input)
        assert_result(result, message, function(b) return core.base64url_encode(b) == input end)
      end
    end
  end)

  it("into verify is false", function()
    local mac = core.mac("secret")
    local body = "a body"
    local signature = mac:hex(body)
    for _ = 1, ROUNDS do
      assert.is_false(mac:verify(garbage(80), body))
      local given = damage(signature)
      assert.equal(given == signature, mac:verify(given, body))
    end
  end)

  it("into open gives nothing", function()
    local nonce = core.random(core.NONCE_BYTES)
    local box, key = sealed("a text to be read by nobody else", "private-encrypted-a", core.random(core.KEY_BYTES), nonce)
    for _ = 1, ROUNDS do
      local given = damage(box)
      local plaintext, message = core.open(given, key, nonce)
      assert_result(plaintext, message, function() return given == box end)
      for _, result in ipairs {
        { core.open(garbage(100), key, nonce) },
        { core.open(box, garbage(40), nonce) },
        { core.open(box, key, garbage(40)) },
      } do
        assert.is_nil(result[1])
        assert.equal("string", type(result[2]))
      end
    end
  end)

  it("into rs256 gives nothing", function()
    local private, public, protected = read_key "pkcs8", read_key "public", read_key "pkcs8_encrypted"
    local good = assert(core.rs256_sign(private, "text"))
    for _ = 1, ROUNDS / 20 do
      -- Damage can fall on what does not count (the line ends): then the signature must be good.
      local signature, message = core.rs256_sign(damage(private), "text")
      assert_result(signature, message, function(s) return #s == 256 end)
      for _, pem in ipairs { garbage(200), damage(protected), "-----BEGIN PRIVATE KEY-----\n" .. garbage(200) } do
        signature, message = core.rs256_sign(pem, "text")
        assert.is_nil(signature)
        assert.equal("string", type(message))
      end
      assert.is_false(core.rs256_verify(public, "text", garbage(300)))
      assert.equal("boolean", type(core.rs256_verify(damage(public), "text", good)))
    end
  end)

  it("into utf8_valid gives a boolean", function()
    for _ = 1, ROUNDS do
      assert.equal("boolean", type(core.utf8_valid(garbage(60))))
      assert.equal("boolean", type(core.utf8_valid(damage("größer 日本語 😀"))))
    end
  end)
end)
