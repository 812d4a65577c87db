-- nginx before soketi, as many run it: TLS, HTTP/2, and a new connection after each 1000 requests.

local async = require "pusher.transport.async"
local calls = require "spec.system.interop.calls"
local nginx = require "tools.nginx"
local node = require "spec.system.interop.node"
local tls = require "tools.local_server.http.tls"

local TRIGGERS, IN_FLIGHT = 3000, 64

local CONFIGURATION = [[
$user
daemon off;
pid $directory/pid;
error_log $directory/error.log warn;
events { worker_connections 2048; }
http {
  log_format requests "$server_protocol $connection";
  access_log $directory/access.log requests;
  client_body_temp_path $directory/body;
  proxy_temp_path $directory/proxy;
  fastcgi_temp_path $directory/fastcgi;
  uwsgi_temp_path $directory/uwsgi;
  scgi_temp_path $directory/scgi;
  upstream channels { server 127.0.0.1:$upstream; keepalive 20; }
  server {
    listen 127.0.0.1:$port ssl http2;
    ssl_certificate $directory/certificate.pem;
    ssl_certificate_key $directory/key.pem;
    keepalive_requests 1000;
    location / {
      proxy_pass http://channels;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
    }
  }
}
]]

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

-- Requests by protocol, and the number of connections, since the last call.
local function read_access_log(web)
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

describe("nginx with TLS and HTTP/2 before soketi", function()
  local soketi, web, subscriber, ca_file

  setup(function()
    soketi = node.start("soketi.js")
    subscriber = node.subscriber(soketi)
    local authority = tls.new_authority("Authority of the check")
    local key, certificate = tls.new_certificate(authority, { names = { "localhost" } })
    web = nginx.start { configuration = function(facts)
      facts.upstream = tostring(soketi.port)
      write(facts.directory .. "/key.pem", key:toPEM("private"))
      write(facts.directory .. "/certificate.pem", tostring(certificate))
      ca_file = write(facts.directory .. "/ca.pem", authority.pem)
      return (CONFIGURATION:gsub("%$(%l[%l_]*)", facts))
    end }
  end)

  teardown(function()
    web:stop()
    node.stop(subscriber, soketi)
  end)

  local function new_client(transport)
    return calls.client({ host = "localhost", port = web.port }, soketi,
      { secure = true, ca_file = ca_file, transport = transport })
  end

  it("gets all triggers of a sequence, in order, though it ends the connection twice", function()
    local client = new_client("curl")
    calls.subscribe(client, subscriber, "public-1")
    for number = 1, TRIGGERS do
      assert(client:trigger("public-1", "count", number))
    end
    client:close()
    for number, arrived in ipairs(calls.next_events(subscriber, "public-1", "count", TRIGGERS)) do
      assert.equal(number, arrived)
    end
    local _, connections = read_access_log(web)
    assert.equal(TRIGGERS / 1000, connections)
  end)

  it("gets all triggers of many in flight, once each", function()
    local transport = assert(async.new { ca_file = ca_file })
    local client = new_client(transport)
    calls.subscribe(client, subscriber, "public-2")
    local begun, done, failures = 0, 0, {}
    while done < TRIGGERS do
      while begun < TRIGGERS and begun - done < IN_FLIGHT do
        begun = begun + 1
        client:trigger("public-2", "count", begun):on_done(function(result, message)
          done = done + 1
          failures[#failures + 1] = not result and message or nil
        end)
      end
      transport:step(0.1)
    end
    client:close()
    transport:close()
    assert.same({}, failures)
    local arrived = calls.next_events(subscriber, "public-2", "count", TRIGGERS)
    table.sort(arrived)
    for number = 1, TRIGGERS do
      assert.equal(number, arrived[number])
    end
    local protocols, connections = read_access_log(web)
    assert.same({ ["HTTP/2.0"] = TRIGGERS }, protocols)
    assert.is_true(connections >= TRIGGERS / 1000)
  end)
end)
