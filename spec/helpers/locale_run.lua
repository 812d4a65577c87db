-- Prints what the library writes and reads: locale_run.lua BEFORE AFTER. The locale is BEFORE while the modules are loaded
-- and the objects are made, AFTER while they are used. The lines must be the same in every locale.

local before, after = arg[1], arg[2]
assert(os.setlocale(before), before)

local access_mode = require "pusher.push.tinode.access_mode"
local arguments = require "pusher.base.arguments"
local beams = require "pusher.beams"
local core = require "pusher.core"
local endpoint = require "pusher.base.endpoint"
local form = require "pusher.channels.form"
local http = require "pusher.base.http"
local json = require "pusher.base.json"
local messages = require "pusher.push.fcm.message"
local ngx_response = require "pusher.transport.ngx.response"
local no_proxy = require "pusher.base.no_proxy"
local pusher = require "pusher"
local receipts = require "pusher.push.tinode.receipt"
local request = require "pusher.channels.request"
local stdout = require "pusher.push.stdout"
local uid = require "pusher.push.tinode.uid"
local timestamp = require "pusher.push.tinode.timestamp"
local validate = require "pusher.channels.validate"

local function show(value)
  if type(value) == "table" then
    local parts = {}
    for key, member in pairs(value) do
      parts[#parts + 1] = show(key) .. "=" .. show(member)
    end
    table.sort(parts)
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "number" then
    return ("%.0f"):format(value * 1000)
  end
  return type(value) == "function" and "function" or (tostring(value):gsub("[^ -~]", function(char)
    return ("\\x%02x"):format(char:byte())
  end))
end

local function line(name, ...)
  local parts = {}
  for index = 1, select("#", ...) do
    parts[index] = show((select(index, ...)))
  end
  io.write(name, ": ", table.concat(parts, " | "), "\n")
end

-- Letters in Latin alphabets of 8 bits, and control characters or spaces in some; "I" and "i" are no pair in Turkish.
local LATIN = "\228\253\133\160"
local codec = assert(json.new())
local client = assert(pusher.new { app_id = "3", key = "key", secret = "secret", host = "h", secure = false })
local build = request.builder {
  key = "key", mac = core.mac("secret"), clock = function() return 1353088179.5 end, timeout = 5,
  api = { path = "", scheme = "http", host = "h", port = 80 },
}

assert(os.setlocale(after), after)

line("encode", codec.encode { 1.5, 2.5, { a = 0.25 }, 1e300, -1e-7 })
line("quote", codec.quote("I/i" .. "ä"))
line("decode", codec.decode('{"a":[1,5],"b":1.5,"c":-2.5e-3,"d":12345678901234567}'))
line("not JSON", codec.decode("[1.5,"), codec.decode("1,5"))
line("new codec", json.new().encode(0.5), json.new().decode("[0.5]"))
line("get", build("GET", "/channels", { weight = 1.5, INFO = "I", author = 1, auth = 2, ["a-b"] = 3, a_b = 4, B = 5 }))
local made = client:build_request("POST", "/events", nil, { x = 1.5 })
line("body", made.body)
line("authorize", client:authenticate_user("socket_id=1.2", '{"id":"I","user_info":{"score":1.5}}'))
local hook = '{"time_ms":1400000000123,"events":[{"name":"subscription_count","channel":"a","subscription_count":120,"x":1.5}]}'
line("webhook", client:webhook({ ["X-PUSHER-KEY"] = "key", ["X-PUSHER-SIGNATURE"] = core.mac("secret"):hex(hook):upper() },
  hook))
line("form", form.subscription("socket_id=1.2&channel_name%5B0%5D=private-a"))
line("forms", form.subscription("socket_id=1.2&channel_name[]=private-b&channel_name[]=private-B&channel_name[]=private-a").channels)
line("p2p", uid.p2p_name(uid.encode("aaaaaaaB"), uid.encode("aaaaaaab")), uid.p2p_name(uid.encode("aaaaaaa\228"), uid.encode("aaaaaaa~")))
line("header", http.header("CONTENT-LENGTH: 1\r\nRETRY-AFTER: 7\r\n", "retry-after"), http.retry_after("RETRY-AFTER: 7\r\n", 0))
line("date", http.date("Fri, 13 Nov 2026 06:48:18 GMT"))
line("one line", http.one_line("a" .. LATIN .. "\nb"))
line("endpoint", endpoint.parse("HTTP://h/x", "url"), endpoint.parse("http://h" .. LATIN, "url"))
line("no_proxy", no_proxy.new("EXAMPLE.INFO"), arguments.show(LATIN))
for _, bad in ipairs { "a" .. LATIN, "I" .. LATIN } do
  line("app_id", pusher.new { app_id = bad, key = "k", secret = "s" })
  line("cluster", pusher.new { app_id = "1", key = "k", secret = "s", cluster = bad })
  line("host", pusher.new { app_id = "1", key = "k", secret = "s", host = bad })
  line("path_prefix", pusher.new { app_id = "1", key = "k", secret = "s", path_prefix = "/" .. bad })
  line("instance", beams.new { instance_id = bad, secret_key = "s" })
  line("secret", pusher.new { app_id = "1", key = "k", secret = bad } ~= nil)
  line("channel", validate.channel(bad))
  line("event", validate.event(bad))
end
line("event in UTF-8", validate.event("ä\194\133\194\160"))
line("seconds", messages.seconds("1.5s"), messages.seconds("3s"), messages.seconds("1,5s"), messages.seconds("1.2.3s"))
line("mode", access_mode.parse("jrwpasdo"), access_mode.parse(LATIN))
line("timestamp", timestamp.format(1.25), timestamp.go("1970-01-01T00:00:01.25Z"))
line("go", stdout.go(assert(receipts.check({ to = { CAcGBQQDAgE = {}, BQAAAAAAAAA = {} }, payload = { what = "msg",
  ts = "1970-01-01T00:00:00Z", seq = 1, content = { a = 1.5, A = 2, _ = 3, ["-"] = 4, b = 1e-7 } } }, 0))))
local reader = ngx_response.new("GET", 1000)
line("HTTP", reader:feed("HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: CHUNKED\r\nCONNECTION: CLOSE\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n"),
  reader.body, reader.keep, reader.status)
reader = ngx_response.new("GET", 1000)
line("bad HTTP", reader:feed("HTTP/1.1 200 OK\r\nA" .. LATIN .. ": x\r\n\r\n"))
