--- The sum of a case's parts: what no library in Lua with this codec and these libraries can do without. The case NAME
-- is compared with parts_NAME on the same Lua, in turns. JSON is encoded or decoded once by lua-cjson; the MAC has a
-- kept key, the secretbox the channel's key. To open a box takes what sealing it takes.

local cjson = require "cjson"
local core = require "pusher.core"

local sample = require "bench.sample"

-- What is signed for a trigger is as long as this.
local TO_SIGN = "POST\n/apps/3/events\nauth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
  .. "&body_md5=ec365a775a4cd0599faeb73354201b6f"

local encode, decode = cjson.encode, cjson.decode
local random, open, base64, md5 = core.random, core.open, core.base64_encode, core.md5_hex

-- Sealing the data, and a text as long as what is sent, which has other members besides the data.
local function sealing(data)
  local box, key, nonce = sample.box(encode(data))
  return function()
    return encode(data) and random(#nonce) and base64(open(box, key, nonce))
  end, base64(box) .. ("x"):rep(120)
end

local function webhook(mac, body)
  return function()
    return mac:hex(body) and decode(body)
  end
end

local function encrypted(mac, bytes)
  local seal, body = sealing(sample.table_of(bytes))
  return function()
    return seal() and md5(body) and mac:hex(TO_SIGN)
  end
end

local function encrypted_batch(mac)
  local seal, body = sealing(sample.table_of(1024))
  body = body:rep(10)
  return function()
    for _ = 1, 10 do
      seal()
    end
    return md5(body) and mac:hex(TO_SIGN)
  end
end

-- Nine KiB must not cost more than nine times one.
local function nine_times(one)
  return function()
    for _ = 1, 8 do
      one()
    end
    return one()
  end
end

return function(bench, cases)
  local inputs = bench.inputs
  local mac = core.mac(inputs.secret)

  function cases.parts_authorize_presence()
    return mac:hex("1234.1234:presence-foobar:" .. encode(inputs.member))
  end

  cases.parts_webhook = webhook(mac, inputs.webhook_body)
  cases.parts_webhook_10 = webhook(mac, inputs.webhook_10_body)
  cases.parts_encrypted_1k = encrypted(mac, 1024)
  cases.parts_encrypted_9k = encrypted(mac, 9 * 1024)
  cases.parts_encrypted_batch = encrypted_batch(mac)
  cases.parts_table_9k = nine_times(cases.table_1k)
  cases.parts_string_9k = nine_times(cases.string_1k)
end
