--- An nginx before another server, as many run it: TLS, HTTP/2, and a new connection after so many requests.

local nginx = require "tools.nginx"
local tls = require "tools.local_server.http.tls"

local proxy = {}

local HTTP = [[
  log_format requests "$server_protocol $connection";
  upstream channels { server 127.0.0.1:%d; keepalive 20; }
]]
local SERVER = [[
    access_log access.log requests;
    ssl_certificate certificate.pem;
    ssl_certificate_key key.pem;
    keepalive_requests %d;
    location / {
      proxy_pass http://channels;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
    }
]]

--- Starts it.
-- @tparam number port where the server listens on 127.0.0.1
-- @tparam number requests after so many nginx ends a connection
-- @treturn table as tools.nginx returns, with `ca_file`; the host is "localhost"
function proxy.start(port, requests)
  local web = nginx.start { listen = "ssl http2", files = tls.new_files(), http = HTTP:format(port),
    server = SERVER:format(requests) }
  web.host, web.ca_file = "localhost", web.directory .. "/ca.pem"
  return web
end

--- What has arrived since the last call.
-- @treturn table the number of requests by protocol, such as "HTTP/2.0"
-- @treturn number connections that carried them
function proxy.requests(web)
  local counts, connections, seen = {}, 0, {}
  local file = assert(io.open(web.directory .. "/access.log"))
  file:seek("set", web.read or 0)
  for line in file:lines() do
    local protocol, connection = line:match("^(%S+) (%d+)$")
    counts[protocol] = (counts[protocol] or 0) + 1
    connections = connections + (seen[connection] and 0 or 1)
    seen[connection] = true
  end
  web.read = file:seek()
  file:close()
  return counts, connections
end

return proxy
