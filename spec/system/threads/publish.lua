-- One of many threads that publish in the background at once, each in its own Lua state; every second thread over the
-- blocking transport. Encrypted events and authorizations in between.
-- Arguments: the thread's number, the number of threads, host, port and master key of a local Channels server, events.

local number, _, host, port, master_key, events = ...
local pusher = require "pusher"

local client = assert(pusher.new {
  app_id = "app-id",
  key = "app-key",
  secret = "app-secret",
  host = host,
  port = tonumber(port),
  secure = false,
  timeout = 60, -- sanitizers slow everything down
  transport = number % 2 == 0 and "async" or "curl",
  encryption_master_key_base64 = master_key,
})
local publisher = assert(client:publisher { max_queue = 1000 })
local channels = { "thread-" .. number, "private-encrypted-thread-" .. number }

for i = 1, tonumber(events) do
  while not publisher:trigger(channels[i % 5 == 0 and 2 or 1], "event", { thread = number, n = i }) do
    publisher:step(0.01)
  end
  if i % 50 == 0 then
    publisher:step()
    assert(client:authorize_channel("socket_id=1.2&channel_name=private-thread"))
  end
end
assert(publisher:close(60))
assert(publisher:stats().sent == tonumber(events))
client:close()
