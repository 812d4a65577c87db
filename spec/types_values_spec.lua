-- Classes in types/ are what the library makes: values of each have its fields, with its types, and no other.

local core = require("pusher.core")
local luacats = require("spec.helpers.luacats")
local new_recorder = require("pusher.transport.recorder").new
local pusher = require("pusher")
local source = require("spec.helpers.source")
local typed_values = require("spec.helpers.typed_values")

local types = luacats.read()

local MASTER_KEY = ("bW1t"):rep(10) .. "bW0="

local function new_client(transport, changes)
  local options = { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1", transport = transport }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return assert(pusher.new(options))
end

local function check(class, values)
  assert.equal("", table.concat(typed_values.faults(types, class, values), "\n"))
end

-- A transport that responds with a status, and with whether the connection was a kept one.
local function responding(status, requests)
  return { send = function(_, request, parse)
    requests[#requests + 1] = request
    return parse(status, "{}", "", true)
  end }
end

-- The details of failures of all kinds.
local function all_details()
  local list, recorder = {}, new_recorder()
  local client, now = new_client(recorder), os.time()
  local function add(_, _, details)
    list[#list + 1] = assert(details)
  end
  local function respond(given)
    recorder:respond(given)
    return client
  end
  add(client:trigger_batch { { channel = "c" } })
  add(client:trigger("c", "e", ("x"):rep(10241)))
  add(respond { code = "network", sent = false }:channels())
  add(respond { status = 429, headers = { ["Retry-After"] = 1 }, body = "slowly" }:channels())
  local own = { send = function() return nil, "slowly", { code = "network", retryable = true, retry_after = 1.5 } end }
  add(new_client(own):channels())
  for _, seconds in ipairs { 700, 700.5 } do
    local late = new_client(recorder, { clock = function() return now - seconds end })
    recorder:respond { status = 401, body = "Timestamp expired", headers = { Date = os.date("!%a, %d %b %Y %H:%M:%S GMT", now) } }
    add(late:channels())
  end
  local pendings = new_recorder { pendings = true }
  local call = new_client(pendings):channels()
  call:cancel()
  add(call:result())
  local publisher = assert(client:publisher { retry = { attempts = 1 }, on_result = function(_, result, message, details)
    add(result, message, details)
  end })
  recorder:respond { status = 500, times = math.huge }
  publisher:trigger("c", "e")
  publisher:flush()
  publisher:trigger("c", "e")
  add(publisher:close(0))
  local registry = assert(require("pusher.push").new { log = function() end })
  registry:register("h", { push = function() return nil, "refused" end })
  assert(registry:init { { name = "h" } })
  add(registry:push { to = { AQAAAAAAAAA = {} }, payload = { what = "msg" } })
  return list
end

-- The names in what the source gives to errors.fail, and assigns to details.
local function names_of_details()
  local names = {}
  for _, path in ipairs(source.files("lua", "lua")) do
    local text = source.read(path):gsub("%-%-[^\n]*", ""):gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''")
    local tables = {}
    for call in text:gmatch("%f[%w]fail(%b())") do
      tables[#tables + 1] = call:match("(%b{})%)$")
    end
    for given in text:gmatch("details = (%b{})") do
      tables[#tables + 1] = given
    end
    for _, given in ipairs(tables) do
      for name in given:sub(2, -2):gsub("%b{}", ""):gmatch("([%w_]+) =") do
        names[name] = path
      end
    end
    for assigned in text:gmatch("\n%s*([%w_., ]+) = ") do
      for name in assigned:gmatch("%f[%w]details%.([%w_]+)") do
        names[name] = path
      end
    end
  end
  return names
end

describe("the classes in types/ are what", function()
  it("failures have", function()
    check("pusher.Details", all_details())
  end)

  it("failures get in the source", function()
    local fields, wrong, count = luacats.fields(types, "pusher.Details"), {}, 0
    for name, path in pairs(names_of_details()) do
      count = count + 1
      if not fields[name] and path ~= "lua/pusher/push/fcm/response.lua" then -- whose details the handler reads itself
        wrong[#wrong + 1] = name .. " in " .. path
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(count >= 15)
  end)

  it("observe gets", function()
    local calls, recorder = {}, new_recorder()
    local function observe(call)
      calls[#calls + 1] = call
    end
    assert(new_client(responding(200, {}), { observe = observe }):trigger("c", "e"))
    recorder:respond { code = "network" }
    new_client(recorder, { observe = observe }):channels()
    check("pusher.ObservedCall", calls)
  end)

  it("a publisher counts and reports", function()
    local events, results, recorder = {}, {}, new_recorder()
    local publisher = assert(new_client(recorder):publisher { on_result = function(event, result)
      events[#events + 1], results[#results + 1] = event, result
    end })
    recorder:respond { body = { batch = { { user_count = 1, subscription_count = 2 }, {}, {} } } }
    for _, params in ipairs { {}, { replace = "k", tag = "t" }, { replace = "k", tag = 1 }, { replace = 1.5 }, { replace = 2 } } do
      assert(publisher:trigger("c", "e", "", params))
    end
    check("pusher.PublisherStats", { publisher:stats() })
    assert(publisher:flush())
    check("pusher.PublisherEvent", events)
    check("pusher.PublisherResult", results)
  end)

  it("a recorder lists", function()
    local recorder = new_recorder { encryption_master_key_base64 = MASTER_KEY }
    local client = new_client(recorder, { encryption_master_key_base64 = MASTER_KEY })
    local stranger = new_client(recorder, { encryption_master_key_base64 = ("bmJu"):rep(10) .. "bmI=" })
    local params = { socket_id = "1.2", info = "user_count", idempotency_key = "k", extra = { a = 1 } }
    assert(client:trigger("c", "e", { a = 1 }, params) and client:trigger("private-encrypted-c", "e", "text"))
    assert(stranger:trigger("private-encrypted-c", "e", "text"))
    assert(client:send_to_user("ada", "e", 1))
    recorder:respond { code = "timeout" }
    client:channels()
    recorder:send({ method = "POST", scheme = "http", host = "h", target = "/", body = '"text"' }, function() end)
    recorder:send({ method = "GET", scheme = "http", host = "h", target = "/", timeout = 0.5 }, function() end)
    check("pusher.RecordedEvent", recorder:events())
    check("pusher.RecordedRequest", recorder:requests())
  end)

  it("a transport gets", function()
    local requests = {}
    local client = new_client(responding(503, requests), { retry = { attempts = 2, base = 0.001 }, timeout = 0.5 })
    client:channels()
    new_client(responding(503, requests), { retry = { attempts = 2 } }):post("/other", "")
    new_client(responding(200, requests), { secure = false, timeout = 1, idempotency = true }):trigger("c", "e")
    requests[#requests + 1] = { method = "GET", scheme = "http", host = "h", port = 1, target = "/", headers = {} } -- a caller's
    check("pusher.Request", requests)
  end)

  it("build_request returns", function()
    local client = new_client(new_recorder(), { timeout = 0.5 })
    check("pusher.SignedRequest", { client:build_request("GET", "/channels"), client:build_request("POST", "/events", {}, "{}") })
  end)

  it("webhook returns", function()
    local client, hooks = new_client(new_recorder(), { encryption_master_key_base64 = MASTER_KEY }), {}
    for _, body in ipairs {
      "",
      [[{"time_ms":1,"events":[{"name":"member_added","channel":"presence-c","user_id":"u"},{"name":"other"}]}]],
      [[{"time_ms":2,"events":[{"name":"client_event","channel":"c","event":"client-e","data":"{}","socket_id":"1.2"},
        {"name":"client_event","channel":"private-encrypted-c","event":"client-e","data":"{}"},
        {"name":"client_event","channel":"c","event":"client-e","data":{},"socket_id":"1.2"}]}]],
    } do
      hooks[#hooks + 1] = assert(client:webhook({ ["X-Pusher-Key"] = "key",
        ["X-Pusher-Signature"] = core.mac("secret"):hex(body) }, body))
    end
    check("pusher.Webhook", hooks)
  end)

  it("calls return", function()
    local recorder = new_recorder()
    local client = new_client(recorder)
    local function responses(call, ...)
      local results = {}
      for index, body in ipairs { ... } do
        recorder:respond { body = body }
        results[index] = assert(call())
      end
      return results
    end
    local counts = '{"user_count":1,"subscription_count":2}'
    check("pusher.Published", responses(function() return client:trigger("c", "e") end,
      "{}", ('{"channels":{"c":%s,"d":{}},"event_ids":{"c":"x"}}'):format(counts)))
    check("pusher.PublishedBatch", responses(function() return client:trigger_batch { { channel = "c", name = "e" } } end,
      "{}", ('{"batch":[%s]}'):format(counts), '{"batch":[{}]}'))
    check("pusher.Channels", responses(function() return client:channels() end,
      ('{"channels":{"c":%s,"d":{}}}'):format(counts)))
    check("pusher.Channel", responses(function() return client:channel("c") end, "{}",
      '{"occupied":true,"user_count":1,"subscription_count":2,"cache":{"data":"","ttl":1}}'))
    check("pusher.ChannelUsers", responses(function() return client:channel_users("presence-c") end, '{"users":[{"id":"1"}]}'))
    check("pusher.Notified", responses(function() return client:notify({ "i" }, { fcm = {} }) end,
      '{"number_of_subscribers":1}'))
  end)

  it("a registry counts, and handlers get", function()
    local receipt = require("pusher.push.tinode.receipt")
    local registry = assert(require("pusher.push").new())
    for _, name in ipairs { "a", "b" } do
      registry:register(name, { push = function() return true end, stats = name == "b" and function() return {} end or nil })
    end
    assert(registry:init { { name = "a" }, { name = "b" } })
    local stats = registry:stats()
    check("pusher.HandlerStats", { stats.a, stats.b })
    local to = { AQAAAAAAAAA = { delivered = 1, devices = { "d" }, unread = 2 } }
    check("pusher.Receipt", {
      assert(receipt.check({ to = to, payload = { what = "msg", content = "text" } }, 1)),
      assert(receipt.check({ to = to, payload = { what = "msg", content = { txt = "text" } } }, 1)),
      assert(receipt.check({ to = to, payload = { what = "sub" } }, 1)),
    })
  end)
end)
