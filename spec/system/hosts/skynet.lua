--- A stand-in for what the examples of docs/hosts.md use of skynet, which no registry has: one service, over cqueues.
--
-- It follows skynet 1.8 (lualib/skynet.lua, lualib/http/httpc.lua): times are hundredths of a second; `fork`, `timeout`
-- and each message run in a coroutine of their own; `retpack` replies to the message of the running coroutine, and once;
-- `httpc.request` yields, writes the given headers as they are, adds Host and Content-length, fills `recvheader` with
-- names in lower case, and raises when there is no connection or no response. The functions run in the host's only
-- thread, so what blocks stops them all, as in a service.

local cqueues = require "cqueues"
local socket = require "cqueues.socket"

local MAX_SECONDS = 30

local skynet, httpc, stand_in = {}, { timeout = nil }, {}
local loop, dispatchers, replies = cqueues.new(), {}, {}

local function check_times(hundredths)
  assert(math.type(hundredths) == "integer" and hundredths >= 0, "skynet counts whole hundredths of a second")
  return hundredths / 100
end

function skynet.start(body)
  skynet.fork(body)
end

function skynet.fork(body, ...)
  local arguments = table.pack(...)
  loop:wrap(function()
    body(table.unpack(arguments, 1, arguments.n))
  end)
end

function skynet.sleep(hundredths)
  cqueues.sleep(check_times(hundredths))
end

function skynet.timeout(hundredths, body)
  skynet.fork(function()
    skynet.sleep(hundredths)
    body()
  end)
end

function skynet.now()
  return math.floor(cqueues.monotime() * 100)
end

function skynet.dispatch(kind, body)
  dispatchers[kind] = body
end

function skynet.retpack(...)
  local coroutine_of_message = coroutine.running()
  assert(replies[coroutine_of_message] == nil, "a message is replied to once")
  replies[coroutine_of_message] = table.pack(...)
end

-- ---- httpc ----

local function read_response(connection, received)
  local status = tonumber(assert(connection:read("*L"), "no response"):match("^HTTP/1%.1 (%d%d%d)"))
  for line in connection:lines("*l") do
    local name, value = line:match("^(.-):%s*(.-)\r?$")
    if not name then
      break
    end
    received[name:lower()] = value
  end
  return status, connection:read(tonumber(received["content-length"]))
end

function httpc.request(method, host, target, received, headers, content)
  local name, port = host:match("^http://([^:]+):(%d+)$")
  local connection = socket.connect(name, tonumber(port))
  connection:setmode("b", "b")
  connection:settimeout(httpc.timeout and httpc.timeout / 100)
  local lines = { ("%s %s HTTP/1.1"):format(method, target), "Host:" .. name .. ":" .. port }
  for header, value in pairs(headers) do
    lines[#lines + 1] = header .. ":" .. value
  end
  lines[#lines + 1] = ("Content-length:%d\r\n\r\n"):format(#content)
  local ok, status, body = pcall(function()
    assert(connection:write(table.concat(lines, "\r\n"), content))
    assert(connection:flush())
    return read_response(connection, received or {})
  end)
  connection:close()
  return assert(ok and status, status), body
end

-- ---- for checks ----

--- Calls the service as `skynet.call(service, kind, ...)` does from another one.
function stand_in.call(kind, ...)
  local source, session = 1, 1
  local message = coroutine.running()
  dispatchers[kind](session, source, ...)
  local reply = assert(replies[message], "the service did not reply")
  replies[message] = nil
  return table.unpack(reply, 1, reply.n)
end

--- Runs `main` beside the service until it returns. Raises what any coroutine raises.
function stand_in.run(main)
  local deadline, ended = cqueues.monotime() + MAX_SECONDS, false
  skynet.fork(function()
    main(skynet)
    ended = true
  end)
  repeat
    assert(loop:step(1))
    assert(cqueues.monotime() < deadline, "the service hangs")
  until ended
end

package.loaded["skynet"], package.loaded["http.httpc"] = skynet, httpc

return stand_in
