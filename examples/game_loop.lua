--- A game server's loop: 60 ticks and 500 events a second, and no tick waits for the network. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.4 examples/game_loop.lua [SECONDS]

local clock = require "pusher.core" -- private; only for now() and sleep(), which a game has itself
local pusher = require "pusher"

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

local start, longest, slow, triggered = clock.now(), 0, 0, 0
for tick = 1, seconds * TICKS do
  local before = clock.now()
  while triggered < tick * EVENTS / TICKS do
    triggered = triggered + 1
    assert(publisher:trigger("zone-" .. triggered % 50, "shot", { number = triggered, x = tick, y = -tick }))
  end
  publisher:step()
  local work = clock.now() - before
  longest, slow = math.max(longest, work), slow + (work > 0.001 and 1 or 0)
  clock.sleep(math.max(0, start + tick / TICKS - clock.now()))
end

assert(publisher:close(10))
client:close()
local stats = publisher:stats()
print(("%d events sent in %d calls; longest tick %.2f ms, %d of %d above 1 ms"):format(
  stats.sent, stats.calls, longest * 1000, slow, seconds * TICKS))
