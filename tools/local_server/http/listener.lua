--- Opens listeners of lua-http on 127.0.0.1, port 0, and counts connections.

local http_server = require "http.server"
local exchange = require "tools.local_server.http.exchange"

local listener = {}

-- A kept connection that is idle longer than this is closed, in seconds.
local IDLE = 75

local function report(_, context, operation, message)
  -- Clients that break off are expected here.
  if operation == "onstream" then
    io.stderr:write("local server: ", tostring(context), ": ", tostring(message), "\n")
  end
end

--- Opens a listener.
-- @tparam table options `cq`; `handle` = function(exchange), called in a coroutine for each request; `name`, found in
--   `exchange.listener`; `context`, an OpenSSL context for TLS; `http2` to allow HTTP/2; `port`
-- @treturn table `{ port =, accepted =, open = function }`
function listener.open(options)
  local self = { name = options.name, accepted = 0 }
  local handle = options.handle
  local server = assert(http_server.listen {
    cq = options.cq,
    host = "127.0.0.1",
    port = options.port or 0,
    reuseaddr = true,
    tls = options.context ~= nil,
    ctx = options.context,
    version = not options.http2 and 1.1 or nil,
    intra_stream_timeout = IDLE,
    onerror = report,
    onstream = function(_, stream)
      local current = exchange.read(stream, self)
      if current then
        handle(current)
      end
    end,
  })
  local add_socket = server.add_socket
  function server.add_socket(...)
    self.accepted = self.accepted + 1
    return add_socket(...)
  end
  function self.open()
    return server.n_connections
  end
  assert(server:listen())
  self.port = select(3, server:localname())
  return self
end

return listener
