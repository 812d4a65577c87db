-- Push notifications inside nginx. The FCM handler: receipts from every phase, sent by timers over cosockets, with a
-- device store that yields, random errors, a stop and a reload. Beams: its calls over cosockets.

local cjson = require "cjson"
local nginx = require "tools.nginx"
local push_server = require "tools.local_server.push"

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
    local failures = web:failures()
    web:stop()
    assert.equal("", failures)
  end)

  local function start(changes)
    local config = cjson.encode(push_server.config(server, changes))
    web = nginx.start {
      workers = 1,
      http = ([[
        init_by_lua_block {
          pushing = require "spec.system.nginx.pushing"
          pushing.init [==[%s]==]
        }
      ]]):format(config),
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
    assert.is_true(server:wait({ messages = 100, timeout = 10 }).reached)
    assert.is_truthy(before)
    for _, count in pairs(server:delivered().counts) do
      assert.equal(1, count)
    end
  end)
end)
