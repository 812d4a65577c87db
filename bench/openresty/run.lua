--- `make bench-openresty`: the figures of measure.lua, from longer runs than the tests do.

local local_server = require "tools.local_server"
local measure = require "bench.openresty.measure"

local function report(...)
  io.write(string.format(...), "\n")
  io.flush()
end

local ROUNDS = tonumber(arg[1]) or 21 -- of each comparison

local function verdict(reached)
  return reached and "reached" or "NOT REACHED"
end

-- A fraction of the rate of an empty handler.
local function compare(web, name, path, options)
  options = options or {}
  local base = options.base or "/empty"
  local got = measure.compare(web, { path = path, base = base, rounds = ROUNDS, seconds = 1, close = options.close })
  report("%-46s %5.1f %%   %6.2f µs, %s %6.2f µs   %6.0f/s, %s %6.0f/s", name, got.ratio * 100, got.us,
    base, got.base_us, got.per_second, base, got.base_per_second)
  if options.target then
    report("  target >= %.0f %%: %s", options.target * 100, verdict(got.ratio >= options.target))
  end
end

-- A multiple of the time of a raw exchange.
local function compare_triggers(web, name, path, target)
  local got = measure.compare(web, { path = path, base = "/raw", rounds = ROUNDS, seconds = 1 })
  report("%-46s %5.2f x   %6.2f µs, raw %6.2f µs   %6.0f/s, raw %6.0f/s", name, 1 / got.ratio, got.us, got.base_us,
    got.per_second, got.base_per_second)
  if target then
    report("  target <= %.1f x: %s", target, verdict(1 / got.ratio <= target))
  end
end

local function with(options, run)
  local web = measure.start(options)
  run(web)
  web:stop()
end

local server = local_server.start()

report("one worker, compared with an empty content_by_lua; CPU time of the worker per request")
with({}, function(web)
  compare(web, "authorize_channel, a connection each", "/auth", { close = 1 })
  compare(web, "a constant response, a connection each", "/constant", { close = 1 })
  compare(web, "authorize_channel, kept connections", "/auth", { target = 0.88 })
  compare(web, "authorize_channel, compared with reading the form", "/auth", { base = "/read", target = 0.92 })
  compare(web, "reading the form, the same headers", "/read")
  compare(web, "a constant response, kept connections", "/constant")
end)

report("one worker, compared with a raw send and receive of the same bytes; CPU time of the worker per request")
local responder = measure.start_server()
local has_resty_http = measure.has_resty_http()
with({ port = responder.port, pool_size = 64, resty_http = has_resty_http }, function(web)
  compare_triggers(web, "trigger", "/trigger", 1.4)
  if has_resty_http then
    compare_triggers(web, "lua-resty-http, the same POST", "/resty_http")
  else
    report("lua-resty-http is not compared: set RESTY_HTTP to its checkout")
  end
end)
responder:stop()

with({ port = server.port, pool_size = 64 }, function(web)
  local got = measure.triggers(web, server, 50000, 64)
  report("triggers from 64 requests at once: %.0f/s over %d connections", got.requests / got.seconds, got.connections)
  server:misbehave { mode = "delay", ms = 500 }
  got = measure.beside_slow_triggers(web, { rounds = 11, seconds = 1, triggers = 16 })
  report("authorize_channel during 16 triggers to a server that takes 500 ms: %.1f %% of %.0f/s", got.ratio * 100,
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
