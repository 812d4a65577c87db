-- The publisher inside nginx: from every phase, over cosockets and timers, through faults and reloads.

local cjson = require "cjson"
local cqueues = require "cqueues"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"

local PHASES = [[
  location = /phases {
    rewrite_by_lua_block { publishing.phase "rewrite" }
    access_by_lua_block { publishing.phase "access" }
    content_by_lua_block { publishing.phase "content" ngx.say "hello" }
    header_filter_by_lua_block { publishing.phase "header_filter" }
    body_filter_by_lua_block { if ngx.arg[2] then publishing.phase "body_filter" end }
    log_by_lua_block { publishing.phase "log" }
  }
  location = /set { set_by_lua_block $x { publishing.phase "set" return "x" } return 204; }
  location = /late {
    content_by_lua_block { ngx.say "hello" }
    log_by_lua_block {
      local ok, message, details = publishing.publisher:flush(1)
      ngx.log(ngx.WARN, "flush in log: ", ok, " ", details.code, " ", message)
    }
  }
  location = /publish { content_by_lua_block { publishing.publish() } }
  location = /flush { content_by_lua_block { publishing.flush() } }
  location = /report { content_by_lua_block { publishing.report() } }
]]

describe("the publisher inside nginx", function()
  local server, web

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  after_each(function()
    if web then
      local failures = web:finish()
      web = nil
      assert.equal("", failures)
    end
  end)

  local function start(options, more, init)
    local handshake = ("{ app_id = %q, key = %q, secret = %q, host = %q, port = %d }"):format(
      server.app_id, server.key, server.secret, server.host, server.port)
    web = nginx.start {
      workers = 1,
      http = ([[
        init_by_lua_block {
          publishing = require "spec.system.nginx.publishing"
          publishing.init(%s, { %s })
          %s
        }
        %s
      ]]):format(handshake, options or "", init or "", more or ""),
      server = PHASES,
    }
  end

  local function get(path)
    return cjson.decode(web:request { path = path }.body)
  end

  -- The numbers that arrived, by channel; those whose response was lost may come again.
  local function arrivals()
    local sent, lost = {}, {}
    for _, event in ipairs(server:events { limit = 200000 }) do
      local by_channel = event.lost and lost or sent
      local list = by_channel[event.channel] or {}
      by_channel[event.channel] = list
      list[#list + 1] = tonumber(event.data)
    end
    return sent, lost
  end

  it("publishes from every phase, and reports each event once", function()
    start("", 'init_worker_by_lua_block { publishing.phase "init_worker" }')
    assert.equal("hello\n", web:request { path = "/phases" }.body)
    assert.equal(204, web:request { path = "/set" }.status)
    local phases = { "access", "body_filter", "content", "header_filter", "init_worker", "log", "rewrite", "set" }
    assert.is_true(server:wait { events = #phases }.reached)
    assert.is_true(get("/flush").ok)
    local report = get("/report")
    for _, name in ipairs(phases) do
      assert.same({ times = 1, sent = true }, report.results[name], name)
    end
    assert.equal(#phases, report.stats.sent)
    assert.is_true(report.stats.calls < #phases)
  end)

  it("refuses an event in init_by_lua, where nothing can be sent", function()
    start("", nil, 'publishing.phase "init"')
    local report = get("/report")
    assert.is_truthy(report.results.init.message:find("cannot create a timer", 1, true))
    assert.equal(0, report.stats.accepted)
    web:request { path = "/phases" }
    assert.is_true(get("/flush").ok)
    assert.equal(6, get("/report").stats.sent)
  end)

  it("keeps the order of 100,000 events over 50 channels through faults, with many requests at once", function()
    start("max_queue = 100000, retry = { attempts = 60, base = 0.001, max = 0.02 }")
    server:misbehave {
      modes = { "lose_answer", "reset", "drop", { mode = "delay", ms = 5 }, { mode = "stale", when = "reuse" },
        { mode = "status", status = 503 } },
      probability = 0.2, seed = 3, path = "/apps/",
    }
    local loop, count, per_channel = cqueues.new(), 50, 2000
    for index = 1, count do
      loop:wrap(function()
        for from = 1, per_channel, 50 do
          local response = get(("/publish?channel=c%d&from=%d&count=50"):format(index, index * 10000 + from))
          assert(response.refused == 0)
        end
      end)
    end
    assert(loop:loop())
    assert.is_true(get("/flush?seconds=60").ok)
    server:behave()
    local report = get("/report")
    assert.equal(count * per_channel, report.stats.sent)
    assert.is_true(report.stats.retried > 0)
    local sent = arrivals()
    for index = 1, count do
      local list = sent["c" .. index]
      assert.equal(per_channel, #list)
      for number = 1, per_channel do
        assert.equal(index * 10000 + number, list[number])
        assert.same({ times = 1, sent = true }, report.results[tostring(index * 10000 + number)])
      end
    end
  end)

  it("sends at most once with attempts = 1, though kept connections break", function()
    start("retry = { attempts = 1 }")
    server:misbehave { modes = { "lose_answer" }, probability = 0.3, seed = 5, path = "/apps/" }
    for from = 1, 300, 10 do
      get(("/publish?channel=c&from=%d&count=10"):format(from))
      get("/flush")
    end
    server:behave()
    local sent, lost = arrivals()
    assert.equal(300, #sent.c + #lost.c)
    assert.is_true(#lost.c > 10)
    local stats = get("/report").stats
    assert.same({ #sent.c, #lost.c }, { stats.sent, stats.failed })
  end)

  it("cannot wait in the log phase, says so, and sends all the same", function()
    start()
    get("/publish?channel=c&from=1&count=5")
    server:misbehave { mode = "delay", ms = 200, times = 1 }
    web:request { path = "/late" }
    assert.is_true(server:wait { events = 5 }.reached)
    assert.is_truthy(web:log():find("flush in log: nil invalid cannot wait in this nginx phase", 1, true))
  end)

  it("sends what lingers when the worker is asked to exit", function()
    start("linger = 60")
    get("/publish?channel=c&from=1&count=25")
    web:signal("HUP")
    assert.is_true(server:wait { events = 25 }.reached)
    local list = arrivals().c
    for number = 1, 25 do
      assert.equal(number, list[number])
    end
    assert.equal(25, #list)
    assert.equal(0, get("/report").stats.accepted) -- the new worker's own
  end)

  it("goes on while an exiting worker has time", function()
    start("retry = { attempts = 50, base = 0.025, max = 0.05 }")
    server:misbehave { mode = "status", status = 503, times = 8 }
    get("/publish?channel=c&from=1&count=3")
    web:signal("HUP")
    assert.is_true(server:wait { events = 3 }.reached)
    assert.equal(3, #arrivals().c)
  end)

  it("lets an exiting worker go though the server never comes back", function()
    start("retry = { attempts = 1000, base = 0.025, max = 0.05 }")
    server:misbehave { mode = "status", status = 503 }
    get("/publish?channel=c&from=1&count=3")
    local old = web:workers()[1]
    web:signal("HUP")
    local deadline = cqueues.monotime() + 30
    local gone
    repeat
      cqueues.poll(0.05)
      gone = true
      for _, pid in ipairs(web:workers()) do
        gone = gone and pid ~= old
      end
    until gone or cqueues.monotime() > deadline
    server:behave()
    assert.is_true(gone)
  end)
end)
