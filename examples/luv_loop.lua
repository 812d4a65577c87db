--- Publishing from a libuv loop (luv): one descriptor and one timer drive everything. Run it with:
--
--     PUSHER_URL=https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.4 examples/luv_loop.lua [EVENTS]

local pusher = require "pusher"
local uv = require "luv"

local left = tonumber(arg[1] or 100)
local client = assert(pusher.from_env(nil, { transport = "async" }))
local publisher = assert(client:publisher())
local responses, timer, work = uv.new_poll(publisher:pollfd()), uv.new_timer(), uv.new_timer()

-- Does what can be done now, and sets the timer for the next turn, in case no response arrives before.
local function turn()
  local unsettled, seconds = publisher:step(), publisher:timeout()
  if seconds then
    timer:start(math.ceil(seconds * 1000), 0, turn)
  elseif unsettled == 0 and left == 0 then
    responses:close()
    timer:close()
  end
end

responses:start("r", turn)

-- The application: an event every few milliseconds.
work:start(0, 5, function()
  assert(publisher:trigger("my-channel", "tick", { left = left }))
  left = left - 1
  if left == 0 then
    work:close()
  end
  turn()
end)

uv.run()
assert(publisher:close(0)) -- nothing is left
client:close()
print(("%d events sent in %d calls"):format(publisher:stats().sent, publisher:stats().calls))
