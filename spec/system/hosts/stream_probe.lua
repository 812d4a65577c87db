--- What nginx_check.lua runs inside stream {} besides the example.

local account = require "tools.local_server.account"
local fcm = require "pusher.push.fcm"
local openresty = require "pusher.openresty"

local stream_probe = {}

local WAIT_SECONDS = 30

local function allow()
  return true
end

--- Whether the handlers say that they cannot work here, and `decide` works.
-- @treturn string lines
function stream_probe.outcomes(client)
  local _, message = pcall(openresty.authorize_channel, client, allow)
  local status, text = openresty.decide.authorize_channel(client, allow, "socket_id=1.2&channel_name=private-a")
  return ("%s\n%d %s"):format(message, status, text)
end

--- Sends a push message.
-- @tparam string url of the local push server
-- @treturn number how many were sent
function stream_probe.push(url)
  local handler = assert(fcm.new { devices = function() return {} end })
  assert(handler:init { enabled = true, credentials = account.new(), fcm_url = url, token_url = url .. "/token" })
  assert(handler:send { token = "t", data = { score = "5" } })
  local deadline = ngx.now() + WAIT_SECONDS
  while handler:stats().sent == 0 and ngx.now() < deadline do
    ngx.sleep(0.005)
  end
  handler:stop()
  return handler:stats().sent
end

return stream_probe
