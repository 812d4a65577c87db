--- Publishing from a cqueues loop: the publisher is an object that cqueues can poll. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID luajit examples/cqueues_loop.lua [EVENTS]

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local pusher = require "pusher"

local left = tonumber(arg[1] or 100)
local client = assert(pusher.from_env(nil, { transport = "async" }))
local publisher = assert(client:publisher())
local loop, triggered = cqueues.new(), condition.new()

loop:wrap(function()
  while left > 0 or publisher:step() > 0 do
    cqueues.poll(publisher, triggered)
    publisher:step()
  end
end)

-- The application: an event every few milliseconds.
loop:wrap(function()
  while left > 0 do
    assert(publisher:trigger("my-channel", "tick", { left = left }))
    left = left - 1
    triggered:signal()
    cqueues.sleep(0.005)
  end
end)

assert(loop:loop())
assert(publisher:close(0)) -- nothing is left
client:close()
print(("%d events sent in %d calls"):format(publisher:stats().sent, publisher:stats().calls))
