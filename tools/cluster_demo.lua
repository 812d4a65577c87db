--- `make cluster-demo`: examples/cluster on this machine. Two nodes, Redis and nginx; a subscriber at each node gets what
-- publish.lua sends, in order; then the node that the events pass through is killed, and the other one takes over.
--
-- luajit tools/cluster_demo.lua STARTERS LUA, from the root of the checkout; STARTERS is the folder of the programs that
-- start soketi and Redis (soketi.js, redis.js), LUA runs publish.lua. The example's files are used with few changes, all
-- for this machine: free ports, folders for temporary files, a socket for Redis.

local cjson = require "cjson"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"
local text_file = require "tools.text_file"
local tls = require "tools.local_server.http.tls"
local websocket_subscriber = require "tools.local_server.subscriber"

local HERE = "examples/cluster"
local STARTERS, LUA = arg[1], assert(arg[2], "usage: tools/cluster_demo.lua STARTERS LUA")
local EVENTS = 200

io.stdout:setvbuf("line")

local function step(text, ...)
  print(("%-12s %s"):format(text, (table.concat({ ... }, " "))))
end

local function check(ok, message)
  if not ok then
    io.stderr:write("cluster-demo: ", message, "\n")
    os.exit(1)
  end
  return ok
end

local function start(program, options)
  local settings = { program = STARTERS .. "/" .. program, interpreter = "node" }
  for name, value in pairs(options or {}) do
    settings[name] = value
  end
  return local_server.start(settings)
end

-- Returns a function(facts) that fits nginx.conf to this machine, see tools.nginx.
local function configuration(nodes)
  return function(facts)
    local text = text_file.read(HERE .. "/nginx.conf")
    for _, change in ipairs {
      { "daemon off;", facts.user .. "\ndaemon off;" },
      { "pid nginx.pid;", "pid pid;" },
      { "error_log stderr notice;", "error_log error.log notice;" },
      { "6443", facts.port },
      { "127.0.0.1:6001", "127.0.0.1:" .. nodes[1].port },
      { "127.0.0.1:6002", "127.0.0.1:" .. nodes[2].port },
      { "http {", "http {\n" .. facts.temporary },
    } do
      text = text_file.replace(text, change[1], change[2])
    end
    return text
  end
end

local function subscribe(at)
  local subscriber = websocket_subscriber.start(at)
  check(not rawget(subscriber, "refused"), "a subscriber was refused") -- any other name is a command
  local reply = subscriber:subscribe { channel = "my-channel" }
  check(reply.event == "pusher_internal:subscription_succeeded", "a subscription was refused")
  return subscriber
end

local function expect_events(name, subscriber)
  for number = 1, EVENTS do
    local event = check(subscriber:next_event { event = "my-event" }, name .. " lacks an event")
    check(cjson.decode(event.data).number == number, name .. " got events out of order")
  end
  step("received", ("%s got %d events, in order"):format(name, EVENTS))
end

local redis = start("redis.js")
local nodes = {}
for index = 1, 2 do
  nodes[index] = start("soketi.js", { config = HERE .. "/soketi.json", redis = redis.socket })
  step("node", ("soketi at 127.0.0.1:%d, over Redis"):format(nodes[index].port))
end
local web = nginx.start { configuration = configuration(nodes), files = tls.new_files() }
step("address", ("nginx at https://localhost:%d"):format(web.port))

local key, ca_file = nodes[1].key, web.directory .. "/ca.pem"
local through_nginx = subscribe({ host = "localhost", port = web.port, ca_file = ca_file, key = key })
local at_second = subscribe({ port = nodes[2].port, key = key })
step("subscribed", "one through nginx by wss, one at the second node")

local function publish()
  local status = os.execute(("PUSHER_URL='https://%s:%s@localhost:%d/apps/%s' CA_FILE='%s' %s %s/publish.lua %d"):format(
    key, nodes[1].secret, web.port, nodes[1].app_id, ca_file, LUA, HERE, EVENTS))
  check(status == 0 or status == true, "publish.lua failed")
end

publish()
expect_events("nginx's", through_nginx)
expect_events("the second's", at_second)

nodes[1]:stop()
step("killed", "the first node, through which all events passed")
publish()
expect_events("the second's", at_second)

through_nginx:stop()
at_second:stop()
web:stop()
nodes[2]:stop()
redis:stop()
print "\nIt works. Next: examples/cluster/README.md."
