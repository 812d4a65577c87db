--- What a trigger in nginx costs at least: its bytes sent, and the bytes of the response received, by nothing but
-- nginx's own sockets; and the same request by lua-resty-http, without signing and checking. For init_by_lua.

local pusher = require "pusher"
local wire = require "pusher.transport.ngx.wire"

local exchange = {}

local TIMEOUT_MS, IDLE_MS, MAX_BYTES = 20000, 60000, 16384

-- The request of a trigger, which a transport of our own gets and does not send.
local function capture(port)
  local captured
  local client = assert(pusher.new { app_id = "app-id", key = "app-key", secret = "app-secret", host = "127.0.0.1",
    port = port, secure = false, transport = { send = function(_, request) captured = request return {} end } })
  assert(client:trigger("lobby", "event", "x"))
  return captured
end

--- Makes the functions for a server.
-- @tparam number port
-- @tparam number pool_size
function exchange.new(port, pool_size)
  local request = capture(port)
  local bytes = assert(wire.request(request, { authority = "127.0.0.1:" .. port }, true))
  local url, headers = ("http://127.0.0.1:%d%s"):format(port, request.target), {}
  for _, pair in ipairs(request.headers) do
    headers[pair[1]] = pair[2]
  end
  local options = { method = "POST", body = request.body, headers = headers, keepalive_timeout = IDLE_MS,
    keepalive_pool = pool_size }
  local made = {}

  function made.raw()
    local socket = ngx.socket.tcp()
    socket:settimeouts(TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS)
    assert(socket:connect("127.0.0.1", port))
    assert(socket:send(bytes))
    assert(socket:receiveany(MAX_BYTES))
    assert(socket:setkeepalive(IDLE_MS, pool_size))
  end

  function made.by_resty_http(resty_http)
    assert(resty_http.new():request_uri(url, options))
  end

  return made
end

return exchange
