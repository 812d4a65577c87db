--- Forks a process again and again while calls of an async transport are in flight, for a spec and a longer check.

local calls = require "spec.helpers.calls"
local process = require "pusher_test.process"
local pusher = require "pusher"

local forks = {}

local IN_FLIGHT = 8

-- In the child: the parent's calls end as closed; every tenth child makes calls of its own.
local function play_child(server, transport, inherited, number, over)
  assert(transport:step() >= 0)
  for _, call in ipairs(inherited) do
    assert(call.done and calls.code(call) == "closed")
  end
  assert(transport:step() == 0 and process.threads() == 1)
  if number % 10 == 0 then
    local client = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret,
      host = server.host, port = over.port, secure = over.scheme == "https", ca_file = server.ca_file,
      transport = "async" })
    assert(client:trigger("forks", "child", number):wait(2 * calls.WAIT))
    assert(calls.send(transport, server, "none", over):wait(2 * calls.WAIT) == 200)
  end
  if number % 4 == 1 then
    transport:close()
  end
end

local function start_call(transport, server, over, number)
  local path = number % 3 == 0 and "none" or "delay?ms=" .. number % 7
  return calls.send(transport, server, path, over)
end

-- Returns those still in flight; the others must have succeeded.
local function in_flight(list)
  local left = {}
  for _, call in ipairs(list) do
    if call.done then
      assert(call:result() == 200, select(2, call:result()))
    else
      left[#left + 1] = call
    end
  end
  return left
end

--- Forks `count` times; raises when a child fails or hangs, when a call of the parent fails, or when the server got
-- another number of requests than were sent.
-- @tparam string listener "http", "https" or "h2"
-- @tparam table options of the transport
-- @treturn number the longest fork, in seconds
function forks.run(server, listener, options, count)
  server:reset()
  local over = calls.over(server, listener)
  local transport = calls.transport(server, options)
  local list, sent, longest = {}, 0, 0
  for number = 1, count do
    transport:step()
    list = in_flight(list)
    while #list < IN_FLIGHT do
      sent = sent + 1
      list[#list + 1] = start_call(transport, server, over, sent)
    end
    process.poll(-1, number % 5 / 1000) -- another moment of their handshakes each time
    local status, seconds = process.run(function()
      play_child(server, transport, list, number, over)
    end, calls.CHILD)
    assert(status == 0, ("child %d ended with %d"):format(number, status))
    longest = math.max(longest, seconds)
  end
  calls.drain(transport, 10)
  assert(#in_flight(list) == 0)
  transport:close()
  local expected = sent + 2 * math.floor(count / 10)
  local requests = server:inspect().requests
  assert(requests == expected, ("%d requests arrived, %d were sent"):format(requests, expected))
  return longest
end

return forks
