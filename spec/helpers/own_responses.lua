--- Many calls at once over the async transport, in waves: each must get its own response, and its request must arrive once.
--
-- `own_responses.run(server, port, options)`: `server` is the local Channels server, which records what arrives, `port`
-- its own, or that of a server in front of it. Options: `ca_file`, `calls` in a wave, `waves` over one transport (1),
-- `transports`, one after another (1), `methods` in turn ({ "POST" }), `pool_size`, `proxy`, and `cancel` = function() ->
-- whether to cancel a call.
-- All calls together must not be more than the server keeps in its record (1000).

local async = require "pusher.transport.async"
local cjson = require "cjson"
local new_request = require "spec.helpers.request"
local time_scale = require "spec.helpers.time_scale"

local own_responses = {}

local TIMEOUT = 20 * time_scale -- seconds
local PATH = "none?call=" -- responds with the request as it arrived

local function parse(status, body)
  return { status = status, body = body }
end

local function start_wave(transport, server, port, options, name)
  local methods, calls = options.methods or { "POST" }, {}
  for index = 1, options.calls do
    local method, path = methods[index % #methods + 1], PATH .. name .. "." .. index
    local target = "/_misbehave/" .. path
    calls[index] = { target = target, pending = transport:send(new_request(server, path, { method = method, scheme = "https",
      host = "localhost", port = port, body = method == "POST" and target, timeout = TIMEOUT }), parse) }
  end
  return calls
end

local function check_outcome(target, pending)
  local result, message, details = pending:wait()
  if not result then
    return ("%s failed: %s (%s, sent %s)"):format(target, message, details.code, tostring(details.sent))
  end
  local ok, echo = pcall(cjson.decode, result.body)
  if not ok or echo.target ~= target or echo.body ~= (echo.method == "POST" and target or "") then
    return ("%s got another response: %s"):format(target, result.body)
  end
end

-- Cancels some before the first has ended, and some while others end.
local function finish_wave(calls, cancel, run)
  for _, call in ipairs(calls) do
    call.cancelled = cancel() and call.pending:cancel()
    run.calls[#run.calls + 1] = call
  end
  for _, call in ipairs(calls) do
    call.cancelled = call.cancelled or cancel() and call.pending:cancel()
    run.lines[#run.lines + 1] = not call.cancelled and check_outcome(call.target, call.pending) or nil
  end
end

local function check_arrivals(server, run)
  local arrivals = {}
  for _, request in ipairs(server:requests()) do
    arrivals[request.target] = (arrivals[request.target] or 0) + 1
  end
  for _, call in ipairs(run.calls) do
    local count = arrivals[call.target] or 0
    if count ~= 1 and not (call.cancelled and count == 0) then
      run.lines[#run.lines + 1] = ("%s arrived %d times"):format(call.target, count)
    end
  end
end

local function never()
  return false
end

--- Sends all calls.
-- @treturn string a line for each call without its own response, and for each that did not arrive once; else ""
function own_responses.run(server, port, options)
  local run = { lines = {}, calls = {} }
  server:reset()
  for number = 1, options.transports or 1 do
    local transport = assert(async.new { ca_file = options.ca_file or server.ca_file, timeout = TIMEOUT,
      keepalive = { pool_size = options.pool_size }, proxy = options.proxy })
    for wave = 1, options.waves or 1 do
      local calls = start_wave(transport, server, port, options, number .. "." .. wave)
      finish_wave(calls, options.cancel or never, run)
    end
    transport:close()
  end
  check_arrivals(server, run)
  return table.concat(run.lines, "\n")
end

return own_responses
