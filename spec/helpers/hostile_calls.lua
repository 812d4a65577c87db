--- All public calls, as data: what each takes, and valid arguments to start from.
--
-- A call is `{ name, types, open }`. `types` has one entry per argument: type names with " or " between, or "any" where
-- no type is wrong. `open()` returns the function, and a list of fresh, valid arguments, the object first. More fields:
--   skip     how many arguments are the object: 1 for methods
--   loose    set of the paths ("1.transport") of arguments that are objects: their metatables count
--   raises   whether values of a right type may raise, too: what is no client, no handler, no checked receipt
--   plain    whether the call fails by a status, and not by nil, message, details
--   result   of the call with the valid arguments
--   fails    its message, where it cannot succeed here; `code`: the code of its failure
--   ends     the object's method that ends what the call has started

local account = require "tools.local_server.account"
local beams = require "pusher.beams"
local core = require "pusher.core"
local fake_ngx = require "spec.helpers.fake_ngx"
local fake_transport = require "spec.helpers.fake_transport"
local fcm = require "pusher.push.fcm"
local openresty = require "pusher.openresty"
local pending = require "pusher.pending"
local push = require "pusher.push"
local pusher = require "pusher"
local stdout = require "pusher.push.stdout"

local calls = {}

--- What no message may show.
calls.SECRETS = { "5ecret-of-app", "5ecret-of-beams", "5ecret-of-hooks", "5ecret-of-token", "BEGIN PRIVATE KEY" }

local MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
local UID, OTHER_UID = "CAcGBQQDAgE", "AQAAAAAAAAA"

local function nothing()
end

local function yes()
  return true
end

local function client()
  return assert(pusher.new { app_id = "3", key = "k", secret = calls.SECRETS[1],
    transport = fake_transport.new(200, '{"channels":{},"users":[]}'),
    encryption_master_key_base64 = MASTER_KEY, log = nothing })
end

local function publisher()
  return assert(client():publisher { sleep = nothing })
end

local function service()
  return assert(beams.new { instance_id = "i", secret_key = calls.SECRETS[2], webhook_secret = calls.SECRETS[3],
    transport = fake_transport.new(200, '{"publishId":"p"}') })
end

local function registry()
  local made = assert(push.new())
  made:register("h", { push = yes, is_ready = yes, step = function() return 0 end, stop = nothing })
  assert(made:init { { name = "h", config = {} } })
  return made
end

local function fcm_handler()
  local made = assert(fcm.new { devices = function() return {} end, transport = fake_transport.new(),
    getenv = nothing, log = nothing, sleep = nothing })
  assert(made:init { enabled = true, credentials = account.new() })
  return made
end

local function in_flight()
  return pending.new({ drive = nothing, abandon = nothing, log = nothing }, 1, nothing, 5)
end

local function receipt()
  return {
    to = { [UID] = { delivered = 1, devices = { "d" }, unread = 3 } },
    payload = { what = "msg", silent = true, topic = "t", ts = 1, from = "f", seq = 1, mime = "m", content = "c",
      want = "JR", given = 3 },
  }
end

local function drafty_document()
  return { txt = "abc", fmt = { { at = 0, len = 1, key = 0, tp = "" } }, ent = { { tp = "LN", data = { url = "u" } } } }
end

local function hook()
  local body = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a"}]}'
  return body, { ["X-Pusher-Key"] = "old", ["X-Pusher-Signature"] = core.mac(calls.SECRETS[4]):hex(body) }
end

local function hook_options()
  return { extra_tokens = { { key = "old", secret = calls.SECRETS[4] } }, max_age = 2 ^ 31 - 1 }
end

local function add(name, types, open, more)
  local call = {}
  for field, value in pairs(more or {}) do
    call[field] = value
  end
  call.name, call.types, call.open = name, types, open
  calls[#calls + 1] = call
end

-- Methods of an object: name, types and valid arguments of each.
local function methods(prefix, make, list)
  for _, entry in ipairs(list) do
    local name, types, arguments, more = entry[1], entry[2], entry[3], entry[4] or {}
    more.skip = 1 -- each entry's own table
    add(prefix .. ":" .. name, types, function()
      local object = make()
      local given = arguments(object)
      table.insert(given, 1, object)
      return object[name], given
    end, more)
  end
end

-- Functions of a module that need no set-up.
local function functions(prefix, module, list)
  for _, entry in ipairs(list) do
    local name, types, arguments = entry[1], entry[2], entry[3]
    add(prefix .. "." .. name, types, function()
      return module[name], arguments()
    end, entry[4])
  end
end

local CLIENT_OPTIONS = { ["1.transport"] = true, ["1.json"] = true }

local function client_options()
  return {
    app_id = "3", key = "k", secret = calls.SECRETS[1], cluster = "eu", host = "h:80", port = 80, path_prefix = "/x",
    sign_path_prefix = true, secure = true, timeout = 5, connect_timeout = 5, keepalive = { idle = 1, pool_size = 1 },
    proxy = "http://p:80", no_proxy = "a,b", ca_file = "f", tls_verify = true, max_response_bytes = 1, max_pending = 1,
    encryption_master_key_base64 = MASTER_KEY, max_payload_kb = 10, max_batch = 10, push_notification_host = "h",
    transport = fake_transport.new(), json = { encode = yes, decode = yes }, log = nothing, clock = os.time,
    random = core.random, retry = { attempts = 2, base = 1, max = 1 }, idempotency = true, observe = nothing,
  }
end

functions("pusher", pusher, {
  { "new", { "table" }, function() return { client_options() } end, { loose = CLIENT_OPTIONS } },
  { "from_url", { "string", "table or nil" }, function()
    return { "http://k:" .. calls.SECRETS[1] .. "@h/apps/3", { transport = fake_transport.new(), timeout = 5 } }
  end, { loose = { ["2.transport"] = true } } },
  { "from_env", { "string or nil", "table or nil" }, function() return { "NOT_SET", { timeout = 5 } } end,
    { fails = 'the environment variable "NOT_SET" is not set' } },
})

methods("client", client, {
  { "trigger", { "string or table", "string", "any", "table or nil" }, function()
    return { { "a", "b" }, "e", { 1 }, { socket_id = "1.2", info = { "user_count" }, idempotency_key = "k",
      extra = { tags = { a = "b" } } } }
  end },
  { "trigger_batch", { "table" }, function()
    return { { { channel = "a", name = "n", data = "d", socket_id = "1.2", info = "user_count", idempotency_key = true,
      extra = { delta = true } } } }
  end },
  { "send_to_user", { "string", "string", "any", "table or nil" }, function()
    return { "u", "e", "d", { idempotency_key = "k", extra = { delta = true } } }
  end },
  { "terminate_user_connections", { "string" }, function() return { "u" } end },
  { "force_reconnect_user", { "string" }, function() return { "u" } end },
  { "channels", { "table or nil" }, function() return { { filter_by_prefix = "a", info = { "user_count" } } } end },
  { "channel", { "string", "table or nil" }, function() return { "a", { info = { "user_count" } } } end },
  { "channel_users", { "string" }, function() return { "presence-a" } end },
  { "notify", { "table", "table" }, function()
    return { { "a" }, { fcm = {}, apns = {}, gcm = {}, webhook_url = "http://h", webhook_level = "INFO" } }
  end },
  { "get", { "string", "table or nil" }, function() return { "/x", { a = { 1, "b" }, b = true } } end },
  { "post", { "string", "any" }, function() return { "/x", { a = 1 } } end },
  { "build_request", { "string", "string", "table or nil", "any" }, function() return { "GET", "/x", { a = 1 }, "b" } end },
  { "parse_response", { "number", "string", "string or table or function or nil" }, function()
    return { 200, "{}", { Date = "x", ["retry-after"] = { "1", "2" } } }
  end },
  { "read_form", { "string", "string or nil" }, function() return { "{}", "application/json" } end },
  { "authorize_channel", { "string or table", "table or string or nil" }, function()
    return { { socket_id = "1.2", channel_name = "presence-a" }, { user_id = "u", user_info = { a = 1 } } }
  end },
  { "authorize_channel", { "string or table" }, function()
    return { { socket_id = "1.2", ["channel_name[]"] = { "private-a" }, ["channel_name[1]"] = "private-b" } }
  end, { fails = "channel_name must be one channel, not a list" } },
  { "authenticate_user", { "string or table", "table or string" }, function()
    return { { socket_id = "1.2" }, { id = "u", user_info = { a = 1 }, watchlist = { "w" } } }
  end },
  { "webhook", { "table or function", "string", "table or nil" }, function()
    local body, headers = hook()
    return { headers, body, hook_options() }
  end },
  { "publisher", { "table or nil" }, function()
    return { { max_queue = 5, overflow = "reject", linger = 0, max_in_flight = 1, on_result = nothing, now = core.now,
      sleep = nothing, idempotency = true, retry = { attempts = 1, base = 1, max = 1 } } }
  end },
})

methods("publisher", publisher, {
  { "trigger", { "string", "string", "any", "table or nil" }, function(object)
    assert(object:trigger("a", "e", "old", { replace = "k" }))
    return { "a", "e", { 1 }, { socket_id = "1.2", info = { "user_count" }, replace = "k", tag = 1, idempotency_key = "k",
      extra = { delta = true } } }
  end, { loose = { ["4.tag"] = true } } },
  { "step", { "number or nil" }, function() return { 0 } end },
  { "flush", { "number or nil" }, function(object)
    assert(object:trigger("a", "e"))
    return { 1 }
  end },
  { "close", { "number or nil" }, function() return { 1 } end },
})

methods("pending", in_flight, {
  { "wait", { "number or nil" }, function() return { 0 } end, { fails = "the call is still in flight" } },
  { "on_done", { "function" }, function() return { nothing } end },
})

local function transport_options()
  return { { timeout = 5, connect_timeout = 5, keepalive = { idle = 1, pool_size = 1 }, proxy = "http://p:80",
    no_proxy = "a,b", ca_file = "f", tls_verify = true, max_response_bytes = 1, max_pending = 1, log = nothing } }
end

for _, name in ipairs { "curl", "async", "ngx" } do
  functions("transport." .. name, require("pusher.transport." .. name), {
    { "new", { "table or nil" }, transport_options,
      { fails = name == "ngx" and 'transport "ngx" works inside nginx only' or nil } },
  })
end

-- A proxy that refuses connections, so that no name is looked up.
local PROXY = { proxy = "http://127.0.0.1:1", connect_timeout = 1 }

local function request()
  return { { method = "POST", scheme = "http", host = "127.0.0.1", port = 1, target = "/", headers = { { "A", "b" } },
    body = "c", timeout = 1, once = true }, nothing }
end

methods("transport.curl", function() return assert(require("pusher.transport.curl").new(PROXY)) end, {
  { "send", { "table", "function" }, request, { ends = "close", code = "network" } },
})

methods("transport.async", function() return assert(require("pusher.transport.async").new(PROXY)) end, {
  { "send", { "table", "function" }, request, { ends = "close" } },
})

methods("transport.ngx", function()
  local sockets = {}
  for index = 1, 20 do -- as often as it connects to a name
    sockets[index] = { receive = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" } }
  end
  rawset(_G, "ngx", fake_ngx.new { sockets = sockets })
  return assert(require("pusher.transport.ngx").new())
end, {
  { "send", { "table", "function" }, function()
    local arguments = request()
    arguments[2] = yes
    return arguments
  end, {} },
})

local recorder = require "pusher.transport.recorder"

local function recorder_with_pendings()
  return recorder.new { pendings = true, log = nothing }
end

-- In a test a wrong value is the programmer's mistake, too.
functions("transport.recorder", recorder, {
  { "new", { "table or nil" }, function()
    return { { pendings = true, encryption_master_key_base64 = MASTER_KEY, log = nothing } }
  end, { raises = true } },
})

methods("transport.recorder", recorder.new, {
  { "send", { "table", "function" }, request },
  { "respond", { "table" }, function()
    return { { status = 200, body = { a = 1 }, headers = { Date = "x" }, method = "GET", path = "/x", times = 2 } }
  end, { raises = true } },
  { "respond", { "table" }, function()
    return { { code = "network", message = "m", sent = false } }
  end, { raises = true } },
})
methods("transport.recorder", recorder_with_pendings, {
  { "send", { "table", "function" }, request, { ends = "close" } },
  { "step", { "number or nil" }, function() return { 0 } end },
})

methods("transport.async", require("pusher.transport.async").new, {
  { "step", { "number or nil" }, function() return { 0 } end, { ends = "close" } },
})

functions("beams", beams, {
  { "new", { "table" }, function()
    return { { instance_id = "i", secret_key = calls.SECRETS[2], webhook_secret = calls.SECRETS[3], timeout = 5,
      base_url = "http://h/x", transport = fake_transport.new(), json = { encode = yes, decode = yes }, log = nothing,
      clock = os.time, observe = nothing } }
  end, { loose = CLIENT_OPTIONS } },
})

methods("beams", service, {
  { "publish_to_interests", { "table", "table" }, function()
    return { { "a" }, { fcm = { a = 1 }, apns = { a = 1 }, web = { a = 1 } } }
  end },
  { "publish_to_users", { "table", "table" }, function() return { { "a" }, { fcm = { a = 1 } } } end },
  { "generate_token", { "string" }, function() return { "u" } end },
  { "delete_user", { "string" }, function() return { "u" } end },
  { "webhook", { "table or function", "string" }, function()
    local body = '{"metadata":{"event_type":"e"}}'
    return { { ["Webhook-Signature"] = core.mac(calls.SECRETS[3], "sha1"):hex(body) }, body }
  end },
})

local REGISTRY = {
  { "init", { "string or table" }, function() return { { { name = "h", config = {} } } } end },
  { "push", { "table" }, function() return { receipt() } end },
  { "step", { "number or nil" }, function() return { 0 } end },
  { "flush", { "number or nil" }, function() return { 1 } end },
  { "stop", { "number or nil" }, function() return { 1 } end },
}

functions("push", push, {
  { "new", { "table or nil" }, function()
    return { { strict = true, json = { encode = yes, decode = yes }, log = nothing, clock = os.time, now = core.now } }
  end, { loose = CLIENT_OPTIONS } },
})
functions("push", push, REGISTRY)
methods("registry", registry, REGISTRY)

-- What is no handler raises, like a wrong type, and so does a name in use.
methods("registry", registry, {
  { "register", { "string", "table" }, function() return { "z", { push = yes } } end,
    { raises = true, loose = { ["2"] = true } } },
})

functions("fcm", fcm, {
  { "new", { "table" }, function()
    return { { devices = nothing, remove = nothing, on_result = nothing, transport = fake_transport.new(),
      json = { encode = yes, decode = yes }, log = nothing, clock = os.time, now = core.now, sleep = nothing,
      random = core.random, getenv = nothing, observe = nothing } }
  end, { loose = CLIENT_OPTIONS } },
})

methods("fcm", function() return assert(fcm.new { devices = nothing, getenv = nothing, log = nothing }) end, {
  { "init", { "any" }, function()
    return { { enabled = true, credentials = account.new(), credentials_file = "f", project_id = "p", buffer = 1,
      max_in_flight = 1, time_to_live = 1, validate_only = true, dry_run = true, timeout = 1, token_early = 1,
      android = { enabled = true, title = "t", icon_color = "#123456", msg = { body = "$content" }, sub = {} },
      retry = { attempts = 1, base = 1, max = 1, quota = 1, deadline = 1 }, fcm_url = "http://h", token_url = "http://h",
      keepalive = { idle = 1, pool_size = 1 } } }
  end, { ends = "stop" } },
})

methods("fcm", fcm_handler, {
  { "push", { "table" }, function() return { receipt() } end },
  { "send", { "table" }, function()
    return { { token = "t", data = { a = "b" }, notification = { title = "t" }, apns = { payload = { a = 1 } },
      android = { priority = "high", ttl = "3s", notification = { color = "#123456" } } } }
  end },
  { "step", { "number or nil" }, function() return { 0 } end },
  { "flush", { "number or nil" }, function() return { 1 } end },
  { "stop", { "number or nil" }, function() return { 1 } end },
})

functions("stdout", stdout, {
  { "new", { "table or nil" }, function()
    return { { write = yes, json = { encode = yes, decode = yes }, clock = os.time } }
  end, { loose = CLIENT_OPTIONS } },
})
methods("stdout", function() return assert(stdout.new { write = yes }) end, {
  { "init", { "any" }, function() return { { enabled = true, format = "go" } } end },
  { "push", { "table" }, function() return { receipt() } end },
})

functions("uid", require "pusher.push.tinode.uid", {
  { "encode", { "any" }, function() return { "12345678" } end },
  { "decode", { "any" }, function() return { UID } end },
  { "canonical", { "any" }, function() return { UID } end },
  { "from_decimal", { "any" }, function() return { "1" } end },
  { "to_decimal", { "any" }, function() return { UID } end },
  { "base32", { "any" }, function() return { UID } end },
  { "user_id", { "any" }, function() return { UID } end },
  { "parse_user_id", { "any" }, function() return { "usr" .. UID } end },
  { "p2p_name", { "any", "any" }, function() return { UID, OTHER_UID } end },
})
functions("drafty", require "pusher.push.tinode.drafty", {
  { "to_text", { "any" }, function() return { drafty_document() } end },
})
functions("access_mode", require "pusher.push.tinode.access_mode", {
  { "format", { "any" }, function() return { 3 } end },
  { "parse", { "any", "any" }, function() return { "JR", 0 } end },
  { "check", { "any" }, function() return { "JR" } end },
})
functions("timestamp", require "pusher.push.tinode.timestamp", {
  { "format", { "any" }, function() return { "2020-03-13T06:48:18.123Z" } end },
  { "go", { "any" }, function() return { "2020-03-13T06:48:18.123Z" } end },
})

local receipts = require "pusher.push.tinode.receipt"

local function checked()
  return assert(receipts.check(receipt(), 1))
end

-- The library's own object, none of whose members is a caller's.
local function codec()
  return setmetatable(require("pusher.base.json").new(), {})
end

functions("receipt", receipts, {
  { "check", { "any", "any" }, function() return { receipt(), 1 } end },
  { "uids", { "table" }, function() return { checked() } end, { raises = true } },
  { "encode", { "table", "table" }, function() return { checked(), codec() } end,
    { raises = true, loose = { ["2"] = true } } },
  { "decode", { "string", "table", "any" }, function() return { '{"to":{},"payload":{"what":"msg"}}', codec(), 1 } end,
    { raises = true, loose = { ["2"] = true } } },
})

-- In nginx. The handlers' outcome is the status of the response.
local function in_nginx(name, types, arguments, more)
  add("openresty." .. name, types, function()
    local api = fake_ngx.new { request = { body = "socket_id=1.2&channel_name=presence-a" } }
    rawset(_G, "ngx", api)
    local f = openresty
    for part in name:gmatch("[^.]+") do
      f = f[part]
    end
    return f, arguments(api)
  end, more)
end

local function member()
  return { user_id = "u" }
end

local function user()
  return { id = "u" }
end

local STATUS = { plain = true, result = 200, raises = true, loose = { ["1"] = true, ["2"] = true, ["2.default"] = true } }
local FORM = "socket_id=1.2&channel_name=presence-a"

in_nginx("body", { "number" }, function() return { 1000 } end, { plain = true })
in_nginx("reply", { "number", "string", "string or nil" }, function() return { 200, "{}", "f" } end)
in_nginx("authorize_channel", { "table", "function", "table or nil" }, function()
  return { client(), member, { jsonp = true, max_body_bytes = 1000 } }
end, STATUS)
in_nginx("authenticate_user", { "table", "function", "table or nil" }, function()
  return { client(), user, { jsonp = true, max_body_bytes = 1000 } }
end, STATUS)
in_nginx("webhook", { "table", "table", "table or nil" }, function(api)
  local body, headers = hook()
  api.req.get_body_data = function() return body end
  api.req.get_headers = function() return headers end
  local options = hook_options()
  options.max_body_bytes = 1000
  return { client(), { default = nothing }, options }
end, STATUS)
in_nginx("decide.authorize_channel", { "table", "function", "string", "string or nil" }, function()
  return { client(), member, FORM }
end, STATUS)
in_nginx("decide.authenticate_user", { "table", "function", "string", "string or nil" }, function()
  return { client(), user, FORM }
end, STATUS)
in_nginx("decide.webhook", { "table", "table", "table or function", "string", "table or nil" }, function()
  local body, headers = hook()
  return { client(), { default = nothing }, headers, body, hook_options() }
end, STATUS)

-- What takes no argument.
local WITHOUT_ARGUMENTS = {
  ["client:close"] = true, ["publisher:stats"] = true, ["publisher:pollfd"] = true, ["publisher:events"] = true,
  ["publisher:timeout"] = true, ["pending:result"] = true, ["pending:cancel"] = true, ["beams:close"] = true,
  ["registry:stats"] = true, ["push.stats"] = true, ["fcm:stats"] = true, ["fcm:is_ready"] = true,
  ["stdout:stats"] = true, ["stdout:is_ready"] = true, ["stdout:stop"] = true, ["transport.async:pollfd"] = true,
  ["transport.async:events"] = true, ["transport.async:timeout"] = true, ["transport.async:close"] = true,
  ["transport.curl:close"] = true, ["transport.ngx:close"] = true, ["transport.recorder:close"] = true,
  ["transport.recorder:requests"] = true, ["transport.recorder:events"] = true, ["transport.recorder:reset"] = true,
  ["transport.recorder:timeout"] = true,
}
-- What the library's parts call on each other.
local INTERNAL = {
  ["push.register"] = true, -- the registry's own, whose names cannot be used twice
  ["transport.async:fail"] = true, ["transport.async:drive"] = true,
  ["transport.async:abandon"] = true, ["stdout.go"] = true, ["transport.recorder:fail"] = true,
  ["transport.recorder:drive"] = true, ["transport.recorder:abandon"] = true,
}

-- The objects and modules of the calls above, by the prefix of their names.
local function subjects()
  local list = {
    ["client:"] = client(), ["publisher:"] = publisher(), ["pending:"] = in_flight(), ["beams:"] = service(),
    ["registry:"] = registry(), ["fcm:"] = assert(fcm.new { devices = nothing }), ["stdout:"] = assert(stdout.new()),
    ["transport.async:"] = assert(require("pusher.transport.async").new()),
    ["transport.curl:"] = assert(require("pusher.transport.curl").new()),
    ["transport.recorder:"] = recorder_with_pendings(),
    ["pusher."] = pusher, ["beams."] = beams, ["push."] = push, ["fcm."] = fcm, ["stdout."] = stdout,
    ["openresty."] = openresty, ["openresty.decide."] = openresty.decide,
  }
  for _, name in ipairs { "curl", "async", "ngx", "recorder" } do
    list["transport." .. name .. "."] = require("pusher.transport." .. name)
  end
  for _, name in ipairs { "uid", "drafty", "access_mode", "timestamp", "receipt" } do
    list[name .. "."] = require("pusher.push.tinode." .. name)
  end
  return list
end

--- The public calls that are missing above.
function calls.missing()
  local known, missing = {}, {}
  for _, call in ipairs(calls) do
    known[call.name] = true
  end
  for prefix, subject in pairs(subjects()) do
    local members = prefix:sub(-1) == ":" and getmetatable(subject).__index or subject
    for name, value in pairs(members) do
      local full = prefix .. name
      if type(value) == "function" and not (known[full] or WITHOUT_ARGUMENTS[full] or INTERNAL[full]) then
        missing[#missing + 1] = full
      end
    end
  end
  table.sort(missing)
  return missing
end

return calls
