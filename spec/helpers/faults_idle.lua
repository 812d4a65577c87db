-- Run with faults.so preloaded: faults_idle.lua TRANSPORT HOST PORT. A connection that has been idle for longer than
-- keepalive.idle carries no request; libcurl counts whole seconds. Prints "good".

local cjson = require "cjson"
local faults = require "pusher_test.faults"
local new_request = require "spec.helpers.request"

local name, host, port = ...
local server = { host = host, port = tonumber(port) }

local function parse(_, body)
  return cjson.decode(body).connection
end

local function send(transport)
  local result, message = transport:send(new_request(server), parse)
  return assert(name == "async" and result:wait() or result, message)
end

local TRIES = 5 -- what the machine takes between two requests is idle time, too

-- The connections of three requests, `kept` seconds and then one more after each other.
local function play(idle, kept)
  local transport = assert(require("pusher.transport." .. name).new { keepalive = { idle = idle } })
  local first = send(transport)
  faults.pass(kept)
  local second = send(transport)
  faults.pass(kept + 1)
  local third = send(transport)
  transport:close()
  return first, second, third
end

for idle, kept in pairs { [0.5] = 1, [1] = 1, [60] = 60 } do
  local first, second, third
  for _ = 1, TRIES do
    first, second, third = play(idle, kept)
    if first == second then
      break
    end
  end
  assert(first == second, ("idle = %g: closed after %d s"):format(idle, kept))
  assert(second ~= third, ("idle = %g: kept after %d s"):format(idle, kept + 1))
end
print("good")
