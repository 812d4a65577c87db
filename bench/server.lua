--- An nginx on loopback that responds to every request with `{}`: own directory, own port, ends with us.

local probe = require "bench.probe"
local text_file = require "tools.text_file"

local server = {}

local config = [[
daemon off;
pid nginx.pid;
error_log error.log;
worker_processes 1;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
http {
  access_log off;
  default_type application/json;
  client_body_temp_path temp;
  proxy_temp_path temp;
  fastcgi_temp_path temp;
  uwsgi_temp_path temp;
  scgi_temp_path temp;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  server {
    listen 127.0.0.1:%d backlog=2048;
    location / { return 200 "{}"; }
    # An app whose responses take a second, so that every call needs a connection of its own.
    location /apps/slow/ { limit_rate 512; return 200 '{"padding":"%s"}'; }
  }
}
]]

-- The shell ends nginx when its input ends: at stop(), or when the runner dies. Debian installs nginx in /usr/sbin.
local keeper = [[PATH=$PATH:/usr/sbin
nginx -p %s -c nginx.conf -e error.log &
nginx=$!
cat > /dev/null
kill $nginx
wait $nginx]]

--- Starts it in `dir` and returns once it listens.
-- @treturn table `port`, `stop()`
function server.start(dir)
  local port = probe.free_port()
  text_file.write(dir .. "/nginx.conf", config:format(port, ("x"):rep(500)))
  local pipe = assert(io.popen(keeper:format(dir), "w"))
  local tries = 0
  -- nginx writes its pid once it listens.
  while not text_file.exists(dir .. "/nginx.pid") do
    tries = tries + 1
    if tries > 500 then
      pipe:close()
      error("nginx did not start, see " .. dir .. "/error.log", 0)
    end
    probe.sleep_ms(10)
  end
  return { port = port, stop = function() pipe:close() end }
end

return server
