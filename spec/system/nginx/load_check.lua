-- What the nginx parts do under load; the figures are printed beside their limits.

local local_server = require "tools.local_server"
local measure = require "bench.openresty.measure"
local nginx = require "tools.nginx"

local function report(...)
  io.write("  ", string.format(...), "\n")
  io.flush()
end

-- A short measurement is enough when it reaches the limit. Otherwise the machine may be busy, and a second one, three
-- times as long, decides. There is no third: the best of many would prove nothing.
local function reaches(limit, rounds, run)
  local got = run(rounds)
  if got.ratio < limit then
    report("%.1f %% is below %.0f; measuring longer", got.ratio * 100, limit * 100)
    got = run(rounds * 3)
  end
  return got.ratio >= limit, got
end

describe("nginx under load", function()
  local server, web

  before_each(function()
    server = local_server.start()
  end)

  after_each(function()
    local failures = web and web:finish() or ""
    web = nil
    server:stop()
    assert.equal("", failures)
  end)

  it("responds to subscribers while triggers wait for a slow server: 90 % of the requests per second", function()
    web = measure.start { port = server.port }
    server:misbehave { mode = "delay", ms = 500 }
    local ok, got = reaches(0.9, 7, function(rounds)
      return measure.beside_slow_triggers(web, { rounds = rounds, seconds = 1, triggers = 16 })
    end)
    report("auth alone %.0f/s, beside 16 waiting triggers %.0f/s: %.1f %% (limit 90)", got.alone, got.beside, got.ratio * 100)
    assert.is_true(got.triggers >= 7 * 16 * 2, "the triggers did not run")
    assert.is_true(ok)
  end)

  -- Instructions, since their number is the same each time. CPU time depends on how often other programs empty the
  -- processor's caches: the rate was 55 to 89 % of an empty handler's on one machine. `make bench-openresty` measures it.
  it("authorizes in 18,000 instructions more than an empty handler", function()
    local counts = measure.instructions({ "/empty", "/auth" }, 2000)
    local more = counts["/auth"] - counts["/empty"]
    report("%.0f instructions, an empty handler %.0f: %.0f more (limit 18000)", counts["/auth"], counts["/empty"], more)
    assert.is_true(more > 0 and more <= 18000)
  end)

  it("sends 10000 triggers from 64 requests at once over few connections", function()
    web = measure.start { port = server.port, pool_size = 64 }
    local got = measure.triggers(web, server, 10000, 64)
    local limit = math.max(2, got.runs) * 64 -- wrk leaves 64 requests in the middle when its time is up
    report("%d triggers in %.1f s over %d connections (limit %d)", got.requests, got.seconds, got.connections, limit)
    assert.is_true(got.requests >= 10000)
    assert.is_true(got.connections <= limit)
  end)

  it("keeps its memory over a million subscribers", function()
    web = measure.start {}
    local got = measure.memory(web, 1000000)
    report("%d requests: %d KiB before, %d KiB after (limit: 1 MiB more)", got.requests, got.before_kb, got.after_kb)
    assert.is_true(got.after_kb - got.before_kb <= 1024)
  end)

  local RELOADS, SECONDS = 5, 8

  it("loses no request when it is reloaded", function()
    web = measure.start { port = server.port, workers = 2 }
    local got = measure.reload(web, { seconds = SECONDS, reloads = RELOADS, count = function()
      return server:inspect().events
    end })
    report("%d subscribers and %d triggers served during %d reloads", got.requests, got.triggers, RELOADS)
    assert.is_true(server:inspect().events >= got.triggers)
  end)

  it("loses no request when the Channels server is an nginx that is reloaded", function()
    local other = nginx.start {
      workers = 2,
      http = "lua_shared_dict seen 1m;",
      server = [[
        location /apps/ {
          content_by_lua_block {
            ngx.req.read_body()
            ngx.shared.seen:incr("events", 1, 0)
            ngx.print("{}")
          }
        }
        location = /count { content_by_lua_block { ngx.print(ngx.shared.seen:get("events") or 0) } } ]],
    }
    web = measure.start { port = other.port, workers = 2 }
    local ok, got = pcall(measure.reload, web, { seconds = SECONDS, reloads = RELOADS, reloaded = other, count = function()
      return tonumber(other:request({ path = "/count" }).body)
    end })
    local failures = other:finish()
    assert.is_true(ok, got)
    assert.equal("", failures)
    report("%d triggers served during %d reloads of the server", got.triggers, RELOADS)
  end)
end)
