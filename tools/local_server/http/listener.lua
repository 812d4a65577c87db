--- Opens listeners of lua-http on 127.0.0.1, port 0, and counts connections.

local cs = require "cqueues.socket"
local http_server = require "http.server"
local exchange = require "tools.local_server.http.exchange"

local listener = {}

-- A kept connection that is idle longer than this is closed, in seconds.
local IDLE = 75

local function silent()
  return true
end

local function end_input(connection)
  return connection.socket:shutdown("r")
end

-- Afterwards lua-http must neither send a second GOAWAY, which would name a later stream, nor reset all streams that it
-- ignored: when the client has left, cqueues counts the failed writes, and raises. Nor may it collect an ignored stream:
-- for it the next frame of such a stream is an error, and it closes the connection.
local function announce_end(connection, stream)
  connection:write_goaway_frame(stream.id, 0)
  setmetatable(connection.streams, nil)
  connection.write_goaway_frame, connection.shutdown = silent, end_input
end

-- As nginx does after `keepalive_requests` (ngx_http_v2.c): the last stream that is served is named in GOAWAY at once, and
-- later ones are ignored (RFC 9113 6.8). The client closes the connection when it has its responses.
local function limit_streams(self, limit, onstream)
  local opened = setmetatable({}, { __mode = "k" }) -- streams by connection
  return function(server, stream)
    local connection = stream.connection
    local count = (opened[connection] or 0) + 1
    opened[connection] = count
    if connection.version == 2 and count == limit then
      self.goaways = self.goaways + 1
      announce_end(connection, stream)
    end
    if connection.version == 2 and count > limit then
      stream.shutdown = silent
    else
      onstream(server, stream)
    end
  end
end

local function report(_, context, operation, message)
  -- Clients that break off are expected here, and so are responses that come too late for an HTTP/2 client.
  if operation == "onstream" and not (context.state == "closed" and context.connection.version == 2) then
    io.stderr:write("local server: ", tostring(context), ": ", tostring(message), "\n")
  end
end

--- Opens a listener.
-- @tparam table options `cq`; `handle` = function(exchange), called in a coroutine for each request; `name`, found in
--   `exchange.listener`; `context`, an OpenSSL context for TLS; `http2` to allow HTTP/2;
--   `http2_requests`, after so many an HTTP/2 connection ends (default: never); `port`
-- @treturn table `{ port =, accepted =, goaways =, open = function, serve = function(socket) }`
function listener.open(options)
  local self = { name = options.name, accepted = 0, goaways = 0 }
  local handle = options.handle
  local function onstream(_, stream)
    local current = exchange.read(stream, self)
    if current then
      handle(current)
    end
  end
  local server = assert(http_server.listen {
    cq = options.cq,
    host = "127.0.0.1",
    port = options.port or 0,
    reuseaddr = true,
    tls = options.context ~= nil,
    ctx = options.context,
    version = not options.http2 and 1.1 or nil,
    connection_setup_timeout = IDLE, -- many handshakes at once, on a busy machine, took longer than the default of 10
    intra_stream_timeout = IDLE,
    onerror = report,
    onstream = options.http2_requests and limit_streams(self, options.http2_requests, onstream) or onstream,
  })
  local add_socket = server.add_socket
  function server.add_socket(...)
    self.accepted = self.accepted + 1
    return add_socket(...)
  end
  function self.open()
    return server.n_connections
  end
  function self.serve(socket)
    server:add_socket(socket)
  end
  assert(server:listen())
  self.port = select(3, server:localname())
  return self
end

--- Opens a port whose connections are handed to listeners in turn, as a load balancer does with servers that differ.
-- @param cq the cqueues controller
-- @tparam table listeners a list, as `open` returns them
-- @treturn number the port
function listener.mix(cq, listeners)
  local listening = cs.listen { host = "127.0.0.1", port = 0 }
  assert(listening:listen())
  cq:wrap(function()
    local accepted = 0
    for client in listening:clients { nodelay = true } do
      accepted = accepted + 1
      listeners[(accepted - 1) % #listeners + 1].serve(client)
    end
  end)
  return (select(3, listening:localname()))
end

return listener
