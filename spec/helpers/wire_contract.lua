--- Runs the cases of the wire (spec/helpers/wire_cases.lua) over one transport, in this process or inside nginx. It does
-- not use busted: a failure is an error.
--
-- Each case is sent twice over one transport, first over a fresh connection, then over the one that was kept. Each time
-- two ordinary requests follow, which must get their own responses: at once after the first; after the second when the
-- server reports that all bytes have arrived which it sends late.

local cases = require "spec.helpers.wire_cases"
local cjson = require "cjson"
local form = require "spec.helpers.wire_cases.form"

local contract = { cases = cases }

--- The program of the server: `local_server.start { program = contract.SERVER }`.
contract.SERVER = "tools/local_server/wire/main.lua"

local TIMEOUT, SHORT_TIMEOUT = 5, 0.05 -- seconds; a call that may time out need not wait long
local IDLE_ROUNDS = 12
local OK = { form.OK }

--- How the server ends idle connections in `run_idle_ends`.
contract.IDLE_ENDS = { http = { "close", "reset" }, https = { "close", "cut", "reset" } }

-- The members of a case that are others for this version of libcurl.
local function of_version(case, kind)
  local version = kind == "curl" and case.libcurl and require("pusher.curl").LIBCURL:match("^libcurl/(%d+%.%d+)")
  return version and case.libcurl[version] or {}
end

local function describe(outcome)
  if type(outcome) == "string" then
    return "code " .. outcome
  end
  return ("status %s with %d bytes: %q"):format(outcome.status, #outcome.body, outcome.body:sub(1, 60))
end

local function describe_all(list)
  local texts = {}
  for index, outcome in ipairs(list) do
    texts[index] = describe(outcome)
  end
  return table.concat(texts, ", or ")
end

local function is_allowed(outcome, allowed)
  for _, one in ipairs(allowed) do
    if one == outcome or (type(one) == "table" and one.status == outcome.status and one.body == outcome.body) then
      return true
    end
  end
  return false
end

local function fail(step, text, ...)
  error(("%s: %s"):format(step, text:format(...)), 0)
end

--- A request to the server.
function contract.request(server, scheme, target, over)
  local out = {
    method = "POST", scheme = scheme, host = server.host, port = scheme == "https" and server.tls_port or server.port,
    target = target, headers = { { "Content-Type", "application/json" } }, body = "{}", timeout = TIMEOUT,
  }
  for name, value in pairs(over or {}) do
    out[name] = value
  end
  return out
end

--- The options of a transport.
function contract.options(server)
  return { ca_file = server.ca_file, timeout = TIMEOUT, keepalive = { idle = 60, pool_size = 10 } }
end

--- A script of the server: it ends each connection while it is idle.
-- @tparam string ending one of `contract.IDLE_ENDS[scheme]`
-- @tparam[opt] number together how many requests are responded to at once
function contract.idle_end(ending, together)
  return { bytes = form.sized(), after = "late", late = "", ending = ending, together = together }
end

-- One run of one case: `{ case =, server =, scheme =, send =, allowed = }`.

local function outcome_of(run, given)
  local result, message, details = run.send(given)
  if result then
    return { status = result.status, body = result.body }, message
  end
  return details.code, message
end

-- Sends the case; returns whether the outcome was a timeout.
local function send_case(run, step, allowed)
  local case = run.case
  local over = { timeout = is_allowed("timeout", allowed) and SHORT_TIMEOUT or nil }
  for name, value in pairs(case.request or {}) do
    over[name] = value
  end
  local outcome, message = outcome_of(run, contract.request(run.server, run.scheme, "/case", over))
  if not is_allowed(outcome, allowed) then
    fail(step, "got %s (%s); allowed: %s", describe(outcome), tostring(message), describe_all(allowed))
  end
  return outcome == "timeout"
end

-- An ordinary request, which must get its own response; returns the number of its connection. With some versions of
-- libcurl it may fail with the code `run.own`.
local function send_own(run, step)
  run.count = (run.count or 0) + 1
  local target = "/own/" .. run.count
  local outcome, message = outcome_of(run, contract.request(run.server, run.scheme, target))
  if run.own and outcome == run.own then
    return nil
  end
  local ok, echo = pcall(cjson.decode, type(outcome) == "table" and outcome.body or "")
  if not ok or echo.target ~= target then
    fail(step, "%s got %s (%s)", target, describe(outcome), tostring(message))
  end
  return echo.connection
end

local function check_connection(run, step, before, now)
  local kept = run.kept
  if type(kept) == "boolean" and (before == now) ~= kept then
    fail(step, "the connection was %s", kept and "not kept" or "kept")
  end
end

local function check_arrivals(step, count, min, max)
  if count < min or count > max then
    fail(step, "the request arrived %d times", count)
  end
end

local function send_first(run)
  local timed_out = send_case(run, "over a fresh connection", run.allowed)
  local connection = send_own(run, "at once, first request")
  send_own(run, "at once, second request")
  local state = run.server:settle()
  check_arrivals("over a fresh connection", state.arrivals, timed_out and 0 or 1, 1)
  -- What is late on a connection has come only now.
  if run.case.after ~= "late" then
    check_connection(run, "at once", state.connection, connection)
  end
end

local function send_again(run)
  local timed_out = send_case(run, "over the kept connection", run.case.again or run.allowed)
  local state = run.server:settle()
  local connection = send_own(run, "after a pause, first request")
  send_own(run, "after a pause, second request")
  check_arrivals("over the kept connection", state.arrivals, timed_out and 0 or 2, run.case.arrivals or 3)
  check_connection(run, "after a pause", state.connection, connection)
end

-- Closes the transport also when f raises.
local function with_transport(server, open, f)
  local send, close = open(contract.options(server))
  local ok, message = pcall(f, send)
  close()
  if not ok then
    error(message, 0)
  end
end

--- Runs one case.
-- @tparam table case one of `contract.cases`
-- @tparam string kind "curl" (async, too) or "ngx"
-- @tparam string scheme "http" or "https"
-- @tparam table server as `local_server.start` returns
-- @tparam function open function(options) -> `send(request) -> result | nil, message, details`, `close()`
function contract.run(case, kind, scheme, server, open)
  server:play { bytes = case.bytes, size = case.size, pieces = case.pieces, after = case.after, late = case.late,
    ending = case.ending }
  with_transport(server, open, function(send)
    local special = of_version(case, kind)
    local run = { case = case, server = server, scheme = scheme, send = send, own = special.own,
      kept = special.kept or case.kept, allowed = special.allow or case[kind] or case.allow or OK }
    send_first(run)
    send_again(run)
  end)
end

--- Many ends of idle connections in a row over one transport: all calls must succeed.
-- @tparam string ending one of `contract.IDLE_ENDS[scheme]`
function contract.run_idle_ends(ending, scheme, server, open)
  server:play(contract.idle_end(ending))
  with_transport(server, open, function(send)
    local run = { case = {}, server = server, scheme = scheme, send = send }
    for round = 1, IDLE_ROUNDS do
      local step = "round " .. round
      send_case(run, step, OK)
      local state = server:settle()
      check_arrivals(step, state.arrivals, round, round)
      if state.late ~= 1 then
        fail(step, "%d idle connections were ended", state.late)
      end
    end
    send_own(run, "at last")
  end)
end

return contract
