--- Ports that break off while a connection is being set up: proxies that are asked for a tunnel, and TLS servers.
--
-- Each reads the first bytes of a client, then sends something, and ends the connection or waits for ever.

local cqueues = require "cqueues"
local cs = require "cqueues.socket"
local posix = require "tools.local_server.http.posix"

local broken = {}

local LIMIT = 600 -- seconds
local FLOOD_BYTES = 4 * 1024 * 1024

local ESTABLISHED = "HTTP/1.1 200 Connection established\r\n"
-- A record with a fatal alert, handshake_failure (RFC 8446 sections 5.1 and 6.2).
local ALERT = "\21\3\3\0\2\2\40"
-- The head of a record and of a ServerHello, of which nothing more comes.
local HALF_HELLO = "\22\3\3\0\90\2\0\0\86\3\3"

local function send(text)
  return function(client)
    client:xwrite(text, "bn", LIMIT)
  end
end

local function flood(client)
  local line, left = "X-Flood: " .. ("y"):rep(1000) .. "\r\n", FLOOD_BYTES
  client:xwrite(ESTABLISHED, "bn", LIMIT)
  while left > 0 and client:xwrite(line, "bn", LIMIT) do
    left = left - #line
  end
end

local function reset(client)
  posix.reset_on_close(client:pollfd())
end

local function hang()
  cqueues.sleep(LIMIT)
end

-- What each port does with a client that has begun to speak, before it closes the connection.
local FAULTS = {
  close = function() end,
  reset = reset,
  hang = hang,
  alert = send(ALERT),
  half_hello = send(HALF_HELLO),
  half_hello_hang = function(client)
    send(HALF_HELLO)(client)
    hang()
  end,
  garbage = send("\0\1\2\255 this is neither HTTP nor TLS \r\n\r\n\r\n"),
  half_head = send("HTTP/1.1 200 Connection est"),
  flood = flood,
  -- The tunnel is there, and ends at once.
  tunnel_close = send(ESTABLISHED .. "\r\n"),
  tunnel_surplus = send(ESTABLISHED .. "\r\nsurplus"),
  unavailable = send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown"),
}

local function quiet(_, _, code)
  return code
end

-- What is not read would make the kernel end the connection by RST, which can overtake what was sent.
local function serve(client, fault)
  client:onerror(quiet)
  client:setmode("b", "bn")
  if client:xread(-4096, "b", LIMIT) then
    fault(client)
  end
  if fault ~= reset then
    client:shutdown("w")
    cqueues.poll(0)
  end
  client:close()
end

--- Opens all of them on 127.0.0.1.
-- @param cq the cqueues controller
-- @treturn table port by name
function broken.open(cq)
  local ports = {}
  for name, fault in pairs(FAULTS) do
    local listening = cs.listen { host = "127.0.0.1", port = 0 }
    assert(listening:listen())
    ports[name] = select(3, listening:localname())
    cq:wrap(function()
      for client in listening:clients() do
        cq:wrap(serve, client, fault)
      end
    end)
  end
  return ports
end

return broken
