--- What the checks do with a client of the library and a subscriber on pusher-js.

local assert = require "luassert"
local cjson = require "cjson"
local pusher = require "pusher"

local calls = {}

calls.MASTER_KEY = "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="

--- A client for an app at a server.
-- @tparam table channels the server: `host`, `port`
-- @tparam[opt] table app `app_id`, `key`, `secret`, if not the server's first one
-- @tparam[opt] table options more of the client; they win
function calls.client(channels, app, options)
  app = app or channels
  local settings = {
    app_id = app.app_id,
    key = app.key,
    secret = app.secret,
    host = channels.host,
    port = channels.port,
    secure = false,
    timeout = 30,
    encryption_master_key_base64 = calls.MASTER_KEY,
  }
  for option, value in pairs(options or {}) do
    settings[option] = value
  end
  return assert(pusher.new(settings))
end

--- Subscribes, with an authorization of the client where the channel needs one.
-- @return the data of pusher:subscription_succeeded
function calls.subscribe(client, subscriber, channel, member)
  local authorization
  if not channel:find("^public") and not channel:find("^cache") then
    local params = { socket_id = subscriber.socket_id, channel_name = channel }
    authorization = cjson.decode((assert(client:authorize_channel(params, member))))
  end
  local done = subscriber:subscribe { channel = channel, authorization = authorization }
  assert.equal("pusher:subscription_succeeded", done.event)
  return done.data
end

--- Signs a subscriber in.
-- @tparam[opt=true] boolean with_channel whether the user's own channel must be open, too
-- @return the user's data
function calls.sign_in(client, subscriber, user, with_channel)
  local text = assert(client:authenticate_user({ socket_id = subscriber.socket_id }, user))
  return subscriber:sign_in { authentication = cjson.decode(text), channel = with_channel ~= false }
end

--- The data of the next event of that name on a channel.
function calls.next_event(subscriber, channel, event)
  local found = subscriber:next_event { channel = channel, event = event }
  assert.is_truthy(found, event .. " did not arrive on " .. channel)
  return found.data
end

--- The data of as many events of that name on a channel, in the order of their arrival.
function calls.next_events(subscriber, channel, event, count)
  local found = subscriber:next_events { channel = channel, event = event, count = count }
  assert.equal(count, #found, "not all events arrived")
  return found
end

return calls
