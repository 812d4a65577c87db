--- Push notifications: one receipt, given to every handler that a configuration names. Run it with:
--
--     lua5.4 examples/push.lua [CONFIG.json]
--
-- CONFIG.json is a list such as
--     [ { "name": "stdout",   "config": { "enabled": true } },
--       { "name": "channels", "config": { "url": "https://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID" } },
--       { "name": "fcm",      "config": { "enabled": true, "credentials_file": "service-account.json" } } ]
-- Without it only the first of these is used.

local fcm = require "pusher.push.fcm"
local async = require "pusher.transport.async"
local push = require "pusher.push"
local pusher = require "pusher"
local stdout = require "pusher.push.stdout"
local uid = require "pusher.push.tinode.uid"

local ANN, BOB = uid.from_decimal("1001"), uid.from_decimal("1002")

-- A handler of our own: receipts as Channels events to users that are signed in. Over the async transport `push`
-- returns at once, and `step` moves what is in flight.
local channels = {}

function channels:init(config)
  self.transport = assert(async.new())
  local client, message, details = pusher.from_url(config.url, { transport = self.transport })
  self.client = client
  return client, message, details
end

function channels:push(receipt)
  for user, recipient in pairs(receipt.to) do
    local payload = { topic = receipt.payload.topic, seq = receipt.payload.seq, unread = recipient.unread }
    self.client:send_to_user(assert(uid.user_id(user)), receipt.payload.what, payload):on_done(function(sent, message)
      print(("channels: %s %s"):format(uid.user_id(user), sent and "sent" or message))
    end)
  end
  return true
end

function channels:step(seconds)
  return self.transport:step(seconds) -- how many calls are in flight
end

function channels:stop(seconds)
  self:step(seconds)
  self.client:close()
  self.transport:close()
end

-- A store of devices; a real one is a table of a database.
local store = {
  [ANN] = { { device_id = "token-of-anns-phone", platform = "android" },
    { device_id = "token-of-anns-tablet", platform = "ios" } },
  [BOB] = { { device_id = "token-of-bobs-browser", platform = "web" } },
}

local function devices(users)
  local found = {}
  for _, user in ipairs(users) do
    found[user] = store[user]
  end
  return found
end

local function remove(user, device_id)
  for index, device in ipairs(store[user]) do
    if device.device_id == device_id then
      table.remove(store[user], index)
      break
    end
  end
  return true
end

local function on_result(_, device, outcome, message)
  print(("fcm: %s %s %s"):format(device and device.device_id or "the receipt", outcome, message or ""))
end

local function read_config(path)
  if not path then
    return '[ { "name": "stdout", "config": { "enabled": true } } ]'
  end
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

push.register("stdout", assert(stdout.new()))
push.register("channels", channels)
push.register("fcm", assert(fcm.new { devices = devices, remove = remove, on_result = on_result }))
assert(push.init(read_config(arg[1])))

print(("accepted by %d handlers"):format(assert(push.push {
  to = { [ANN] = { unread = 3 }, [BOB] = { unread = 1 } },
  payload = {
    what = push.ACT_MSG, topic = "grpAbCdEf", from = uid.user_id(uid.from_decimal("1003")), seq = 42,
    mime = "text/x-drafty", content = { txt = "dinner is ready", fmt = { { at = 10, len = 5, tp = "ST" } } },
  },
})))
assert(push.flush(30))
push.stop()
