--- A game server's loop: 60 ticks and 500 events a second, and no tick waits for the network. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.4 examples/game_loop.lua [SECONDS]

local pusher = require "pusher"
local socket = require "socket" -- LuaSocket; only for a clock and a sleep, which a game has itself

local TICKS, EVENTS = 60, 500 -- a second
local seconds = tonumber(arg[1] or 10)

local client = assert(pusher.from_env(nil, { transport = "async" }))
local publisher = assert(client:publisher {
  on_result = function(event, result, message)
    if not result then
      print(("lost: %s on %s: %s"):format(event.name, event.channel, message))
    end
  end,
})

local start, triggered = socket.gettime(), 0
for tick = 1, seconds * TICKS do
  while triggered < tick * EVENTS / TICKS do
    triggered = triggered + 1
    assert(publisher:trigger("zone-" .. triggered % 50, "shot", { number = triggered, x = tick, y = -tick }))
  end
  publisher:step()
  socket.sleep(math.max(0, start + tick / TICKS - socket.gettime()))
end

assert(publisher:close(10))
client:close()
print(("%d events sent in %d calls"):format(publisher:stats().sent, publisher:stats().calls))
