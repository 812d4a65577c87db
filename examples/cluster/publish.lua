--- Publishes numbered events through the address of a cluster, and prints what became of them:
--
--     PUSHER_URL=https://KEY:SECRET@HOST:PORT/apps/APP_ID CA_FILE=ca.pem lua5.4 examples/cluster/publish.lua [COUNT]

local pusher = require "pusher"

local count = assert(tonumber(arg[1] or 100), "usage: publish.lua [COUNT]")
local client = assert(pusher.from_env("PUSHER_URL", { ca_file = os.getenv "CA_FILE" }))
local publisher = assert(client:publisher {
  on_result = function(event, result, message)
    if not result then
      io.stderr:write(event.channel, ": ", message, "\n")
    end
  end,
})
for number = 1, count do
  assert(publisher:trigger("my-channel", "my-event", { number = number }))
end
local done, message = publisher:close(60)
if not done then
  io.stderr:write(message, "\n")
end
local stats = publisher:stats()
client:close()
print(("sent %d events in %d calls, %d sent again, %d failed"):format(
  stats.sent, stats.calls, stats.retried, stats.failed))
os.exit(done and stats.failed == 0 and 0 or 1)
