-- Push: receipts, Drafty, ids, times, access modes, service accounts, configurations.

local access_mode = require "pusher.push.tinode.access_mode"
local configs = require "pusher.push.config"
local credentials = require "pusher.push.fcm.credentials"
local drafty = require "pusher.push.tinode.drafty"
local fcm_config = require "pusher.push.fcm.config"
local json = require "pusher.base.json"
local messages = require "pusher.push.fcm.message"
local mutate = require "spec.system.fuzz.mutate"
local oracle = require "spec.system.fuzz.oracle"
local receipts = require "pusher.push.tinode.receipt"
local stdout = require "pusher.push.stdout"
local timestamp = require "pusher.push.tinode.timestamp"
local uid = require "pusher.push.tinode.uid"

local NOW = 1700000000
local codec = assert(json.new())
local fcm = assert(fcm_config.check {
  time_to_live = 60, android = { enabled = true, title = "t", body = "$content", msg = { icon_color = "#112233" } },
})
local printers = {}
for index, format in ipairs { "json", "go" } do
  printers[index] = assert(stdout.new { write = function() return true end })
  assert(printers[index]:init { enabled = true, format = format })
end

local DRAFTY = {
  [[{"txt":"hello w\u00f6rld, all","fmt":[{"at":0,"len":5,"tp":"ST"},{"at":1,"len":2,"key":0},{"at":-1,"len":0,"key":1}],]]
    .. [["ent":[{"tp":"LN","data":{"url":"https://a.b"}},{"tp":"IM","data":{"name":"n"}}]}]],
  [[{"txt":"a b c","fmt":[{"at":0,"len":3,"tp":"EM"},{"at":2,"len":3,"tp":"DL"},{"at":1,"len":1,"tp":"BR"},{"key":0}],]]
    .. [["ent":[{"tp":"EX","data":{"name":"file"}}]}]],
  [["plain"]], "null", [[{"fmt":[{}]}]], [[{"txt":"","fmt":[{"at":0,"len":0,"tp":"LN"}]}]],
}

local function run_drafty(text)
  local document = codec.decode(text)
  local plain = oracle.result_or("invalid too_large", drafty.to_text(document))
  if plain then
    oracle.utf8(plain)
    assert(#plain <= 2 * drafty.MAX_BYTES + 16 * drafty.MAX_SPANS, "the text has " .. #plain .. " bytes")
    assert(drafty.to_text(document) == plain, "another text")
  end
end

local PLATFORMS = { "android", "ios", "web" }

local function check_messages(receipt)
  local data = oracle.result_or("invalid too_large", messages.data(receipt))
  if not data then
    return
  end
  local device = { device_id = "d", platform = mutate.pick(PLATFORMS), kind = mutate.pick { "token", "fid" } }
  local message = messages.build(data, device, 3, fcm, NOW)
  if oracle.result_or("invalid too_large", messages.check(message)) then
    codec.decode(assert(messages.encode(message, true, codec)))
  end
end

local RECEIPTS = {
  [[{"to":{"CAcGBQQDAgE":{"unread":3,"devices":["a","b"],"delivered":1},"AQAAAAAAAAA":{}},"payload":{"what":"msg","silent":true,]]
    .. [["topic":"t","ts":"2020-03-13T06:48:18.123+01:00","from":"f","seq":3,"mime":"m","content":]] .. DRAFTY[1]
    .. [[,"want":"JR","given":3}}]],
  [[{"to":{},"payload":{"what":"sub","want":"N","given":"JRWPASDO"}}]],
  [[{"to":{"CAcGBQQDAgE":null},"payload":{"what":"msg","content":[1,null,{"a":1.5}],"ts":1584082098.5}}]],
}

local function run_receipt(text)
  local receipt = oracle.result_or("invalid too_large response", receipts.decode(text, codec, NOW))
  if not receipt then
    return
  end
  local encoded, message, details = receipts.encode(receipt, codec)
  oracle.result_or("invalid", encoded, message, details)
  -- A list may begin with null, a number may have more digits than a double.
  assert(encoded or text:find("null", 1, true) or message:find("rounds integers"), "cannot be written: " .. tostring(message))
  if encoded then
    oracle.same(receipt, assert(receipts.decode(encoded, codec, NOW)), "receipt")
    assert(not encoded:find("\n", 1, true), "two lines")
  end
  for _, printer in ipairs(printers) do
    oracle.result_or("invalid too_large", printer:push(receipt))
  end
  check_messages(receipt)
end

local function run_uid(text)
  local bytes = oracle.result_or("invalid", uid.decode(text))
  local canonical = oracle.result_or("invalid", uid.canonical(text))
  assert((bytes ~= nil) == (canonical ~= nil), "decode and canonical differ")
  -- The last two bits of 66 are ignored, and zero is no user.
  local is_id = #text == 11 and not text:find("[^A-Za-z0-9_-]") and not text:find("^AAAAAAAAAA[A-D]$")
  assert((bytes ~= nil) == is_id, is_id and "an id is refused" or "what is no id is read")
  local from_decimal = oracle.result_or("invalid", uid.from_decimal(text))
  if from_decimal then
    assert(uid.to_decimal(from_decimal) == (text:match("^0*(.+)$")), "another number")
  end
  oracle.result_or("invalid", uid.parse_user_id(text))
  if not bytes then
    return
  end
  assert(uid.encode(bytes) == canonical and uid.decode(canonical) == bytes, "the canonical text")
  assert(uid.from_decimal(uid.to_decimal(text)) == canonical, "the decimal digits")
  assert(uid.parse_user_id(uid.user_id(text)) == canonical, "the user's name")
  assert(uid.base32(text):find("^[a-z2-7]+$") and #uid.base32(text) == 13, "base32")
  local name = oracle.result_or("invalid", uid.p2p_name(text, "AQAAAAAAAAA"))
  assert(name == uid.p2p_name("AQAAAAAAAAA", text), "the topic depends on the order")
end

local function run_timestamp(text)
  local formatted = oracle.result_or("invalid", timestamp.format(text))
  local go = oracle.result_or("invalid", timestamp.go(text))
  assert((formatted ~= nil) == (go ~= nil), "go and format differ")
  assert(not formatted or timestamp.format(formatted) == formatted, "formatting again changes it")
  local number = tonumber(text)
  formatted = number and oracle.result_or("invalid", timestamp.format(number))
  assert(not formatted or timestamp.format(formatted) == formatted, "formatting a number")
end

local function run_access_mode(text)
  local bits = oracle.result_or("invalid", access_mode.parse(text))
  assert(not bits or access_mode.parse(access_mode.format(bits)) == bits, "another mode")
  oracle.result_or("invalid", access_mode.check(tonumber(text) or text))
end

local pem = require("spec.helpers.key")("pkcs8")

local function no_environment()
  return nil
end

local function run_credentials(text)
  local account, message, details = credentials.load({ credentials = text }, no_environment, codec)
  if oracle.result_or("config", account, message, details) then
    assert(not (account.client_email .. account.private_key_id .. account.project_id):find('[%c"\\]'), "an unsafe account")
  else
    assert(not message:find("MII", 1, true), "the message shows the key")
  end
end

local function run_config(text)
  local entries = oracle.result_or("config", configs.entries(text, codec))
  for _, entry in ipairs(entries or {}) do
    local given = type(entry) == "table" and entry.config
    local checked = given and oracle.result_or("config", fcm_config.check(given, function() end))
    assert(not checked or (checked.buffer > 0 and checked.endpoint), "the configuration")
  end
end

local function run_json(text)
  local value = codec.decode(text)
  if value == nil then
    return
  end
  local encoded = oracle.result_or("invalid", codec.encode(value))
  if encoded then
    oracle.same(value, codec.decode(encoded))
  end
  assert(codec.decode(codec.quote(text)) == text, "a quoted text")
end

return {
  drafty = { texts = DRAFTY, run = run_drafty },
  receipt = { texts = RECEIPTS, run = run_receipt },
  uid = {
    texts = { "CAcGBQQDAgE", "AQAAAAAAAAA", "AAAAAAAAAAA", "_________-8", "18446744073709551615", "0", "72623859790382856",
      "usrCAcGBQQDAgE", "" },
    run = run_uid,
  },
  timestamp = {
    texts = { "2020-03-13T06:48:18.123Z", "2024-02-29T23:59:59.999999999+23:59", "2020-03-13T06:48:18-00:00", "1584082098.5", "1e300",
      "253402300799", "" },
    run = run_timestamp,
  },
  access_mode = { texts = { "JRWPASDO", "N", "jrw", "255", "" }, run = run_access_mode },
  credentials = {
    texts = {
      '{"type":"service_account","project_id":"p","client_email":"a@b.c","private_key_id":"1f","token_uri":"https://a.b/c",'
        .. '"private_key":' .. codec.quote(pem) .. "}",
      '{"type":"service_account","project_id":"p","client_email":"a@b.c","private_key_id":"1f","private_key":"MII"}',
      '{"type":"authorized_user"}', "[]",
    },
    run = run_credentials,
  },
  config = {
    texts = {
      '[{"name":"fcm","config":{"enabled":true,"buffer":5,"time_to_live":3600,"android":{"enabled":true,"icon_color":"#112233",'
        .. '"msg":{"title":"x"}},"retry":{"attempts":3,"base":null},"fcm_url":"http://127.0.0.1:1/x","max_in_flight":3}}]',
      '[{"name":"stdout","config":null},null]', "{}", "null",
    },
    run = run_config,
  },
  json = {
    texts = { RECEIPTS[1], '[1,2.5,-0,1e300,9007199254740992,null,true,"\\u00e9\\ud83d\\ude00",[],{}]', '{"1":1}' },
    run = run_json,
  },
}
