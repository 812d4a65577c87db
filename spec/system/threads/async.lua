-- One of many threads that start, cancel and forget calls over async transports at once, close transports, leave them to
-- the garbage collector, and fork. Each pending ends once. The last transport is open when the state is closed.
-- Arguments: the thread's number, the number of threads, host, port, TLS port and CA file of a local server, rounds,
-- `child_may_hang` under ThreadSanitizer (run.lua says why).

local number, _, host, port, tls_port, ca_file, rounds, child_may_hang = ...
local async = require "pusher.transport.async"
local process = require "pusher_test.process"

local CHILD = child_may_hang and 5 or 60 -- seconds after which a child hangs
local SIGALRM = 128 + 14 -- the status of one that was ended then
local WAIT = 120 -- seconds; sanitizers slow everything down

math.randomseed(number)

local function send(transport)
  local secure = math.random(8) == 1
  local seen = { ends = 0 }
  seen.call = assert(transport:send({
    method = "POST", scheme = secure and "https" or "http", host = host, port = tonumber(secure and tls_port or port),
    headers = {}, body = "{}", timeout = WAIT, target = "/_misbehave/" .. (math.random(10) == 1 and "hang" or "none"),
  }, tostring))
  seen.call:on_done(function() seen.ends = seen.ends + 1 end)
  return seen
end

local function new()
  return assert(async.new { ca_file = ca_file, keepalive = { pool_size = math.random(0, 4) } })
end

local function fork(transport, list)
  local status = process.run(function()
    transport:step()
    for _, seen in ipairs(list) do
      assert(seen.ends == 1)
    end
    transport:close()
  end, CHILD)
  assert(status == 0 or child_may_hang and status == SIGALRM, status)
end

-- What becomes of a transport with calls in flight.
local ENDS = {
  function(transport) transport:close() end,
  function() return nil end, -- nobody keeps it, nor its calls
  function(transport, list)
    for _, seen in ipairs(list) do
      seen.call:cancel()
    end
    transport:step()
    assert(transport:step() == 0)
    transport:close()
  end,
}

for round = 1, tonumber(rounds) do
  local transport, list = new(), {}
  for index = 1, 10 do
    list[index] = send(transport)
    local other = list[math.random(index)]
    if math.random(3) == 1 then
      other.call:cancel()
    end
    if math.random(3) == 1 then
      transport:step(math.random(3) == 1 and 0.001 or 0)
    end
  end
  if round % 20 == number % 20 then
    fork(transport, list)
  end
  local which = math.random(#ENDS)
  ENDS[which](transport, list)
  for _, seen in ipairs(list) do
    assert(which == 2 or seen.ends == 1)
  end
  if which == 2 then
    transport, list = nil, nil -- luacheck: ignore 311
    collectgarbage()
  end
end
send(new())
