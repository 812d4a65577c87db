--- The load measurements of the nginx parts: each returns plain figures. `make test-openresty` checks them against
-- limits, `make bench-openresty` takes longer and prints them.
--
-- The machine may be busy with other things, so two sides always take turns, and a ratio is the median of the ratios of
-- neighbours. Where the worker is the limit, its requests per second of CPU time are compared, which other programs
-- change less; they do not change its instructions.

local memory = require "tools.memory"
local nginx = require "tools.nginx"
local shell = require "tools.shell"
local stats = require "bench.stats"
local text_file = require "tools.text_file"
local wrk = require "bench.openresty.wrk"

local measure = {}

local TRIGGERS_BETWEEN_RELOADS = 100

local HTTP = [[
  keepalive_requests 1000000000;
  init_by_lua_block {
    client = assert(require("pusher").new { app_id = "app-id", key = "app-key", secret = "app-secret",
      host = "127.0.0.1", port = $port, secure = false, timeout = 20, keepalive = { pool_size = $pool_size } })
    handlers = require "pusher.openresty"
    function authorize() return true end
    constant = '{"auth":"app-key:' .. ("0"):rep(64) .. '"}'
    exchange = require("bench.openresty.exchange").new($port, $pool_size)
    $resty_http
  }
]]

-- lua-resty-http is no dependency: it is compared when RESTY_HTTP, or else the folder beside the checkout, has it.
local RESTY_HTTP = os.getenv("RESTY_HTTP") or "../lua-resty-http"
local RESTY_HTTP_SETUP = [[
    package.path = "%s/lib/?.lua;" .. package.path
    for _, name in ipairs { "resty.string", "resty.sha256" } do -- OpenResty has them; a plain POST needs neither
      package.preload[name] = not pcall(require, name) and function() return {} end or nil
    end
    resty_http = require "resty.http"
]]

--- Whether lua-resty-http is there.
function measure.has_resty_http()
  return text_file.exists(RESTY_HTTP .. "/lib/resty/http.lua")
end

local SERVER = [[
  location = /auth { content_by_lua_block { handlers.authorize_channel(client, authorize) } }
  location = /empty { content_by_lua_block { } }
  location = /constant { content_by_lua_block { ngx.print(constant) } }
  # What any handler needs that responds to a form, whatever is in it.
  location = /read {
    content_by_lua_block {
      ngx.req.read_body()
      local form, headers = ngx.req.get_body_data(), ngx.header
      headers["Content-Type"] = "application/json"
      headers["Cache-Control"] = "no-store"
      headers["Content-Length"] = form and #constant
      ngx.print(constant)
    }
  }
  location = /dump { content_by_lua_block { require("bench.counts.callgrind").dump("counted") } }
  location = /raw { content_by_lua_block { exchange.raw() } }
  location = /resty_http { content_by_lua_block { exchange.by_resty_http(resty_http) } }
  location = /trigger {
    content_by_lua_block {
      local result, message = client:trigger("lobby", "event", "x")
      if not result then
        ngx.status = 500
        ngx.log(ngx.ERR, message)
      end
    }
  }
]]

--- Starts an nginx for these measurements.
-- @tparam table options `port` of the Channels server, `workers` (1), `pool_size` (30), `resty_http` = whether to load
-- lua-resty-http, which logs a warning with a traceback when lua-resty-openssl is missing; `runner`: tools/nginx.lua
function measure.start(options)
  local values = { port = ("%d"):format(options.port or 1), pool_size = tostring(options.pool_size or 30),
    resty_http = options.resty_http and RESTY_HTTP_SETUP:format(RESTY_HTTP) or "" }
  return nginx.start { http = HTTP:gsub("%$([%a_]+)", values), server = SERVER, workers = options.workers,
    runner = options.runner }
end

--- Starts an nginx that responds to every trigger with `{}`: no server is faster.
function measure.start_server()
  return nginx.start { http = "keepalive_requests 1000000000;", server = 'location / { return 200 "{}"; }' }
end

local function url(web, path)
  return ("http://127.0.0.1:%d%s"):format(web.port, path)
end

local function refuse_errors(figures)
  assert(figures.failed == 0 and figures.refused == 0 and figures.requests > 0,
    ("%d requests, %d failed, %d refused"):format(figures.requests, figures.failed, figures.refused))
  return figures
end

-- Requests that the worker serves in a second of its own CPU time.
local function capacity(web, options)
  local worker = web:workers()[1]
  local before = wrk.cpu_us(worker)
  local figures = refuse_errors(wrk.run(options))
  return figures.requests / (wrk.cpu_us(worker) - before) * 1e6, figures.requests / figures.seconds
end

--- The rate of one location of a worker as a fraction of another's.
-- @tparam table options `path`, `base` (location), `rounds`, `seconds` of each run, `close` = connection per request
-- @treturn table `{ ratio =, us = CPU time of a request, base_us =, per_second =, base_per_second = }`
function measure.compare(web, options)
  local ratios, us, base_us, rates, base_rates = {}, {}, {}, {}, {}
  for round = 1, options.rounds do
    local found, rate = {}, {}
    -- The two take turns in being first.
    local paths = round % 2 == 1 and { options.path, options.base } or { options.base, options.path }
    for _, path in ipairs(paths) do
      found[path], rate[path] = capacity(web,
        { url = url(web, path), seconds = options.seconds, with = { close = options.close } })
    end
    ratios[round] = found[options.path] / found[options.base]
    us[round], base_us[round] = 1e6 / found[options.path], 1e6 / found[options.base]
    rates[round], base_rates[round] = rate[options.path], rate[options.base]
  end
  return { ratio = stats.median(ratios), us = stats.median(us), base_us = stats.median(base_us),
    per_second = stats.median(rates), base_per_second = stats.median(base_rates) }
end

-- Requests per second, without the time in which other programs kept the worker from running. A worker that is blocked
-- does not want to run, so that time counts.
local function rate(web, options)
  local worker = web:workers()[1]
  local _, before_us = wrk.cpu_us(worker)
  local figures = refuse_errors(wrk.run(options))
  local _, after_us = wrk.cpu_us(worker)
  return figures.requests / (figures.seconds - (after_us - before_us) / 1e6)
end

--- The fraction of its requests per second that the auth location keeps while triggers wait for a slow server.
-- @tparam table options `rounds`, `seconds`, `triggers` = how many wait at any time
-- @treturn table `{ ratio =, alone =, beside = requests per second, triggers = done meanwhile }`
function measure.beside_slow_triggers(web, options)
  local ratios, alone, beside, triggers = {}, {}, {}, 0
  for round = 1, options.rounds do
    local auth = { url = url(web, "/auth"), seconds = options.seconds }
    local function run_alone()
      alone[round] = rate(web, auth)
    end
    local function run_beside()
      local waiting = wrk.start
        { url = url(web, "/trigger"), seconds = options.seconds + 1, connections = options.triggers }
      beside[round] = rate(web, auth)
      triggers = triggers + refuse_errors(waiting()).requests
    end
    local order = round % 2 == 1 and { run_alone, run_beside } or { run_beside, run_alone }
    order[1]()
    order[2]()
    ratios[round] = beside[round] / alone[round]
  end
  return { ratio = stats.median(ratios), alone = stats.median(alone), beside = stats.median(beside),
    triggers = triggers }
end

-- Runs of `seconds` until that many requests are done; wrk itself can only be limited by time.
local function request_many(options, count)
  local done, seconds, runs = 0, 0, 0
  while done < count do
    local figures = refuse_errors(wrk.run(options))
    done, seconds, runs = done + figures.requests, seconds + figures.seconds, runs + 1
  end
  return done, seconds, runs
end

--- Triggers from many requests at once.
-- @treturn table `{ requests =, seconds =, runs = of wrk, connections = that the server accepted }`
function measure.triggers(web, server, requests, connections)
  server:reset()
  local before = server:inspect().accepted.http
  local done, seconds, runs = request_many(
    { url = url(web, "/trigger"), seconds = 2, connections = connections }, requests)
  local after = server:inspect()
  assert(after.events >= done, ("%d events for %d responses"):format(after.events, done))
  return { requests = done, seconds = seconds, runs = runs, connections = after.accepted.http - before }
end

local VALGRIND = "valgrind -q --tool=callgrind --callgrind-out-file='%s/%%p'"

-- Sums what the files of a folder have counted.
local function sum_of(folder)
  local sum, files = 0, assert(io.popen("cat " .. folder .. "/* 2>/dev/null"))
  for line in files:lines() do
    sum = sum + (tonumber(line:match("^totals: (%d+)")) or 0)
  end
  files:close()
  return sum
end

--- The instructions that a worker runs for a request, without the kernel's: other programs do not change them.
-- @tparam table paths locations
-- @tparam number requests of each, once LuaJIT has compiled what is hot
-- @treturn table by path
function measure.instructions(paths, requests)
  local folder = shell.output_of("mktemp -d -t pusher-counts.XXXXXX")
  local web = measure.start { runner = VALGRIND:format(folder) }
  local function dump()
    os.execute("rm -f " .. folder .. "/*")
    assert(web:request({ path = "/dump" }).status == 200)
    return sum_of(folder)
  end
  local counts = {}
  for _, path in ipairs(paths) do
    local options = { url = url(web, path), connections = 4 }
    request_many(options, requests)
    dump()
    local done = request_many(options, requests)
    counts[path] = dump() / done
  end
  local failures = web:finish()
  os.execute("rm -r " .. folder)
  assert(failures == "", failures)
  return counts
end

--- Memory of the worker after a tenth and after all of many auth requests.
-- @treturn table `{ before_kb =, after_kb =, requests = }`
function measure.memory(web, requests)
  local options = { url = url(web, "/auth"), seconds = 2, connections = 64 }
  request_many(options, requests / 10)
  local before = memory.resident_kb(web:workers()[1])
  local done = request_many(options, requests)
  return { before_kb = before, after_kb = memory.resident_kb(web:workers()[1]), requests = done }
end

--- Reloads an nginx several times while subscribers and triggers come; raises when one of them fails, or when a reload
-- was not under load.
-- @tparam table options `seconds` of load, which must last for all reloads; `reloads`; `reloaded` = the nginx (`web`);
--   `count` = function() -> triggers that reached the Channels server
-- @treturn table `{ requests =, triggers = }`
function measure.reload(web, options)
  local function start(path)
    return wrk.start { url = url(web, path), seconds = options.seconds, connections = 16, with = { close = 1 } }
  end
  local function wait_for_triggers()
    local wanted = options.count() + TRIGGERS_BETWEEN_RELOADS
    web:wait("triggers after a reload", function()
      return options.count() >= wanted
    end)
  end
  local reloaded = options.reloaded or web
  local auth, trigger = start("/auth"), start("/trigger")
  for _ = 1, options.reloads do
    wait_for_triggers()
    reloaded:reload()
  end
  wait_for_triggers()
  return { requests = refuse_errors(auth()).requests, triggers = refuse_errors(trigger()).requests }
end

return measure
