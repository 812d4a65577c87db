-- Push notifications inside nginx. The FCM handler: receipts from every phase, sent by timers over cosockets, with a
-- device store that yields, random errors, a stop and a reload. Beams: its calls over cosockets.

local cjson = require "cjson"
local nginx = require "tools.nginx"
local push_server = require "tools.local_server.push"
local uid = require "pusher.push.tinode.uid"

local LOCATIONS = [[
  location = /phases {
    rewrite_by_lua_block { pushing.phase("rewrite", 1) }
    access_by_lua_block { pushing.phase("access", 2) }
    content_by_lua_block { pushing.phase("content", 3) ngx.say "hello" }
    header_filter_by_lua_block { pushing.phase("header_filter", 4) }
    body_filter_by_lua_block { if ngx.arg[2] then pushing.phase("body_filter", 5) end }
    log_by_lua_block { pushing.phase("log", 6) }
  }
  location = /push { content_by_lua_block { pushing.push() } }
  location = /flush { content_by_lua_block { pushing.flush() } }
  location = /stop { content_by_lua_block { pushing.stop() } }
  location = /report { content_by_lua_block { pushing.report() } }
  location = /beams { content_by_lua_block { pushing.beams() } }
]]

describe("the FCM handler inside nginx", function()
  local server, web

  setup(function()
    server = push_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  after_each(function()
    assert.equal("", web:finish())
  end)

  local function start(changes)
    local config = cjson.encode(push_server.config(server, changes))
    web = nginx.start {
      workers = 1,
      http = ([[
        lua_ssl_trusted_certificate %s;
        init_by_lua_block {
          pushing = require "spec.system.nginx.pushing"
          pushing.init [==[%s]==]
        }
      ]]):format(server.ca_file, config),
      server = LOCATIONS,
    }
  end

  local function get(path)
    return cjson.decode(web:request { path = path }.body)
  end

  local function assert_each_once(report, count)
    local seen = 0
    for device, outcomes in pairs(report.by_device) do
      assert.matches("^%a+ $", outcomes, device)
      seen = seen + 1
    end
    assert.equal(count, seen)
  end

  it("takes receipts in every phase and sends them by itself", function()
    start()
    web:request { path = "/phases" }
    assert.is_true(server:wait({ messages = 6 }).reached)
    local report = get "/report"
    assert.same({}, report.refused)
    assert.same({ sent = 6 }, report.outcomes)
    assert.equal(1, server:inspect().tokens)
  end)

  it("ends every device in one outcome, through errors and connections that break", function()
    start { buffer = 10000, max_in_flight = 16 }
    server:chance { probability = 0.3, seed = 5, errors = { "UNREGISTERED", "UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED",
      "INVALID_ARGUMENT", "UNAUTHENTICATED", "SENDER_ID_MISMATCH" } }
    server:misbehave { path = "/v1/", probability = 0.05, seed = 9, modes = { "drop", "reset", "lose_answer",
      { mode = "status", status = 502 } } }
    for from = 1, 3000, 1000 do
      assert.equal(0, get(("/push?from=%d&count=1000"):format(from)).dropped)
    end
    assert.is_true(get("/flush").done)
    local report = get "/report"
    assert_each_once(report, 3000)
    local total = 0
    for _, count in pairs(report.outcomes) do
      total = total + count
    end
    assert.equal(3000, total)
    assert.is_true(report.outcomes.sent > 1800)
    assert.equal(report.outcomes.unregistered, report.removed)
    assert.equal(0, report.stats.handler.in_flight + report.stats.handler.queued + report.stats.handler.waiting)
    assert.equal(0, server:inspect().malformed)
  end)

  local function device(number)
    return "device-of-" .. uid.from_decimal(("%d"):format(number))
  end

  -- Pushes to users 1 to `count` and waits until each has its outcome.
  local function push_all(count)
    get("/push?from=1&count=" .. count)
    assert.is_true(get("/flush").done)
    local report = get "/report"
    assert_each_once(report, count)
    return report
  end

  it("handles every error of FCM as it should", function()
    local plans = {
      { { "UNREGISTERED" }, "unregistered" }, { { "BAD_TOKEN" }, "unregistered" },
      { { "INVALID_ARGUMENT" }, "invalid", "invalid" }, { { "SENDER_ID_MISMATCH" }, "failed", "forbidden" },
      { { "THIRD_PARTY_AUTH_ERROR" }, "failed", "unauthorized" }, { { "UNSPECIFIED_ERROR" }, "failed", "server" },
      { { "QUOTA_EXCEEDED", "UNAVAILABLE", "INTERNAL", "sent" }, "sent" }, { { "UNAUTHENTICATED", "sent" }, "sent" },
      { { "UNAUTHENTICATED", "UNAUTHENTICATED" }, "failed", "unauthorized" },
      { { "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE" }, "failed", "server" },
      { { "QUOTA_EXCEEDED", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED", "QUOTA_EXCEEDED" }, "failed", "rate_limited" },
    }
    for number, plan in ipairs(plans) do
      server:plan { token = device(number), responses = plan[1] }
    end
    start { retry = { base = 0.001, max = 0.01, quota = 0.001, attempts = 4 } }
    local report = push_all(#plans + 1)
    for number, plan in ipairs(plans) do
      local name = device(number)
      assert.same({ plan[2] .. " ", plan[3] }, { report.by_device[name], plan[3] and report.codes[name] }, name)
    end
    assert.equal("sent ", report.by_device[device(#plans + 1)])
    assert.equal(2, report.removed)
  end)

  it("fetches a new access token when the old one has become worthless", function()
    start()
    assert.same({ sent = 20 }, push_all(20).outcomes)
    server:revoke()
    get "/push?from=21&count=20"
    assert.is_true(get("/flush").done)
    assert.same({ sent = 40 }, get("/report").outcomes)
    assert.equal(2, server:inspect().tokens)
  end)

  it("continues after responses that are cut, or are no HTTP", function()
    local modes = { { mode = "cut", at = "head" }, { mode = "cut", at = "body" }, { mode = "redirect" },
      { mode = "oversize" }, { mode = "header_flood" } }
    for _, form in ipairs { "bytes", "status", "version", "header", "length", "negative", "lengths", "chunk", "chunk_end" } do
      modes[#modes + 1] = { mode = "garbage", form = form }
    end
    server:misbehave { path = "/v1/", probability = 0.4, seed = 3, modes = modes }
    start { buffer = 1000, retry = { base = 0.001, max = 0.01, attempts = 8 } }
    local report = push_all(200)
    assert.equal(200, report.outcomes.sent + report.outcomes.failed)
    assert.is_true(report.outcomes.sent > 100 and report.outcomes.failed > 0)
    for name, code in pairs(report.codes) do
      assert.is_truthy(({ network = true, response = true, too_large = true })[code], name .. ": " .. code)
    end
  end)

  -- A fetch that failed is not repeated for ten seconds.
  for _, case in ipairs {
    { { mode = "status", status = 503 }, "server" }, { { mode = "status", status = 429 }, "rate_limited" },
    { { mode = "status", status = 401 }, "unauthorized" }, { { mode = "garbage" }, "network" },
    { { mode = "answer", body = "<html>" }, "response" }, { { mode = "drop" }, "network" },
  } do
    local rule = case[1]
    it(("fails when no access token is granted: %s %s"):format(rule.mode, rule.status or rule.body or ""), function()
      rule.path = "/token"
      server:misbehave(rule)
      start { retry = { base = 0.001, max = 0.001, attempts = 2 } }
      local report = push_all(3)
      assert.same({ failed = 3 }, report.outcomes)
      for number = 1, 3 do
        assert.equal(case[2], report.codes[device(number)])
      end
      assert.equal(0, server:inspect().messages)
    end)
  end

  it("sends over TLS, and not to a stranger", function()
    local base = "https://127.0.0.1:%d"
    start { fcm_url = base:format(server.tls_port), token_url = base:format(server.tls_port) .. "/token" }
    assert.same({ sent = 2 }, push_all(2).outcomes)
    web:stop()
    start { fcm_url = base:format(server.untrusted_port) }
    local report = push_all(2)
    assert.same({ failed = 2 }, report.outcomes)
    assert.equal("tls", report.codes[device(1)])
    assert.equal(2, server:inspect().messages)
  end)

  it("sends again later, by a timer", function()
    start { retry = { base = 0.2, max = 0.2, attempts = 3 } }
    server:plan { token = "device-of-AQAAAAAAAAA", responses = { "UNAVAILABLE", "UNAVAILABLE" } }
    get "/push?from=1&count=1"
    assert.is_true(server:wait({ messages = 1 }).reached)
    assert.equal(2, get("/report").stats.handler.retried)
  end)

  it("drops and counts when the queue is full", function()
    start { buffer = 5 }
    local dropped = get("/push?from=1&count=20").dropped
    assert.is_true(dropped >= 10)
    assert.is_true(get("/flush").done)
    local report = get "/report"
    assert.equal(dropped, report.stats.dropped)
    assert_each_once(report, 20 - dropped)
  end)

  it("stops: what is in flight gets its time, the rest is given up, and nothing comes after", function()
    server:misbehave { path = "/v1/", mode = "delay", ms = 100 }
    start { buffer = 1000, max_in_flight = 4 }
    get "/push?from=1&count=200"
    assert.is_true(get("/stop?seconds=1").done)
    local report = get "/report"
    assert.is_true(report.outcomes.sent >= 4)
    assert.is_true(report.outcomes.closed > 100)
    assert.equal(200, report.outcomes.sent + report.outcomes.closed)
    assert.is_false(report.stats.ready)
    get "/push?from=900&count=1"
    assert.equal(200, get("/report").stats.pushed)
    assert.same(report.outcomes, get("/report").outcomes)
  end)

  it("is not the only one: Beams is called over cosockets, too", function()
    start()
    local called = get("/beams?port=" .. server.port)
    assert.matches("^pubid%-%d$", called.interests.result.publish_id)
    assert.matches("^pubid%-%d$", called.users.result.publish_id)
    assert.same({}, called.delete.result)
    assert.is_string(called.token.result.token)
    local seen = server:beams()
    assert.equal(2, #seen.publishes)
    assert.same({ "u/1" }, seen.deleted)
    assert.equal("unauthorized", get("/beams?key=wrong&port=" .. server.port).users.code)
  end)

  it("sends what it has accepted before an exiting worker is gone", function()
    server:misbehave { path = "/v1/", mode = "delay", ms = 20 }
    start { buffer = 1000 }
    get "/push?from=1&count=100"
    local before = web:workers()[1]
    web:signal "HUP"
    assert.is_true(server:wait({ messages = 100 }).reached)
    assert.is_truthy(before)
    for _, count in pairs(server:delivered().counts) do
      assert.equal(1, count)
    end
  end)
end)
