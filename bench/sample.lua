--- Samples of a given size: event data and webhooks.

local cjson = require "cjson"
local core = require "pusher.core"

local sample = {}

--- A list of members as a chat or a game sends them, whose JSON text has about `bytes` bytes and no less.
function sample.table_of(bytes)
  local data = { list = {} }
  while #cjson.encode(data) < bytes do
    local i = #data.list + 1
    data.list[i] = { id = i, name = "Mr. Channels", x = i * 1.5, away = i % 2 == 0, text = "hello world" }
  end
  return data
end

--- A string of `bytes` bytes as a program would send it: JSON.
function sample.string_of(bytes)
  return '{"text":"' .. ("x"):rep(bytes - 11) .. '"}'
end

--- The ciphertext of an event, the key of its channel, and the nonce: what core.open takes.
function sample.box(text)
  local channel, master_key = "private-encrypted-foobar", core.random(core.KEY_BYTES)
  local nonce = core.random(core.NONCE_BYTES)
  local envelope = cjson.decode(core.seal_event(text, channel, master_key, nonce, "[", "]"))[1]
  return core.base64_decode(cjson.decode(envelope).ciphertext), core.channel_key(channel, master_key), nonce
end

--- A signed webhook of `count` client events.
function sample.webhook(inputs, count)
  local event = '{"name":"client_event","channel":"private-foobar","event":"client-message",'
    .. '"data":"{\\"text\\":\\"hello world\\",\\"seq\\":\\"12\\"}","socket_id":"1234.1234"}'
  local body = '{"time_ms":1697713200000,"events":[' .. (event .. ","):rep(count):sub(1, -2) .. "]}"
  local mac = core.mac(inputs.secret)
  local signature = mac:hex(body)
  mac:close()
  return { body = body, headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = signature } }
end

return sample
