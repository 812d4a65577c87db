-- Starts calls over one async transport, at several stages: plain ones, TLS handshakes, servers that are silent.
-- Arguments: host, port, TLS port, silent port, CA file. Returns the transport.

local async = require "pusher.transport.async"

return function(host, port, tls_port, silent_port, ca_file)
  local transport = assert(async.new { ca_file = ca_file, keepalive = { pool_size = 0 } })
  local function send(scheme, to, path)
    assert(transport:send({ method = "POST", scheme = scheme, host = host, port = tonumber(to), headers = {}, body = "{}",
      target = "/_misbehave/" .. path, timeout = 10 }, tostring))
  end
  for _ = 1, 3 do
    send("http", port, "none")
    send("https", tls_port, "none")
  end
  send("http", port, "hang")
  send("https", tls_port, "hang")
  send("https", silent_port, "none")
  return transport
end
