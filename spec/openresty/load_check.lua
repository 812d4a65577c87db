-- What the nginx parts do under load; the figures are printed beside their limits.

local cqueues = require "cqueues"
local measure = require "bench.openresty.measure"
local test_server = require "spec.support.server"

local function tell(...)
  io.write("  ", string.format(...), "\n")
  io.flush()
end

describe("nginx under load", function()
  local server, web

  before_each(function()
    server = test_server.start()
  end)

  after_each(function()
    local trouble = web:trouble()
    web:stop()
    server:stop()
    assert.equal("", trouble)
  end)

  it("answers subscribers while triggers wait for a slow server: 90 % of the requests per second", function()
    web = measure.start { port = server.port }
    server:misbehave { mode = "delay", ms = 500 }
    local got = measure.beside_slow_triggers(web, { rounds = 5, seconds = 2, triggers = 16 })
    tell("auth alone %.0f/s, beside %d waiting triggers %.0f/s: %.1f %% (limit 90)", got.alone, 16, got.beside, got.ratio * 100)
    assert.is_true(got.triggers >= 5 * 16 * 3, "the triggers did not run")
    assert.is_true(got.ratio >= 0.9)
  end)

  it("sends 10000 triggers from 64 requests at once over few connections", function()
    web = measure.start { port = server.port, pool_size = 64 }
    local got = measure.triggers(web, server, 10000, 64)
    tell("%d triggers in %.1f s over %d connections (limit 64)", got.requests, got.seconds, got.connections)
    assert.is_true(got.requests >= 10000)
    assert.is_true(got.connections <= 64)
  end)

  it("keeps its memory over a million subscribers", function()
    web = measure.start {}
    local got = measure.memory(web, 1000000)
    tell("%d requests: %d KiB before, %d KiB after (limit: 1 MiB more)", got.requests, got.before_kb, got.after_kb)
    assert.is_true(got.after_kb - got.before_kb <= 1024)
  end)

  it("loses no request when it is reloaded", function()
    web = measure.start { port = server.port, workers = 2 }
    local got = measure.reload(web, { seconds = 5, reloads = 3, wait = cqueues.sleep })
    tell("%d subscribers and %d triggers answered while %d generations of workers came and went", got.requests, got.triggers,
      got.generations)
    assert.is_true(got.generations >= 4)
    assert.is_true(server:inspect().events >= got.triggers)
  end)
end)
