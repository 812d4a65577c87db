--- All readers of bytes that are not the program's own, as data: forms, headers, bodies, URLs, ids, options.
--
-- A reader is `{ name, read = function(text, name) }`; `frames` are texts in each of which "<>" stands for the hostile
-- part, `bytes` is how long it may be (8 KiB). With `make` the reader has input of its own: a table of functions of n,
-- which make n members instead, `members` at most (4000).

local account = require "tools.local_server.account"
local fake_ngx = require "spec.helpers.fake_ngx"
local fake_transport = require "spec.helpers.fake_transport"
local time_now = os.time

--- Makes the list, with the modules as they are loaded now.
return function()
  local core = require "pusher.core"
  local json = assert(require("pusher.base.json").new())
  local openresty = require "pusher.openresty"
  local pusher = require "pusher"

  local MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
  local UID = "CAcGBQQDAgE"

  local readers = {}

  local function add(name, frames, read, bytes)
    readers[#readers + 1] = { name = name, frames = frames, read = read, bytes = bytes or 8 * 1024 }
  end

  local function add_members(name, makers, read, members)
    readers[#readers + 1] = { name = name, make = makers, read = read, members = members or 4000 }
  end

  local function nothing()
  end

  local function yes()
    return true
  end

  local function list_of(n, piece, separator)
    return (piece .. separator):rep(n - 1) .. piece
  end

  local function new_client(status, body, headers, more)
    local given = { app_id = "3", key = "k", secret = "s", encryption_master_key_base64 = MASTER_KEY,
      transport = fake_transport.new(status, body, headers), log = nothing }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    return pusher.new(given)
  end

  local client = assert(new_client())

  -- ---- subscribers ----

  local FORMS = {
    "<>", "socket_id=<>", "socket_id=1.2&channel_name=<>", "a=b&socket_id=1.2&channel_name=private-<>",
    "socket_id=1.2&channel_name[<>]=private-a", "socket_id=1.2&channel_name[]=<>", "<>&socket_id=1.2&channel_name=private-a",
    "socket_id=1.2&channel_name=private-a&<>=<>",
  }

  local FIELDS = {
    fields = function(n) return list_of(n, "a=b", "&") end,
    names = function(n)
      local fields = {}
      for index = 1, n do
        fields[index] = "channel_name[" .. index .. "]=private-" .. index
      end
      return "socket_id=1.2&" .. table.concat(fields, "&")
    end,
    repeated = function(n) return "socket_id=1.2&" .. list_of(n, "channel_name[]=private-a", "&") end,
  }

  local name_of = require("pusher.channels.label").new("")
  add("the endpoint of a call, for observe", { "<>", "/<>", "/channels/<>", "/users/u<>", "/channels/<>/users" }, name_of)
  add("client:read_form, JSON", { "<>", "{<>", '{"<>":"<>"}', '{"a":<>}', '{"a":1<>}', '{"a"<>:1}', '{"a":"b"}<>', "<>{}", '["<>"]' },
    function(text)
      client:read_form(text, "application/json")
    end)
  add("client:read_form, multipart", { "<>", "--b<>", "--b\r\n<>", "--b\r\n<>\r\n\r\n<>\r\n--b--<>", "--b\r\n<>: <>\r\n\r\n",
    "--b\r\nContent-Disposition: form-data<>\r\n\r\n\r\n--b--", '--b\r\nContent-Disposition: form-data; name="<>"\r\n\r\n\r\n--b--<>',
    "--b\r\nContent-Disposition: form-data; <>=<>\r\n\r\n\r\n--b--", "--b\r\nContent-Transfer-Encoding: <>\r\n\r\n\r\n--b--",
  }, function(text)
    client:read_form(text, "multipart/form-data; boundary=b")
  end)
  add("client:read_form, content type", { "<>", "application/json<>", "multipart/form-data<>", "multipart/form-data;<>",
    "multipart/form-data; boundary=<>", 'multipart/form-data; boundary="<>', "multipart/form-data; boundary=b;<>; <>=<>" },
    function(text)
      client:read_form("--b", text)
    end)
  local PARTS = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
  add_members("client:read_form", {
    parts = function(n) return PARTS:rep(n) .. "--b--" end,
    headers = function(n) return "--b\r\n" .. ("A: b\r\n"):rep(n) .. "\r\n1\r\n--b--" end,
    parameters = function(n) return "--b\r\nContent-Disposition: form-data" .. ("; name=a"):rep(n) .. "\r\n\r\n1\r\n--b--" end,
    delimiters = function(n) return "--b\r\n\r\n\r\n" .. ("\r\n--"):rep(n) end,
    members = function(n) return "{" .. list_of(n, '"a":1', ",") .. "}" end,
    inner = function(n) return '{"a":[' .. list_of(n, '{"a":"b:"}', ",") .. "]}" end,
    escapes = function(n) return '{"' .. ('\\"'):rep(n) .. '":1}' end,
  }, function(text)
    client:read_form(text, "multipart/form-data; boundary=b")
    client:read_form(text, "application/json")
  end)

  for name, read in pairs { -- client:authorize_channel reads them alike
    ["openresty.decide.authorize_channel"] = function(text) openresty.decide.authorize_channel(client, yes, text) end,
    ["openresty.decide.authenticate_user"] = function(text) openresty.decide.authenticate_user(client, yes, text) end,
  } do
    add(name, FORMS, read)
    add_members(name, FIELDS, read)
  end

  local function in_nginx(request, f)
    local before = rawget(_G, "ngx")
    rawset(_G, "ngx", fake_ngx.new { request = request })
    f()
    rawset(_G, "ngx", before)
  end

  add("openresty.authorize_channel, JSONP", { "callback=<>", "callback=a.<>", "callback=a[<>", "<>" }, function(text)
    in_nginx({ method = "GET", args = text }, function()
      openresty.authorize_channel(client, yes, { jsonp = true })
    end)
  end)
  add("openresty.authorize_channel, content type", { "<>", "application/x-www-form-urlencoded<>" }, function(text)
    in_nginx({ body = "a", content_type = text }, function()
      openresty.authorize_channel(client, yes)
    end)
  end)
  add("openresty.authorize_channel, other content types", { "<>", "&<>", "{<>", "--<>" }, function(text)
    for _, content_type in ipairs { "application/json", "multipart/form-data; boundary=b" } do
      in_nginx({ body = text, content_type = content_type }, function()
        openresty.authorize_channel(client, yes)
      end)
    end
  end)
  add("openresty.reply", { '{"a":"<>"}' }, function(text)
    in_nginx({}, function()
      openresty.reply(200, text, "f")
      openresty.reply(200, "{}", text)
    end)
  end)
  add("openresty, what the application says", { "<>" }, function(text)
    in_nginx({ body = "socket_id=1.2&channel_name=private-a" }, function()
      openresty.authorize_channel(client, function() return nil, text end)
    end)
  end)

  add("client:authorize_channel, fields", { "<>", "private-<>" }, function(text)
    client:authorize_channel { socket_id = text, channel_name = "private-a" }
    client:authorize_channel { socket_id = "1.2", channel_name = text }
    client:authorize_channel { socket_id = "1.2", ["channel_name[" .. text .. "]"] = "private-a" }
    client:authorize_channel({ socket_id = "1.2", channel_name = "presence-a" }, { user_id = text, user_info = text })
  end)
  add("client:authorize_channel, member", { "<>", '{"user_id":"<>"}', '{"user_id":"1","user_info":"<>"}' }, function(text)
    client:authorize_channel({ socket_id = "1.2", channel_name = "presence-a" }, text)
    client:authenticate_user({ socket_id = "1.2" }, text)
    client:authorize_channel({ socket_id = "1.2", channel_name = "private-a" }, text)
  end)

  -- ---- webhooks ----

  local HOOKS = {
    "<>", '{"time_ms":1,"events":[{"name":"<>","channel":"<>","<>":"<>"}]}', '{"time_ms":1,"events":[<>]}',
    '{"time_ms":1,"events":[{"name":"client_event","channel":"private-encrypted-a","data":"<>"}]}',
    '{"time_ms":1,"events":[{"name":"client_event","channel":"private-encrypted-a","data":{"nonce":"<>","ciphertext":"<>"}}]}',
    '{"time_ms":1<>,"events":[]}', '{"metadata":{"event_type":"<>"},"payload":{"user_id":"<>"}}',
  }
  local hook_mac, beams_mac = core.mac("s"), core.mac("w", "sha1")
  local beams = require "pusher.beams"
  local service = assert(beams.new { instance_id = "i", secret_key = "s", webhook_secret = "w",
    transport = fake_transport.new() })

  local function read_hook(text)
    client:webhook({ ["x-pusher-key"] = "k", ["X-PUSHER-SIGNATURE"] = hook_mac:hex(text) }, text)
    service:webhook({ ["webhook-signature"] = beams_mac:hex(text) }, text)
  end

  local EVENT = '{"name":"client_event","channel":"private-encrypted-a","data":"{\\"nonce\\":\\"\\",\\"ciphertext\\":\\"\\"}"}'
  add("beams.new", { "<>" }, function(text)
    for _, name in ipairs { "instance_id", "secret_key", "base_url" } do
      local given = { instance_id = "i", secret_key = "s", transport = fake_transport.new() }
      given[name] = text
      beams.new(given)
    end
  end)
  add("Beams' webhook URL", { "<>" }, function(text)
    service:publish_to_users({ "a" }, { web = {}, webhookUrl = text })
  end)
  add("webhooks", HOOKS, read_hook)
  add_members("webhooks", {
    events = function(n) return '{"time_ms":1,"events":[' .. list_of(n, EVENT, ",") .. "]}" end,
    ids = function(n) return '{"time_ms":1,"events":[' .. list_of(n, '{"name":"e","user_id":5}', ",") .. "]}" end,
  }, read_hook)
  add("webhooks, headers", { "<>" }, function(text)
    client:webhook({ ["X-Pusher-Key"] = text, ["X-Pusher-Signature"] = text }, "{}")
    client:webhook({ ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = text }, "{}")
    client:webhook({ ["x-pusher-key"] = "k", ["x-pusher-signature"] = text }, "{}")
    client:webhook({ ["X-Pusher-Key"] = "k", ["X-Pusher-Signature"] = hook_mac:hex(text) }, text)
    service:webhook({ ["Webhook-Signature"] = text }, "{}")
  end)
  add_members("webhooks, headers", { headers = function(n)
    local headers = {}
    for index = 1, n do
      headers[("X-Pusher-%03d"):format(index % 1000) .. index] = "a"
    end
    return headers
  end }, function(headers) client:webhook(headers, "{}") end)

  -- ---- responses of servers ----

  local HEADERS = {
    "<>", "X: <>", "Date: <>", "Date: Sun, 06 Nov 1994 08:49:37<>", "Retry-After: <>", "Retry-After: 7<>7", "<>: <>",
    "Content-Encoding: <>", "Content-Encoding: identity, <>", "Retry-After:<>\r\nContent-Encoding:<>\r\nDate:<>",
  }
  local BODIES = {
    "<>", '{"error":"<>"}', '{"message":"<>"}', '{"error":"a<>b","code":"<>"}', '{"error":"a","code":<>}', "timestamp<>",
    "Given timestamp (<>", "x<>x", '"<>"', "<>{", '{"channels":{"<>":{}},"users":[{"id":"<>"}],"batch":[<>]}',
    '{"error":{"status":"<>","message":"<>","details":[{"retryDelay":"<>s","errorCode":"<>"}]}}', '{"name":"<>"}',
    '{"error":"<>","error_description":"<>"}', '{"access_token":"<>","expires_in":"<>"}', '{"publishId":"<>"}',
  }
  local MEMBERS = {
    users = function(n) return '{"users":[' .. list_of(n, '{"id":5}', ",") .. "]}" end,
    batch = function(n) return '{"batch":[' .. list_of(n, "{}", ",") .. "]}" end,
    details = function(n)
      return '{"error":{"details":[' .. list_of(n, '{"fieldViolations":[{"field":"message.toke"}]}', ",") .. "]}}"
    end,
    channels = function(n)
      local names = {}
      for index = 1, n do
        names[index] = ('"c%d":{}'):format(index)
      end
      return '{"channels":{' .. table.concat(names, ",") .. "}}"
    end,
  }

  local parsers = {
    ["FCM's response"] = require("pusher.push.fcm.response").parser(json, time_now),
    ["token's response"] = require("pusher.push.fcm.token").parser(json, time_now),
    ["client:parse_response"] = function(...) return client:parse_response(...) end,
    ["Beams' response"] = function(status, body, headers)
      service.transport.status, service.transport.body, service.transport.headers = status, body, headers
      return service:publish_to_interests({ "a" }, { fcm = {} })
    end,
  }
  for name, parse in pairs(parsers) do
    for _, status in ipairs { 200, 401 } do
      add(("%s, %d"):format(name, status), BODIES, function(text) parse(status, text, "") end)
    end
    add(name .. ", headers", name == "client:parse_response" and HEADERS or { "<>", "Retry-After: <>" },
      function(text) parse(401, "timestamp", text) end, 8000)
    add_members(name, MEMBERS, function(text)
      parse(200, text, "")
      parse(400, text, "")
    end)
    if name == "client:parse_response" then
      add(name .. ", header map", { "<>" }, function(text)
        parse(401, "timestamp", { Date = text, ["Retry-After"] = { text, text }, [text] = text })
      end)
    end
    add_members(name .. ", headers", {
      lines = function(n) return list_of(n, "X: y", "\r\n") end,
      encodings = function(n) return list_of(n, "Content-Encoding: ,a", "\r\n") end,
      ends = function(n) return ("\r\n"):rep(n) end,
    }, function(text) parse(400, "x", text) end)
  end

  add_members("client's responses", MEMBERS, function(text)
    for _, name in ipairs { "channels", "published", "batch", "users", "notified" } do
      client.parse[name](200, text, "")
    end
  end)

  -- ---- HTTP in nginx ----

  local response = require "pusher.transport.ngx.response"

  local function feed(text, size, method)
    local parser = response.new(method, 1024 * 1024)
    for position = 1, #text, size do
      if parser:feed(text:sub(position, position + size - 1)) ~= false then
        return
      end
    end
    parser:close()
  end

  local OK = "HTTP/1.1 200 OK\r\n"
  local MESSAGES = {
    "<>", "HTTP/1.1 <>", "HTTP/1.1 200 <>\r\n\r\n", OK .. "<>\r\n\r\n", OK .. "X: <>\r\n\r\n", OK .. "X: a\r\n <>\r\n\r\n",
    OK .. "Content-Length: <>\r\n\r\n", OK .. "Content-Length: 1<>1\r\n\r\n", OK .. "Transfer-Encoding: chunked<>\r\n\r\n",
    OK .. "Connection: x<>\r\n\r\n", OK .. "\r\n<>", OK .. "Transfer-Encoding: chunked\r\n\r\n<>\r\n",
    OK .. "Transfer-Encoding: chunked\r\n\r\n1;<>\r\nx\r\n0\r\n\r\n", OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n<>\r\n\r\n",
  }
  local CHUNKS = {
    chunks = function(n) return OK .. "Transfer-Encoding: chunked\r\n\r\n" .. ("1\r\nx\r\n"):rep(n) .. "0\r\n\r\n" end,
    zeros = function(n) return OK .. "Transfer-Encoding: chunked\r\n\r\n" .. ("0"):rep(n) .. "1\r\nx\r\n0\r\n\r\n" end,
    lines = function(n) return OK .. ("X: y\r\n"):rep(n) .. "\r\n" end,
    folds = function(n) return OK .. "X: y\r\n" .. (" z\r\n"):rep(n) .. "\r\n" end,
    lengths = function(n) return OK .. ("Content-Length: 0\r\n"):rep(n) .. "\r\n" end,
    interim = function(n) return ("HTTP/1.1 100 C\r\n\r\n"):rep(n) .. OK .. "\r\n" end,
    trailers = function(n) return OK .. "Transfer-Encoding: chunked\r\n\r\n0\r\n" .. ("X: y\r\n"):rep(n) .. "\r\n" end,
  }
  add("ngx response", MESSAGES, function(text) feed(text, #text, "POST") end)
  add("ngx response, in pieces", MESSAGES, function(text) feed(text, 100, "CONNECT") end, 4000)
  for name, size in pairs { whole = 1024 * 1024, ["byte by byte"] = 1 } do
    add_members("ngx response, " .. name, CHUNKS, function(text) feed(text, size, "GET") end, size > 1 and 4000 or 1000)
  end
  add("ngx response, byte by byte", { OK .. "X: <>" }, function(text) feed(text, 1, "GET") end, 600)

  local wire = require "pusher.transport.ngx.wire"
  add("ngx request", { "<>", "/<>" }, function(text)
    for _, part in ipairs { "method", "host", "target" } do
      local request = { method = "GET", host = "h", target = "/", headers = {} }
      request[part] = text
      wire.request(request, { authority = "h" }, true)
    end
    wire.request({ method = "GET", host = "h", target = "/", headers = { { text, "a" } } }, { authority = "h" }, true)
    wire.request({ method = "GET", host = "h", target = "/", headers = { { "a", text } } }, { authority = "h" }, true)
  end)

  local route = require "pusher.transport.ngx.route"
  add("ngx proxy", { "<>", "http://<>", "http://<>@h:1", "http://u:<>@h:1", "u:p@<>:1", "http://h:<>", "[<>]:1" }, route.proxy)
  add("ngx route", { "<>", "a.<>", "<>." }, function(text)
    route.plan({ scheme = "https", host = text, port = 443 }, { tls_verify = true, pool_size = 1,
      proxy = { host = text, port = 1 }, is_direct = nothing })
  end)

  -- ---- the recorder, which takes requests apart ----

  local recorder = require "pusher.transport.recorder"
  local function record(target, body)
    local transport = recorder.new()
    transport:send({ method = "POST", scheme = "https", host = "h", target = target, headers = { { "a", target } },
      body = body }, yes)
    transport:requests()
    transport:events()
  end
  add("recorder, target", { "<>", "/apps/3/channels/a?info=<>", "/apps/3/events?<>=<>", "/apps/<>", "/a/<>/messages:send" },
    record)
  add("recorder, body", {
    "<>", '{"channels":["private-encrypted-<>"],"data":"<>"}', '{"channels":["a"],"info":"<>","<>":1}',
    '{"channels":["#server-to-user-<>"],"data":"[<>"}', '{"channels":["private-encrypted-a"],"data":"{\\"nonce\\":\\"<>\\"}"}',
  }, function(text) record("/apps/3/events", text) end)

  -- ---- URLs, hosts, addresses ----

  local URLS = {
    "<>", "https://<>", "https://k:s@<>/apps/3", "https://k:<>@h/apps/3", "https://<>:s@h/apps/3", "https://k:s@h<>",
    "https://k:s@h/<>/apps/3", "https://k:s@h/apps/<>", "https://k:s@h:<>/apps/3", "https://k:s@h/apps/3/<>",
    "https://h<>", "https://h/<>", "https://h:<>/a", "https://[<>]/a",
  }
  local url = require "pusher.base.url"
  local addresses = require "pusher.base.addresses"
  local no_proxy = require "pusher.base.no_proxy"
  add("pusher.from_url", URLS, function(text) pusher.from_url(text, { transport = fake_transport.new() }) end)
  add("endpoint", URLS, function(text) require("pusher.base.endpoint").parse(text, "base_url") end)
  add("url", { "<>", "[<>]", "<>:1", "a/<>", "h:<>" }, function(text)
    url.escape(text)
    url.unescape(text)
    url.has_step(text)
    url.split_host(text)
    url.authority("http", text, 1)
    url.is_address(text)
  end)
  add("addresses", { "<>", "1.2.3.<>", "::<>", "<>:1.2.3.4" }, function(text)
    addresses.ipv4(text)
    addresses.read(text)
  end)
  add("no_proxy", { "<>", "a,<>", "10.0.0.0/<>", "<>/8", "*.<>" }, function(text)
    local covers = no_proxy.new { proxy = "http://p", no_proxy = text }
    if covers then
      covers(text, 80)
    end
    no_proxy.new { proxy = "http://p", no_proxy = "a.b,10.0.0.0/8,*.c" }(text, 80)
  end, 1000)
  for _, option in ipairs { "app_id", "key", "secret", "cluster", "host", "path_prefix", "push_notification_host",
    "encryption_master_key_base64", "proxy", "no_proxy", "ca_file", "transport" } do
    add("pusher.new, " .. option, { "<>", "/<>", "h:<>" }, function(text)
      new_client(200, "{}", "", { [option] = text })
    end)
  end
  add_members("pusher.new, path_prefix", { slashes = function(n) return ("/"):rep(n) .. "a" end },
    function(text) new_client(200, "{}", "", { path_prefix = text }) end, 8000)
  add_members("pusher.new, name of an option", { letters = function(n) return ("a"):rep(n) end },
    function(text) new_client(200, "{}", "", { [text] = 1 }) end)

  -- ---- the client's calls: what the application was given by others ----

  add("client, names and ids", { "<>", "/<>", "a/<>", "private-<>", "#server-to-user-<>", "http://<>" }, function(text)
    client:trigger(text, "e", "d")
    client:trigger("a", text, text, { socket_id = text })
    client:trigger("a", "e", "d", { info = text })
    client:trigger("private-encrypted-a", "e", text)
    client:trigger_batch { { channel = text, name = text, data = text } }
    client:send_to_user(text, text, text)
    client:terminate_user_connections(text)
    client:channel(text)
    client:channel_users(text)
    client:channels { filter_by_prefix = text, info = text }
    client:notify({ text }, { fcm = text, webhook_url = text, webhook_level = text })
    client:get(text, { [text] = text })
    client:post(text, text)
    client:build_request(text, "/", { a = text })
    service:generate_token(text)
    service:delete_user(text)
    service:publish_to_interests({ text }, { fcm = text })
    service:publish_to_users({ text }, { fcm = text })
  end, 2000)
  add("a codec's message", { "<>", "a:<>", "a:1: <>", "a:1<>" }, function(text)
    local failing = require("pusher.base.json").new { encode = function() error(text, 0) end, decode = function() error(text, 0) end }
    if failing then
      failing.encode {}
      failing.decode "{}"
    end
  end)
  add("a codec's strings", { "<>" }, function(text)
    local codec = assert(require("pusher.base.json").new { encode = json.encode, decode = json.decode })
    codec.quote(text)
    codec.encode(text)
    codec.encode { text }
    codec.decode('"' .. text .. '"')
  end)

  -- ---- pusher.core ----

  local key, nonce = ("k"):rep(core.KEY_BYTES), ("n"):rep(core.NONCE_BYTES)
  local mac = core.mac("s")
  add("pusher.core", { "<>", "socket_id=<>", "socket_id=1.2&channel_name=<>", "1.<>", "\226\130\172<>",
    "-----BEGIN PRIVATE KEY-----\n<>\n-----END PRIVATE KEY-----\n", "-----BEGIN PUBLIC KEY-----\n<>\n-----END PUBLIC KEY-----\n" },
    function(text)
      core.base64_decode(text)
      core.base64url_decode(text)
      core.base64_encode(text)
      core.utf8_valid(text)
      core.is_socket_id(text)
      core.is_channel_name(text)
      core.subscriber(text)
      local authorize = core.authorizer(mac, "f", text, function() return text end)
      authorize(text)
      authorize("socket_id=1.2&channel_name=private-encrypted-a")
      authorize("socket_id=1.2&channel_name=presence-a", { user_id = text })
      authorize("socket_id=1.2&channel_name=presence-a", { user_id = "1" })
      core.quote(text)
      core.is_final_json(text)
      core.parser(tostring, tostring)(text)
      core.writer(function() return text end, 1e9)({}, text, text)
      core.plain_slashes(text)
      core.md5_hex(text)
      core.open(text, key, nonce)
      core.seal_event(text, text, text, nonce, text, text)
      core.rs256_sign(text, text)
      core.rs256_verify(text, text, text)
      mac:verify(text, text)
    end)

  -- ---- push ----

  local drafty = require "pusher.push.tinode.drafty"
  local receipts = require "pusher.push.tinode.receipt"
  local timestamp = require "pusher.push.tinode.timestamp"
  local access_mode = require "pusher.push.tinode.access_mode"
  local uid = require "pusher.push.tinode.uid"
  local messages = require "pusher.push.fcm.message"

  local function spans(n, make)
    local document = { txt = ("ab"):rep(n), fmt = {}, ent = {} }
    for index = 1, n do
      document.fmt[index], document.ent[index] = make(index - 1, n)
    end
    return document
  end

  local TYPES = { "ST", "EM", "DL" }
  add_members("drafty", {
    beside = function(n) return spans(n, function(i) return { at = 2 * i, len = 1, tp = "ST" } end) end,
    nested = function(n) return spans(n, function(i) return { at = i, len = 2 * (n - i), tp = TYPES[i % 3 + 1] } end) end,
    same = function(n) return spans(n, function(i) return { at = 0, len = 2 * n, tp = TYPES[i % 3 + 1] } end) end,
    overlapping = function(n) return spans(n, function(i) return { at = i, len = n, tp = "ST" } end) end,
    links = function(n) return spans(n, function()
      return { at = 0, len = 100, key = 0 }, { tp = "LN", data = { url = ("ab"):rep(50) } }
    end) end,
    links_over_spans = function(n) return spans(n, function(i)
      if i < n / 2 then
        return { at = i, len = 1, tp = "XX" }
      end
      return { at = 0, len = n, key = math.ceil(n / 2) }, { tp = "LN", data = { url = ("ab"):rep(n):sub(1, n) } }
    end) end,
    links_that_differ = function(n) return spans(n, function(i)
      return { at = 0, len = 100, key = i }, { tp = "LN", data = { url = ("c"):rep(60) } }
    end) end,
    attachments = function(n) return spans(n, function(i) return { at = -1 - i, key = i }, { tp = "EX", data = { name = "n" } } end) end,
    voids = function(n) return spans(n, function(i) return { at = i, len = 2 * (n - i), tp = "BR" } end) end,
  }, drafty.to_text, drafty.MAX_SPANS)
  add("drafty", { "<>", "a<>" }, function(text)
    drafty.to_text(text)
    drafty.to_text { txt = text, fmt = { { at = 0, len = 1, tp = text } } }
    drafty.to_text { txt = "a", fmt = { { at = 0, len = 1 } }, ent = { { tp = "LN", data = { url = text } } } }
  end)

  local function receipt(content, ts, id)
    return { to = { [id or UID] = {} }, payload = { what = "msg", topic = "t", ts = ts, content = content } }
  end

  local stdout = require "pusher.push.stdout"
  local printer = assert(stdout.new { write = yes })
  assert(printer:init { enabled = true, format = "go" })
  local function print_both(content)
    printer:push(receipt(content))
    local checked = receipts.check(receipt(content), 1)
    if checked then
      receipts.encode(checked, json)
      messages.data(checked)
    end
  end
  local function nested(depth, n)
    local content = {}
    for index = 1, n do
      content[index] = index % 2 == 0 and "a" or index
    end
    for _ = 2, depth do
      content = { a = content }
    end
    return content
  end
  add_members("receipt, content", {
    flat = function(n) return nested(1, n) end,
    deep = function(n) return nested(30, n) end,
    members = function(n)
      local content = {}
      for index = 1, n do
        content["k" .. index] = index
      end
      return content
    end,
  }, print_both)
  add("receipt, texts", { "<>", "2020-03-13T06:48:18<>", "2020-03-13T06:48:18.<>Z", "2020-03-13T06:48:18.1+<>" }, function(text)
    print_both(text)
    receipts.check(receipt("c", text), 1)
    receipts.check(receipt("c", 1, text), 1)
    receipts.check({ to = { [UID] = { devices = { text } } }, payload = { what = text, mime = text, want = text } }, 1)
    receipts.decode(text, json, 1)
    timestamp.format(text)
    timestamp.go(text)
    access_mode.parse(text)
  end)
  add_members("receipt, recipients", {
    recipients = function(n)
      local given = receipt("c")
      for index = 1, n do
        given.to[uid.from_decimal(("%.0f"):format(index * 7919))] = { unread = index }
      end
      return given
    end,
    devices = function(n)
      local given = receipt("c")
      given.to[UID].devices = {}
      for index = 1, n do
        given.to[UID].devices[index] = "device" .. index
      end
      return given
    end,
  }, function(given)
    printer:push(given)
    local checked = receipts.check(given, 1)
    if checked then
      receipts.encode(checked, json)
    end
  end, 4000)
  add("access mode", { "<>", "J<>", "JRWPASD<>" }, function(text) access_mode.check(text) end)
  add("uid", { "<>", "0<>", "usr<>", "1<>1" }, function(text)
    uid.encode(text)
    uid.decode(text)
    uid.from_decimal(text)
    uid.to_decimal(text)
    uid.base32(text)
    uid.parse_user_id(text)
    uid.p2p_name(text, UID)
  end)

  local push = require "pusher.push"
  local registry = assert(push.new())
  add("push configuration", { "<>", "[<>]", '[{"name":"<>"}]', '{"a":"<>"}' }, function(text)
    registry:init(text)
    printer:init { enabled = true, format = text }
  end)

  local fcm = require "pusher.push.fcm"
  local function start_fcm(config, environment)
    local handler = assert(fcm.new { devices = nothing, log = nothing, transport = fake_transport.new(),
      getenv = function() return environment end })
    if handler:init(config) then
      handler:stop()
    end
  end
  add("FCM configuration", { "<>" }, function(text)
    start_fcm { enabled = true, android = { icon_color = text }, [text] = 1 }
    start_fcm { enabled = true, credentials = text }
    start_fcm({ enabled = true }, "{" .. text)
    start_fcm({ enabled = true, credentials = account.new { private_key = "x", project_id = "" } }, text)
    start_fcm { enabled = true, credentials = account.new { client_email = text } }
    start_fcm { enabled = true, credentials = account.new { private_key = text } }
  end, 4000)
  add("FCM message", { "<>", "1<>s", "#<>", "google.<>" }, function(text)
    messages.check { token = text, data = { [text] = text }, notification = { title = text } }
    messages.check { token = "t", android = { ttl = text, priority = text } }
    messages.check { token = "t", android = { notification = { color = text } } }
    messages.check { topic = "t", data = { a = "b", [text] = "c" } }
  end)

  return readers
end
