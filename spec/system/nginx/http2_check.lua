-- The async transport and an nginx that ends each HTTP/2 connection after three requests.

local local_server = require "tools.local_server"
local nginx = require "tools.nginx"
local own_responses = require "spec.helpers.own_responses"
local tls = require "tools.local_server.http.tls"

local CONFIGURATION = [[
$modules
$user
daemon off;
pid $directory/pid;
error_log $directory/error.log warn;
events { worker_connections 2048; }
http {
  log_format protocol $server_protocol;
  access_log $directory/access.log protocol;
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
    keepalive_requests 3;
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

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the async transport and nginx with http2", function()
  local server, web, ca_file

  setup(function()
    server = local_server.start()
    local authority = tls.new_authority("Authority of the check")
    local key, certificate = tls.new_certificate(authority, { names = { "localhost" } })
    web = nginx.start { configuration = function(facts)
      facts.upstream = tostring(server.port)
      write(facts.directory .. "/key.pem", key:toPEM("private"))
      write(facts.directory .. "/certificate.pem", tostring(certificate))
      ca_file = write(facts.directory .. "/ca.pem", authority.pem)
      return (CONFIGURATION:gsub("%$(%l[%l_]*)", facts))
    end }
  end)

  teardown(function()
    web:stop()
    server:stop()
  end)

  it("300 calls at once to a server that ends a connection after three", function()
    assert.equal("", own_responses.run(server, web.port, { ca_file = ca_file, calls = 300 }))
    assert.equal("", web:failures())
    local _, count = read(web.directory .. "/access.log"):gsub("HTTP/2%.0", "")
    assert.is_true(count > 3)
  end)
end)
