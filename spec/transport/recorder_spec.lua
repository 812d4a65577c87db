local account = require "tools.local_server.account"
local beams = require "pusher.beams"
local fcm = require "pusher.push.fcm"
local pusher = require "pusher"
local recorded = require "spec.helpers.recorded"
local recorder = require "pusher.transport.recorder"

local function request(over)
  local made = { method = "GET", scheme = "http", host = "h", port = 80, target = "/", headers = {} }
  for name, value in pairs(over or {}) do
    made[name] = value
  end
  return made
end

local MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

describe("transport.recorder", function()
  local transport, client

  local function make(options, given)
    transport = recorder.new(options)
    local all = { app_id = "3", key = "k", secret = "s", transport = transport, encryption_master_key_base64 = MASTER_KEY }
    for name, value in pairs(given or {}) do
      all[name] = value
    end
    client = assert(pusher.new(all))
  end

  before_each(function()
    make()
  end)

  it("shows the events of all calls", function()
    assert.same({}, client:trigger({ "a", "b" }, "e", { x = 1 }, { socket_id = "1.2" }))
    assert.same({}, client:trigger_batch { { channel = "c", name = "f", data = "text" } })
    assert.same({}, client:send_to_user("u", "g"))
    assert.same({
      { channel = "a", name = "e", data = { x = 1 }, socket_id = "1.2" },
      { channel = "b", name = "e", data = { x = 1 }, socket_id = "1.2" },
      { channel = "c", name = "f", data = "text" },
      { user_id = "u", name = "g" },
    }, transport:events())
  end)

  it("shows encrypted data with the key only", function()
    client:trigger("private-encrypted-a", "e", { x = 1 })
    local event = transport:events()[1]
    assert.is_true(event.encrypted)
    assert.is_string(event.data.ciphertext)
    make { encryption_master_key_base64 = MASTER_KEY }
    client:trigger("private-encrypted-a", "e", { x = 1 })
    assert.same({ { channel = "private-encrypted-a", name = "e", data = { x = 1 }, encrypted = true } }, transport:events())
  end)

  it("shows the requests, each time afresh", function()
    assert.same({ channels = {} }, client:channels { filter_by_prefix = "a-", info = "user_count" })
    local list = transport:requests()
    local first = list[1]
    assert.equal("GET", first.method)
    assert.equal("/apps/3/channels", first.path)
    assert.equal("a-", first.query.filter_by_prefix)
    assert.equal("k", first.query.auth_key)
    assert.equal(200, first.status)
    assert.is_string(first.headers["user-agent"])
    list[1], first.query.auth_key = nil, nil
    assert.equal("k", transport:requests()[1].query.auth_key)
  end)

  it("lets every query succeed", function()
    assert.same({ name = "a", occupied = false, user_count = 0 }, client:channel("a", { info = "user_count" }))
    assert.same({ users = {} }, client:channel_users("presence-a"))
    assert.same({ channels = { a = { subscription_count = 0 } } }, client:trigger("a", "e", 1, { info = "subscription_count" }))
    assert.is_table(client:terminate_user_connections("u"))
    assert.same({ number_of_subscribers = 0 }, client:notify({ "a" }, { fcm = {} }))
    assert.equal(5, #transport:requests())
  end)

  it("returns the responses that are set, and the failures", function()
    transport:respond { body = { channels = { a = { user_count = 7 } } } }
      :respond { status = 429, headers = { ["Retry-After"] = "3" }, path = "/events" }
      :respond { code = "timeout" }
    assert.equal(7, client:channels().channels.a.user_count)
    local result, _, details = client:channels()
    assert.is_nil(result)
    assert.equal("timeout", details.code)
    assert.is_true(details.retryable)
    result, _, details = client:trigger("a", "e")
    assert.is_nil(result)
    assert.equal("rate_limited", details.code)
    assert.equal(3, details.retry_after)
    assert.same({}, client:trigger("b", "e"))
    assert.equal("200 timeout 429 200", recorded.outcomes(transport))
    assert.equal("b", recorded.channels(transport))
  end)

  it("has a status without a body", function()
    transport:respond { status = 500 }:respond { status = 202 }
    assert.equal("server", select(3, client:channels()).code)
    assert.same({ channels = {} }, client:channels())
  end)

  it("forgets", function()
    client:trigger("a", "e")
    transport:respond { status = 500 }
    transport:reset()
    assert.same({}, transport:requests())
    assert.same({}, transport:events())
    assert.is_table(client:trigger("a", "e"))
  end)

  it("makes the attempts of a call without a pause", function()
    make(nil, { retry = { attempts = 3, base = 3600, max = 3600 }, idempotency = true })
    transport:respond { code = "timeout" }:respond { status = 503, headers = { ["Retry-After"] = "3600" } }
    assert.is_table(client:trigger("a", "e"))
    assert.equal("timeout 503 200", recorded.outcomes(transport))
    local list = transport:requests()
    assert.equal(list[1].body, list[3].body)
    assert.equal("a", recorded.channels(transport))
    transport:respond { code = "network", times = 3 }
    local _, _, details = client:channels()
    assert.equal("network", details.code)
    assert.equal(3, details.attempts)
    transport:respond { code = "tls" }
    assert.equal(1, select(3, client:channels()).attempts)
  end)

  it("ends the attempts when the client is closed", function()
    make(nil, { retry = { attempts = 3 }, random = function(count)
      client:close()
      return ("x"):rep(count)
    end })
    transport:respond { code = "network", times = 3 }
    assert.equal("network", select(3, client:channels()).code)
    assert.equal("network", recorded.outcomes(transport))
  end)

  it("works below a publisher", function()
    local publisher = client:publisher { linger = 0, sleep = function() end }
    transport:respond { status = 500, path = "/batch_events" }
    for index = 1, 3 do
      publisher:trigger("c" .. index, "e", { index = index })
    end
    assert.is_true(publisher:flush(5))
    assert.equal("500 200", recorded.outcomes(transport))
    assert.equal("c1 c2 c3", recorded.channels(transport))
  end)

  it("works below Beams and FCM", function()
    local service = assert(beams.new { instance_id = "i", secret_key = "s", transport = transport })
    assert.equal("pubid-1", service:publish_to_interests({ "a" }, { fcm = { a = 1 } }).publish_id)
    assert.is_truthy(service:delete_user("u"))
    assert.same({}, transport:events())
    local handler = assert(fcm.new { devices = function() return {} end, transport = transport })
    assert(handler:init { enabled = true, credentials = account.new() })
    handler:send { token = "t", data = { a = "b" } }
    assert.is_true(handler:flush(5))
    local list = transport:requests()
    assert.equal("t", list[#list].json.message.token)
    assert.equal("Bearer access-token", list[#list].headers.authorization)
    handler:stop(0)
  end)

  it("refuses requests as transports do", function()
    local function parse() return "parsed" end
    assert.equal("parsed", transport:send(request(), parse))
    local result, _, details = transport:send({ method = "GET" }, parse)
    assert.is_nil(result)
    assert.same({ code = "invalid", retryable = false, sent = false, field = "scheme" }, details)
    assert.has_error(function() transport:send() end, "bad argument #1 to 'send' (table expected, got no value)")
    assert.has_error(function() transport:send({}) end, "bad argument #2 to 'send' (function expected, got no value)")
    assert.equal(1, #transport:requests())
  end)

  it("copies a request", function()
    local given = request { headers = { { "A", "b" } } }
    transport:send(given, function() end)
    given.headers[1], given.method = nil, "PUT"
    assert.equal("b", transport:requests()[1].headers.a)
    assert.equal("GET", transport:requests()[1].method)
  end)

  it("ends", function()
    client:trigger("a", "e")
    transport:close()
    local result, _, details = client:trigger("b", "e")
    assert.is_nil(result)
    assert.same({ code = "closed", retryable = false, sent = false }, details)
    assert.equal("a", recorded.channels(transport))
  end)

  it("raises at the caller's line when a test uses it wrongly", function()
    local place = "recorder_spec.lua:%d+: "
    local function fails(f, text)
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.matches(place .. text, message)
    end
    fails(function() recorder.new(1) end, "bad argument #1 to 'new' %(table or nil expected, got number%)")
    fails(function() recorder.new { pending = true } end, 'new: unknown option "pending"; did you mean "pendings"')
    fails(function() recorder.new { pendings = 1 } end, 'new: option "pendings" must be a boolean, got number')
    fails(function() recorder.new { encryption_master_key_base64 = "x" } end, "new: encryption_master_key_base64 is not")
    fails(function() transport:respond() end, "bad argument #1 to 'respond'")
    fails(function() transport:respond { code = "sever" } end, 'respond: option "code" must be "closed"')
  end)

  it("is no transport with a step", function()
    assert.is_nil(transport.step)
    assert.is_nil(transport.fail)
  end)

  it("loads without libcurl, and where nginx is", function()
    local program = ([[%s -e 'package.preload["pusher.curl"] = function() error("libcurl is loaded") end
      ngx = { socket = {} }
      local transport = require("pusher.transport.recorder").new()
      local client = assert(require("pusher").new { app_id = "3", key = "k", secret = "s", transport = transport })
      assert(client:trigger("a", "e"))
      print(transport:events()[1].channel)' 2>&1]]):format(os.getenv("PUSHER_LUA"))
    local pipe = assert(io.popen(program))
    local text = pipe:read("*a")
    pipe:close()
    assert.equal("a\n", text)
  end)
end)
