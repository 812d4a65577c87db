-- One of many threads that publish at once, each in its own Lua state with its own client; every second thread over
-- the blocking transport, the others over the async transport.
-- Arguments: the thread's number, the number of threads, host and port of a local Channels server, triggers.

local number, _, host, port, calls = ...
local pusher = require "pusher"

local client = assert(pusher.new {
  app_id = "app-id",
  key = "app-key",
  secret = "app-secret",
  host = host,
  port = tonumber(port),
  secure = false,
  timeout = 60, -- sanitizers slow everything down
  transport = number % 2 == 0 and "async" or nil, -- the default is blocking, and loads libcurl with the first trigger
})

local IN_FLIGHT = 16
local waiting = {}

local function wait_for_all()
  for index, pending in ipairs(waiting) do
    assert(pending:wait(60))
    waiting[index] = nil
  end
end

for i = 1, tonumber(calls) do
  local result = assert(client:trigger("thread-" .. number, "event", "event " .. i))
  if number % 2 == 0 then
    waiting[#waiting + 1] = result
    if #waiting == IN_FLIGHT then
      wait_for_all()
    end
  end
end
for index = #waiting, 1, -1 do
  assert(waiting[index]:wait(60))
end
client:close()
