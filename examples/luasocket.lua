--- Publishing with LuaSocket: pusher signs the request and parses the response; LuaSocket sends it. Run it with:
--
--     PUSHER_URL=http://KEY:SECRET@api-CLUSTER.pusher.com/apps/APP_ID lua5.4 examples/luasocket.lua [CHANNEL]
--
-- It needs LuaSocket (Debian: lua-socket; LuaRocks: luasocket), which speaks plain HTTP. For https:// set
-- `local http = require "ssl.https"`, from LuaSec.

local http = require "socket.http"
local ltn12 = require "ltn12"
local pusher = require "pusher"

http.TIMEOUT = 5 -- seconds

local client = assert(pusher.from_env())

-- Sends what client:build_request made; returns what client:post would: a result, or nil, message, details.
local function send(request, message, details)
  if not request then
    return nil, message, details
  end
  local headers = request.header_map
  headers["Content-Length"] = request.body and #request.body
  local pieces = {}
  local sent, status, response_headers = http.request {
    method = request.method, url = request.url, headers = headers, redirect = false,
    source = request.body and ltn12.source.string(request.body), sink = ltn12.sink.table(pieces),
  }
  if not sent then
    return nil, "no response: " .. status, { code = "network", retryable = true }
  end
  return client:parse_response(status, table.concat(pieces), response_headers)
end

local result, message, details = send(client:build_request("POST", "/events", nil, {
  name = "my-event", channels = { arg[1] or "my-channel" }, data = "hello from LuaSocket",
}))
if not result then
  io.stderr:write("not sent: ", message, details.hint and " (" .. details.hint .. ")" or "", "\n")
  os.exit(1)
end

result = assert(send(client:build_request("GET", "/channels", { filter_by_prefix = "presence-" })))
local count = 0
for _ in pairs(result.channels) do
  count = count + 1
end
client:close()
print(("sent; %d presence channels are occupied"):format(count))
