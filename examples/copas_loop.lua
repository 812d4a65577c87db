--- Publishing from a Copas loop: to Copas the publisher is one more socket that it reads from. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.1 examples/copas_loop.lua [EVENTS]

local copas = require "copas"
local socket = require "socket"
local pusher = require "pusher"

local left = tonumber(arg[1] or 100)
local client = assert(pusher.from_env(nil, { transport = "async" }))
local publisher = assert(client:publisher())

-- Readable when responses wait; a read takes them. Copas and LuaSocket need no more of a socket than this.
local responses = {}

function responses.getfd() return publisher:pollfd() end

function responses.dirty() return false end

function responses.receive()
  publisher:step()
  return nil, "timeout" -- nothing to read: select again
end

copas.addthread(function() copas.receive(responses) end)

-- The application: an event every few milliseconds. Returns the seconds until the next one.
local due = socket.gettime()
local function work()
  if left > 0 and socket.gettime() >= due then
    assert(publisher:trigger("my-channel", "tick", { left = left }))
    left, due = left - 1, due + 0.005
  end
  return left > 0 and math.max(0, due - socket.gettime()) or math.huge
end

while left > 0 or publisher:step() > 0 do
  local seconds = math.min(work(), publisher:timeout() or math.huge)
  copas.step(seconds < math.huge and seconds or nil) -- returns earlier when responses wait
  publisher:step()
end

assert(publisher:close(0)) -- nothing is left
client:close()
print(("%d events sent in %d calls"):format(publisher:stats().sent, publisher:stats().calls))
