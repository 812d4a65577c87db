-- examples/webhooks_once: each event is handled once, over shared memory and over Redis, when its webhook is repeated,
-- comes twice at a time, or comes again after its handler failed.

local core = require "pusher.core"
local cqueues = require "cqueues"
local nginx = require "tools.nginx"
local source = require "spec.helpers.source"
local terminal = require "tools.terminal"
local text_file = require "tools.text_file"

local HTTP = [[
lua_shared_dict webhooks 1m;
lua_shared_dict tiny 12k;
lua_shared_dict small 32k;
lua_shared_dict seen 1m;
init_by_lua_block {
  local once, seen = require "once", ngx.shared.seen
  client = assert(require("pusher").new { app_id = "1", key = "key", secret = "secret", cluster = "eu" })
  stores = {
    shared = require("shared").new(ngx.shared.webhooks, 60, 1200),
    tiny = require("shared").new(ngx.shared.tiny, 60, 1200),
    small = require("shared").new(ngx.shared.small, 60, 1200),
    redis = require("redis").new("unix:$folder/redis.sock", nil, 60, 1200),
    -- Other paths have other pools of connections.
    locked = require("redis").new("unix:$folder/locked.sock", nil, 60, 1200, "sesame"),
    open = require("redis").new("unix:$folder/open.sock", nil, 60, 1200),
  }
  handlers = {}
  for name, store in pairs(stores) do
    handlers[name] = once.handlers(store, { default = function(event)
      seen:incr(event.channel, 1, 0)
      seen:set("inside", true)
      while seen:get("hold") do
        ngx.sleep(0.005)
      end
      if seen:get("fail") == event.channel then
        error("the handler failed", 0)
      end
    end })
  end
}]]

local SERVER = [==[
location ~ ^/hook/(\w+)$ {
  content_by_lua_block { require("pusher.openresty").webhook(client, handlers[ngx.var[1]]) }
}
location = /set { content_by_lua_block { ngx.shared.seen:set(ngx.var.arg_name, ngx.var.arg_value) ngx.say "ok" } }
location = /delete { content_by_lua_block { ngx.shared.seen:delete(ngx.var.arg_name) ngx.say "ok" } }
location = /get { content_by_lua_block { ngx.print(tostring(ngx.shared.seen:get(ngx.var.arg_name))) } }
location = /ttl { content_by_lua_block { ngx.print(ngx.shared.webhooks:ttl(ngx.var.arg_key)) } }]==]

describe("webhooks_once", function()
  local web, redis, folder, number = nil, nil, nil, 0

  local function redis_says(command)
    return terminal.output_of(("redis-cli -s %s/redis.sock %s 2>&1"):format(folder, command))
  end

  local function start_redis()
    redis = assert(io.popen(("cd %s && echo $$ && exec redis-server --port 0 --unixsocket %s/redis.sock --save '' >log 2>&1")
      :format(folder, folder)))
    local pid = redis:read("*n")
    local deadline = cqueues.monotime() + 30
    while not redis_says("ping"):find("PONG") do
      assert(cqueues.monotime() < deadline, "redis-server does not start")
      cqueues.poll(0.01)
    end
    return pid
  end

  local function stop_redis(pid)
    os.execute("kill " .. pid)
    redis:read("*a") -- until it has ended
    redis:close()
    redis = nil
  end

  local redis_pid

  setup(function()
    folder = terminal.output_of("mktemp -d"):match("%S+")
    redis_pid = start_redis()
    os.execute(("cd %s && ln -s redis.sock locked.sock && ln -s redis.sock open.sock"):format(folder))
    web = nginx.start { workers = 2, server = SERVER, http = HTTP:gsub("%$folder", folder),
      environment = ("LUA_PATH='%s/examples/webhooks_once/?.lua;;'"):format(terminal.output_of("pwd"):match("[^\n]+")) }
  end)

  teardown(function()
    web:stop()
    if redis then
      stop_redis(redis_pid)
    end
    os.execute("rm -rf " .. folder)
  end)

  local function get(path)
    return web:request { path = path }.body
  end

  -- A webhook with an event for each channel; returns a function that delivers it, and returns the status.
  local function webhook(store, channels)
    local events = {}
    for index, channel in ipairs(channels) do
      events[index] = ('{"name":"channel_occupied","channel":"%s"}'):format(channel)
    end
    number = number + 1
    local body = ('{"time_ms":%d,"events":[%s]}'):format(number, table.concat(events, ","))
    local signature = core.mac("secret"):hex(body)
    return function(meanwhile)
      return web:request { method = "POST", path = "/hook/" .. store, body = body, meanwhile = meanwhile,
        headers = { ["X-Pusher-Key"] = "key", ["X-Pusher-Signature"] = signature } }.status
    end, signature
  end

  local function count(channel)
    return get("/get?name=" .. channel)
  end

  for _, store in ipairs { "shared", "redis" } do
    it("handles a webhook that comes again once, over " .. store, function()
      local deliver, id = webhook(store, { store .. "-a" })
      assert.equal(200, deliver())
      assert.equal(200, deliver())
      assert.equal("1", count(store .. "-a"))
      local ttl = tonumber(store == "shared" and get("/ttl?key=" .. id .. ":1") or redis_says("ttl webhook:" .. id .. ":1"))
      assert.is_true(ttl > 1100 and ttl <= 1200, ttl)
    end)

    it("handles a webhook that comes twice at a time once, over " .. store, function()
      local deliver, id = webhook(store, { store .. "-b" })
      local second, ttl
      get("/delete?name=inside")
      get("/set?name=hold&value=1")
      assert.equal(200, deliver(function()
        web:wait("handler", function() return get("/get?name=inside") == "true" end)
        second = deliver()
        ttl = tonumber(store == "shared" and get("/ttl?key=" .. id .. ":1") or redis_says("ttl webhook:" .. id .. ":1"))
        get("/delete?name=hold")
      end))
      assert.equal(500, second)
      assert.is_true(ttl > 0 and ttl <= 60, ttl)
      assert.equal(200, deliver())
      assert.equal("1", count(store .. "-b"))
    end)

    it("handles an event again whose handler failed, and only that one, over " .. store, function()
      local deliver = webhook(store, { store .. "-c", store .. "-d" })
      get("/set?name=fail&value=" .. store .. "-d")
      assert.equal(500, deliver())
      get("/delete?name=fail")
      assert.equal(200, deliver())
      assert.equal(200, deliver())
      assert.equal("1", count(store .. "-c"))
      assert.equal("2", count(store .. "-d"))
    end)
  end

  for store, logged in pairs { tiny = "is not remembered: no memory", small = "old ones were forgotten early" } do
    it("handles all events when memory is full, and says so: " .. store, function()
      web:forget_log()
      for index = 1, 150 do
        assert.equal(200, (webhook(store, { store .. index }))())
        assert.equal("1", count(store .. index))
      end
      assert.matches(logged, web:log(), 1, true)
    end)
  end

  it("gives Redis its password", function()
    redis_says("config set requirepass sesame")
    local deliver = webhook("locked", { "redis-f" })
    assert.equal(200, deliver())
    assert.equal(200, deliver())
    assert.equal(500, (webhook("open", { "redis-g" })()))
    redis_says("-a sesame config set requirepass ''")
    assert.same({ "1", "nil" }, { count("redis-f"), count("redis-g") })
  end)

  it("has webhooks repeated while Redis cannot be reached", function()
    local deliver = webhook("redis", { "redis-e" })
    stop_redis(redis_pid)
    assert.equal(500, deliver())
    assert.equal("nil", count("redis-e"))
    redis_pid = start_redis()
    assert.equal(200, deliver())
    assert.equal("1", count("redis-e"))
  end)
end)

describe("nginx.conf of", function()
  local web

  after_each(function()
    assert.equal("", web:finish())
  end)

  it("examples/webhooks_once handles a webhook once", function()
    local root = terminal.output_of("pwd"):match("[^\n]+")
    web = nginx.start {
      environment = "PUSHER_URL=http://key:secret@127.0.0.1:1/apps/1",
      configuration = function(facts)
        local text = source.read("examples/webhooks_once/nginx.conf")
        text = text:gsub("load_module [^\n]*\n", ""):gsub("error_log stderr", "error_log " .. facts.directory .. "/error.log")
        text = text_file.replace(text, "127.0.0.1:8080", "127.0.0.1:" .. facts.port)
        text = text_file.replace(text, "pid nginx.pid", "pid " .. facts.directory .. "/pid")
        text = text_file.replace(text, 'lua_package_path "', ('lua_package_cpath "%s/build/jit/?.so;;"; lua_package_path "'
          .. "%s/lua/?.lua;%s/examples/webhooks_once/?.lua;"):format(root, root, root))
        return facts.modules .. "\n" .. facts.user .. "\n" .. text
      end,
    }
    local body = ('{"time_ms":%d000,"events":[{"name":"member_added","channel":"presence-a","user_id":"ada"}]}'):format(os.time())
    for _ = 1, 2 do
      assert.equal(200, web:request { method = "POST", path = "/pusher/webhook", body = body, headers = {
        ["X-Pusher-Key"] = "key", ["X-Pusher-Signature"] = core.mac("secret"):hex(body) } }.status)
    end
    assert.equal(1, select(2, web:log():gsub("ada is in presence%-a", "")))
  end)
end)
