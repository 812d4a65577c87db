-- The examples of docs/hosts.md for nginx: http {}, stream {}, and a plugin as Kong runs it; and Prometheus of
-- docs/metrics.md.

local nginx = require "tools.nginx"
local page = require "spec.system.hosts.page"
local program = require "spec.system.hosts.program"
local prometheus = require "spec.system.hosts.prometheus"
local push_server = require "tools.local_server.push"
local socket = require "cqueues.socket"
local stream = require "spec.system.hosts.stream"
local text_file = require "tools.text_file"

local MAIN = [[
$modules
$user
daemon off;
worker_processes 1;
pid $directory/pid;
error_log $directory/error.log warn;
env PUSHER_URL;
events { worker_connections 256; }
]]

local PATHS = [[
  lua_package_path "$root/lua/?.lua;$root/?.lua;$folder/?.lua;;";
  lua_package_cpath "$root/build/jit/?.so;;";
]]

-- What Kong does with a plugin: `init_worker` in each worker, `log` after each request.
local KONG = [[
http {
  init_by_lua_block {
    kong = {
      request = { get_path = function() return ngx.var.uri end },
      response = { get_status = function() return ngx.status end },
    }
    handler = require "handler"
  }
  init_worker_by_lua_block { handler:init_worker() }
  server {
    listen 127.0.0.1:8080;
    location / {
      content_by_lua_block { ngx.say "served" }
      log_by_lua_block { handler:log { channel = "my-channel" } }
    }
  }
}
]]

describe("in nginx", function()
  local beside = program.beside(setup, teardown, before_each)
  local web

  after_each(function()
    if web then
      local failures = web:finish()
      web = nil
      assert.equal("", failures)
    end
  end)

  -- Starts the configuration "http {…}" or "stream {…}".
  local function start(text, modules)
    text = text:gsub("{\n", "%0" .. PATHS, 1):gsub("/etc/ssl/certs/ca%-certificates%.crt", beside.server.ca_file)
      :gsub("127%.0%.0%.1:808%d", "127.0.0.1:$port")
    web = nginx.start {
      environment = ("PUSHER_URL='%s'"):format(beside.server:url()),
      configuration = function(values)
        values.folder, values.modules = beside.folder, modules or values.modules
        return ((MAIN .. text):gsub("%$(%l%l+)", values))
      end,
    }
  end

  local function events()
    local list = beside.events("channel", "name", "data")
    table.sort(list)
    return list
  end

  it("http publishes by calls and from log_by_lua", function()
    start("http {\n" .. page.example("nginx_http", "nginx") .. "}\n")
    for _, path in ipairs { "/first", "/second" } do
      assert.equal("sent\n", web:request { path = path }.body)
    end
    program.wait_for(function() return #events() == 4 end)
    assert.same({ "my-channel logged /first", "my-channel logged /second", "my-channel said hello",
      "my-channel said hello" }, events())
  end)

  it("http shows its figures to Prometheus", function()
    text_file.write(beside.folder .. "/metrics.lua", page.example("metrics_module"))
    start("http {\n" .. page.example("metrics_nginx", "nginx") .. "}\n")
    beside.server:misbehave { mode = "status", status = 500, path = "/apps/", times = 1 }
    assert.equal("failed\n", web:request({ path = "/first" }).body)
    assert.equal("sent\n", web:request({ path = "/second" }).body)
    local figures
    program.wait_for(function()
      figures = prometheus.read(web:request({ path = "/metrics" }).body)
      return figures['pusher_publisher_sent_total{worker="0"}'] == 2
    end)
    assert.equal(1, figures['pusher_call_seconds_count{endpoint="/events",code="ok"}'])
    assert.equal(1, figures['pusher_call_seconds_count{endpoint="/events",code="server"}'])
    assert.is_true(figures['pusher_call_seconds_count{endpoint="/batch_events",code="ok"}'] >= 1)
    assert.is_true(figures['pusher_call_seconds_sum{endpoint="/events",code="ok"}'] > 0)
    assert.equal(0, figures['pusher_publisher_queued{worker="0"}'])
  end)

  it("the figures of a worker that is gone expire", function()
    text_file.write(beside.folder .. "/metrics.lua", page.example("metrics_module"))
    start("http {\n" .. page.example("metrics_nginx", "nginx"):gsub("location / {", [[location /ttl {
      content_by_lua_block { ngx.print(ngx.shared.pusher_metrics:ttl 'pusher_publisher_sent_total{worker="0"}') }
    }
    %0]]) .. "}\n")
    local seconds
    program.wait_for(function()
      seconds = tonumber(web:request({ path = "/ttl" }).body)
      return seconds
    end)
    assert.is_true(seconds > 0 and seconds <= 5, seconds)
  end)

  it("a label may hold any text", function()
    text_file.write(beside.folder .. "/metrics.lua", page.example("metrics_module"))
    start("http {\n" .. page.example("metrics_nginx", "nginx"):gsub("location / {", [[location /odd {
      content_by_lua_block { metrics.observe { endpoint = 'a"b\\c\nd}', seconds = 1 } }
    }
    %0]]) .. "}\n")
    web:request { path = "/odd" }
    local figures = prometheus.read(web:request({ path = "/metrics" }).body)
    assert.equal(1, figures['pusher_call_seconds_count{endpoint="a\\"b\\\\c\\nd}",code="ok"}'])
  end)

  it("a plugin of Kong publishes from its log phase", function()
    text_file.write(beside.folder .. "/handler.lua", page.example("kong"))
    start(KONG)
    assert.equal("served\n", web:request { path = "/a" }.body)
    program.wait_for(function() return #events() == 1 end)
    local event = events()[1]
    assert.is_truthy(event:find("^my%-channel served {"))
    assert.is_truthy(event:find('"path":"\\/a"', 1, true) or event:find('"path":"/a"', 1, true), event)
    assert.is_truthy(event:find('"status":200', 1, true), event)
  end)

  describe("stream", function()
    local function open(text)
      local modules, adapted, hello = stream.adapt(text)
      start(adapted, modules)
      return function()
        local connection = socket.connect(web.host, web.port)
        connection:setmode("b", "b")
        connection:write(hello)
        connection:flush()
        local text_of_reply = connection:read("*a")
        connection:close()
        return (text_of_reply:gsub("^HTTP/.-\r\n\r\n", ""))
      end
    end

    it("publishes by calls and from preread", function()
      local connect = open(page.example("nginx_stream", "nginx"))
      for _ = 1, 2 do
        assert.equal("sent\n", connect())
      end
      program.wait_for(function() return #events() == 4 end)
      assert.same({ "my-channel connected 127.0.0.1", "my-channel connected 127.0.0.1", "my-channel said hello",
        "my-channel said hello" }, events())
    end)

    -- The example, with other code in place of its call.
    local function ask(code)
      local text, found = page.example("nginx_stream", "nginx"):gsub("client:trigger[^\n]- or \"failed\"", (code:gsub("%%", "%%%%")))
      assert.equal(1, found)
      return open(text)()
    end

    it("refuses the handlers of HTTP, and decides without them", function()
      local reply = ask('require("spec.system.hosts.stream_probe").outcomes(client)')
      assert.is_truthy(reply:find("'authorize_channel' works in http {} of nginx only", 1, true), reply)
      assert.is_truthy(reply:find('\n200 {"auth":"', 1, true), reply)
    end)

    it("sends push messages", function()
      local push = push_server.start()
      local reply = ask(('require("spec.system.hosts.stream_probe").push("http://%s:%d")'):format(push.host, push.port))
      push:stop()
      assert.equal("1\n", reply)
    end)
  end)
end)
