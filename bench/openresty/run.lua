--- `make bench-openresty`: the figures of measure.lua, from longer runs than the tests do.

local local_server = require "tools.local_server"
local measure = require "bench.openresty.measure"

local function report(...)
  io.write(string.format(...), "\n")
  io.flush()
end

local function compare(web, name, path, close)
  local got = measure.compare(web, { path = path, base = "/empty", rounds = 21, seconds = 1, close = close })
  report("%-46s %5.1f %%   %6.2f us, empty %6.2f us   %6.0f/s, empty %6.0f/s", name, got.ratio * 100, got.us,
    got.base_us, got.per_second, got.base_per_second)
end

local function with(options, run)
  local web = measure.start(options)
  run(web)
  web:stop()
end

local server = local_server.start()

report("one worker, beside an empty content_by_lua; CPU time of the worker per request")
with({}, function(web)
  compare(web, "authorize_channel, a connection each", "/auth", 1)
  compare(web, "a constant response, a connection each", "/constant", 1)
  compare(web, "authorize_channel, kept connections", "/auth")
  compare(web, "a constant response, kept connections", "/constant")
end)

with({ port = server.port, pool_size = 64 }, function(web)
  local got = measure.triggers(web, server, 50000, 64)
  report("triggers from 64 requests at once: %.0f/s over %d connections", got.requests / got.seconds, got.connections)
  server:misbehave { mode = "delay", ms = 500 }
  got = measure.beside_slow_triggers(web, { rounds = 11, seconds = 1, triggers = 16 })
  report("authorize_channel beside 16 triggers to a server that takes 500 ms: %.1f %% of %.0f/s", got.ratio * 100,
    got.alone)
  server:behave()
end)

with({}, function(web)
  local got = measure.memory(web, 2000000)
  report("memory of the worker: %d KiB, after %d more requests %d KiB", got.before_kb, got.requests, got.after_kb)
end)

with({ port = server.port, workers = 2 }, function(web)
  local got = measure.reload(web, { seconds = 10, reloads = 6, count = function() return server:inspect().events end })
  report("6 reloads: %d subscribers and %d triggers served, none lost", got.requests, got.triggers)
end)

server:stop()
