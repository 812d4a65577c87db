-- The handlers and a client inside nginx, with the local Channels server behind them.

local cjson = require "cjson"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"

local HTTP = [[
  lua_ssl_trusted_certificate $ca_file;
  init_by_lua_block {
    -- One client, made before the workers are, lives at module level in each of them.
    client = assert(require("pusher").new { app_id = "app-id", key = "app-key", secret = "app-secret", host = "127.0.0.1",
      port = $port, secure = false, encryption_master_key_base64 = "$master_key" })
    handlers = require "pusher.openresty"
    function authorize(socket_id, channel)
      if channel:find("forbidden", 1, true) then
        return nil, "not you"
      elseif channel:find("broken", 1, true) then
        error("no database")
      end
      return channel:find("^presence%-") and { user_id = socket_id, user_info = { name = "A" } } or true
    end
    function log_result(done, message, details)
      ngx.log(ngx.WARN, "result: ", tostring(done), " ", tostring(details and details.code), " ", tostring(message))
    end
    at_init = select(2, client:trigger("lobby", "init", "x"))
  }
  init_worker_by_lua_block { log_result(client:trigger("lobby", "init_worker", "x")) }
]]

local SERVER = [[
  client_body_buffer_size 1k;
  client_max_body_size 2m;
  location = /auth { content_by_lua_block { handlers.authorize_channel(client, authorize, { jsonp = true }) } }
  location = /auth/small { content_by_lua_block { handlers.authorize_channel(client, authorize, { max_body_bytes = 100 }) } }
  location = /auth/exits {
    content_by_lua_block { handlers.authorize_channel(client, function() ngx.exit(ngx.HTTP_NOT_FOUND) end) }
  }
  location = /auth/waits {
    content_by_lua_block {
      handlers.authorize_channel(client, function(_, channel)
        ngx.sleep(0.01)
        return assert(client:channel(channel)) and true
      end)
    }
  }
  location = /user {
    content_by_lua_block {
      handlers.authenticate_user(client, function(socket_id) return socket_id ~= "6.6" and { id = "u" .. socket_id } or nil end)
    }
  }
  location = /hook {
    content_by_lua_block {
      handlers.webhook(client, { default = function(event)
        if event.name == "client_event" then error("no database") end
        ngx.log(ngx.WARN, "called: ", event.name, " ", event.channel)
      end })
    }
  }
  location = /init { content_by_lua_block { ngx.print(at_init) } }
  location = /trigger {
    content_by_lua_block {
      local result, message = client:trigger(ngx.var.arg_channel or "lobby", "event", { worker = ngx.worker.id() })
      ngx.print(result and "sent" or message)
    }
  }
  location = /many {
    content_by_lua_block {
      local threads = {}
      for index = 1, 50 do
        threads[index] = ngx.thread.spawn(function() return client:trigger("many", "event", { index = index }) end)
      end
      local sent = 0
      for index = 1, 50 do
        local _, result = ngx.thread.wait(threads[index])
        sent = sent + (result and 1 or 0)
      end
      ngx.print(sent)
    }
  }
  location = /maps {
    content_by_lua_block {
      assert(client:trigger("lobby", "event", "x"))
      local file = io.open("/proc/self/maps")
      ngx.print(file:read("*a"))
      file:close()
    }
  }
  location = /phases {
    set_by_lua_block $nothing { log_result(client:trigger("lobby", "set", "x")) return "" }
    header_filter_by_lua_block { log_result(client:trigger("lobby", "header_filter", "x")) }
    body_filter_by_lua_block { if ngx.arg[2] then log_result(client:trigger("lobby", "body_filter", "x")) end }
    log_by_lua_block {
      log_result(client:trigger("lobby", "log", "x"))
      ngx.timer.at(0, function() log_result(client:trigger("lobby", "timer", "x")) end)
    }
    rewrite_by_lua_block { assert(client:trigger("lobby", "rewrite", "x")) }
    access_by_lua_block { assert(client:trigger("lobby", "access", "x")) }
    content_by_lua_block { assert(client:trigger("lobby", "content", "x")) ngx.print("done") }
  }
]]

local JSON = "application/json"
local GOOD = "socket_id=1234.5678&channel_name=private-room"

describe("pusher in nginx", function()
  local server, web

  setup(function()
    server = local_server.start()
    local values = { port = tostring(server.port), ca_file = server.ca_file, master_key = server.master_key_base64 }
    web = nginx.start { http = HTTP:gsub("%$([%a_]+)", values), server = SERVER, workers = 2, log_level = "info" }
  end)

  teardown(function()
    web:stop()
    server:stop()
  end)

  before_each(function()
    web:forget_log()
    server:reset()
  end)

  after_each(function()
    assert.equal("", web:failures())
    assert.is_nil(web:log():find("app-secret", 1, true))
  end)

  local function post(path, body, headers)
    return web:request { path = path, method = "POST", body = body, headers = headers }
  end

  local function is_response(got, status, kind)
    assert.equal(status, got.status)
    assert.equal(kind or JSON, got.headers["content-type"])
    assert.equal("no-store", got.headers["cache-control"])
    assert.equal(tostring(#got.body), got.headers["content-length"])
    return (kind or JSON) == JSON and cjson.decode(got.body)
  end

  describe("authorize_channel", function()
    it("signs private, presence and encrypted channels", function()
      local signature = "app-key:" .. core.mac("app-secret"):hex("1234.5678:private-room")
      assert.same({ auth = signature }, is_response(post("/auth", GOOD), 200))
      local presence = is_response(post("/auth", "socket_id=1.2&channel_name=presence-room"), 200)
      assert.same({ user_id = "1.2", user_info = { name = "A" } }, cjson.decode(presence.channel_data))
      assert.equal("string", type(is_response(post("/auth", "socket_id=1.2&channel_name=private-encrypted-room"), 200).shared_secret))
    end)

    it("authorizes several channels in one request", function()
      local got = is_response(post("/auth", "&socket_id=1.2&channel_name[0]=private-a&channel_name[1]=private-forbidden"), 200)
      assert.equal(200, got["private-a"].status)
      assert.same({ status = 403 }, got["private-forbidden"])
    end)

    it("responds with JSONP", function()
      local got = web:request { path = "/auth?callback=Pusher.auth_callbacks%5B%271%27%5D&" .. GOOD }
      is_response(got, 200, "application/javascript; charset=utf-8")
      assert.equal("nosniff", got.headers["x-content-type-options"])
      assert.is_truthy(got.body:find('^/%*%*/Pusher%.auth_callbacks%[\'1\'%]%({"auth":"app%-key:%x+"}%);$'))
    end)

    it("reads JSON and multipart", function()
      local signature = "app-key:" .. core.mac("app-secret"):hex("1234.5678:private-room")
      local got = post("/auth", '{"socket_id":"1234.5678","channel_name":"private-room"}', { ["Content-Type"] = JSON })
      assert.same({ auth = signature }, is_response(got, 200))
      local parts = '--x\r\nContent-Disposition: form-data; name="socket_id"\r\n\r\n1234.5678\r\n'
        .. '--x\r\nContent-Disposition: form-data; name="channel_name"\r\n\r\nprivate-room\r\n--x--\r\n'
      got = post("/auth", parts, { ["Content-Type"] = 'multipart/form-data; boundary="x"' })
      assert.same({ auth = signature }, is_response(got, 200))
    end)

    it("reads a body that nginx spooled to a file", function()
      local got = post("/auth", GOOD .. "&padding=" .. ("x"):rep(20000))
      assert.is_truthy(is_response(got, 200).auth)
      assert.is_truthy(web:log():find("buffered to a temporary file", 1, true))
    end)

    it("reads a body that comes in chunks", function()
      local got = web:request { raw = "POST /auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        .. "Content-Type: application/x-www-form-urlencoded\r\n\r\n" .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#GOOD, GOOD) }
      assert.is_truthy(is_response(got, 200).auth)
    end)

    it("refuses what the application refuses, and what it cannot decide", function()
      is_response(post("/auth", "socket_id=1.2&channel_name=private-forbidden"), 403)
      assert.is_truthy(web:log():find("[info]", 1, true) and web:log():find("refused: not you", 1, true))
      is_response(post("/auth", "socket_id=1.2&channel_name=private-broken"), 500)
      assert.is_truthy(web:log():find("the application raised: .-no database"))
    end)
  end)

  it("lets the application wait, ask a server, or end the request by itself", function()
    assert.is_truthy(is_response(post("/auth/waits", GOOD), 200).auth)
    assert.equal(404, post("/auth/exits", GOOD).status)
  end)

  describe("authenticate_user", function()
    it("signs users in, or not", function()
      local got = is_response(post("/user", "socket_id=1.2"), 200)
      assert.equal("app-key:" .. core.mac("app-secret"):hex("1.2::user::" .. got.user_data), got.auth)
      is_response(post("/user", "socket_id=6.6"), 403)
      is_response(post("/user", ""), 400)
      is_response(web:request { path = "/user" }, 405)
    end)
  end)

  describe("webhook", function()
    local HOOK = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"lobby"}]}'

    local function headers(body, secret)
      return { ["Content-Type"] = JSON, ["X-Pusher-Key"] = "app-key",
        ["X-Pusher-Signature"] = core.mac(secret or "app-secret"):hex(body) }
    end

    it("calls functions by the event's name", function()
      is_response(post("/hook", HOOK, headers(HOOK)), 200)
      assert.is_truthy(web:log():find("called: channel_occupied lobby", 1, true))
    end)

    it("reads one that nginx spooled to a file", function()
      local long = HOOK:gsub("lobby", "lobby" .. ("x"):rep(20000))
      is_response(post("/hook", long, headers(long)), 200)
    end)

    it("finds the signature behind many other headers", function()
      local lines = {}
      for index = 1, 120 do
        lines[index] = ("X-Other-%d: x\r\n"):format(index)
      end
      for name, value in pairs(headers(HOOK)) do
        lines[#lines + 1] = ("%s: %s\r\n"):format(name, value)
      end
      is_response(web:request { raw = ("POST /hook HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s"):format(
        table.concat(lines), #HOOK, HOOK) }, 200)
    end)

    it("is sent again when a function raises", function()
      local body = '{"time_ms":1,"events":[{"name":"client_event","channel":"lobby"}]}'
      is_response(post("/hook", body, headers(body)), 500)
      assert.is_truthy(web:log():find("no database", 1, true))
    end)

    it("refuses forged and unsigned ones", function()
      is_response(post("/hook", HOOK), 401)
      is_response(post("/hook", HOOK, headers(HOOK, "wrong")), 401)
      is_response(post("/hook", HOOK .. " ", headers(HOOK)), 401)
      local twice = headers(HOOK)
      twice["X-Pusher-Signature"] = { twice["X-Pusher-Signature"], "00" }
      is_response(post("/hook", HOOK, twice), 401)
      is_response(post("/hook", "{}", headers("{}")), 400)
      is_response(web:request { path = "/hook" }, 405)
      assert.is_nil(web:log():find("called:", 1, true))
    end)
  end)

  describe("bad input", function()
    local form = "application/x-www-form-urlencoded"
    local script = "<script>alert(1)</script>"

    for name, case in pairs {
      ["no body"] = { 400, post = "" },
      ["no body and no type"] = { 400, raw = "POST /auth HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" },
      ["another content type"] = { 415, post = '{"socket_id":"1.2","channel_name":"private-a"}', type = "text/plain" },
      ["half of a multipart form"] = { 400, post = "--x\r\n", type = "multipart/form-data; boundary=x" },
      ["a file upload"] = { 400, type = "multipart/form-data; boundary=x",
        post = '--x\r\nContent-Disposition: form-data; name="socket_id"; filename="a"\r\n\r\n1.2\r\n--x--\r\n' },
      ["a JSON list"] = { 400, post = '["socket_id","channel_name"]', type = JSON },
      ["JSON with a repeated socket"] = { 400, post = '{"socket_id":"1.2","socket_id":"1.3","channel_name":"private-a"}', type = JSON },
      ["deep JSON"] = { 400, post = '{"a":' .. ("["):rep(30000), type = JSON },
      ["a repeated channel"] = { 400, post = "socket_id=1.2&channel_name=private-a&channel_name=private-forbidden" },
      ["a repeated socket"] = { 400, post = "socket_id=1.2&socket_id=1.3&channel_name=private-a" },
      ["a form of 1 MB"] = { 413, post = GOOD .. "&x=" .. ("x"):rep(1024 * 1024) },
      ["a form above the limit that is in memory"] = { 413, post = GOOD .. ("x"):rep(80), path = "/auth/small" },
      ["a form above nginx's own limit"] = { 413, post = ("x"):rep(3 * 1024 * 1024), from_nginx = true },
      ["invalid UTF-8"] = { 400, post = "socket_id=1.2&channel_name=private-\255\254\192\128" },
      ["escaped invalid UTF-8"] = { 400, post = "socket_id=1.2&channel_name=private-%ff%fe%c0%80" },
      ["NUL bytes"] = { 400, post = "socket_id=1.2%00&channel_name=private-a\0" },
      ["half an escape"] = { 400, post = "socket_id=1.2&channel_name=private-%" },
      ["a script for a channel"] = { 400, post = "socket_id=1.2&channel_name=private-" .. script },
      ["a public channel"] = { 400, post = "socket_id=1.2&channel_name=lobby" },
      ["an unknown kind of channel"] = { 400, post = "socket_id=1.2&channel_name=secret-room" },
      ["a user's own channel"] = { 400, post = "socket_id=1.2&channel_name=%23server-to-user-1" },
      ["a socket id with a line break"] = { 400, post = "socket_id=1.2%0a&channel_name=private-a" },
      ["the deepest brackets"] = { 400, post = "socket_id=1.2&channel_name" .. ("["):rep(30000) .. "=private-a" },
      ["many fields"] = { 400, post = ("a&"):rep(30000) },
      ["GET without a callback"] = { 400, path = "/auth?" .. GOOD },
      ["a program for a callback"] = { 400, path = "/auth?callback=alert(1)//&" .. GOOD },
      ["an escaped program for a callback"] = { 400, path = "/auth?callback=alert%281%29%2F%2F&" .. GOOD },
      ["a page for a callback"] = { 400, path = "/auth?callback=%3Cscript%3Ealert(1)%3C/script%3E&" .. GOOD },
      ["two callbacks"] = { 400, path = "/auth?callback=f&callback=g&" .. GOOD },
      ["a bad form with a good callback"] = { 400, path = "/auth?callback=f&socket_id=" .. script:gsub("<", "%%3C") },
      ["PUT"] = { 405, method = "PUT", post = GOOD },
      ["DELETE"] = { 405, method = "DELETE" },
      ["OPTIONS"] = { 405, method = "OPTIONS" },
    } do
      it(name .. " gets " .. case[1], function()
        local got = web:request { raw = case.raw, path = case.path or "/auth", body = case.post,
          method = case.method or (case.post and "POST"), headers = { ["Content-Type"] = case.type or form } }
        if case.from_nginx then
          assert.equal(case[1], got.status)
        else
          assert.equal("string", type(is_response(got, case[1]).error))
        end
        assert.is_nil(got.body:find("script", 1, true))
        assert.is_nil(got.body:find("alert", 1, true))
      end)
    end

    it("of a HEAD request gets 405 and no body", function()
      local got = web:request { path = "/auth", method = "HEAD" }
      assert.same({ 405, "GET, POST", "" }, { got.status, got.headers.allow, got.body })
    end)

    it("that ends in the middle leaves nothing behind", function()
      web:abort("POST /auth HTTP/1.1\r\nHost: a\r\nContent-Type: " .. form .. "\r\nContent-Length: 50\r\n\r\nsocket")
      assert.is_truthy(is_response(post("/auth", GOOD), 200).auth)
    end)
  end)

  describe("a client made in init_by_lua", function()
    it("works in every worker", function()
      local seen, sent = {}, 0
      -- Which worker takes a connection is the kernel's choice.
      while not (seen[0] and seen[1]) and sent < 2000 do
        assert.equal("sent", web:request { path = "/trigger" }.body)
        sent = sent + 1
        local event = server:events { from = sent, limit = 1 }[1]
        seen[cjson.decode(event.data).worker] = true
      end
      assert.same({ [0] = true, [1] = true }, seen)
    end)

    it("serves many requests at once", function()
      assert.equal("50", web:request { path = "/many" }.body)
      assert.equal(50, server:inspect().events)
      assert.equal("50", web:request { path = "/many" }.body)
      local seen = {}
      for _, event in ipairs(server:events()) do
        local index = cjson.decode(event.data).index
        seen[index] = (seen[index] or 0) + 1
      end
      for index = 1, 50 do
        assert.equal(2, seen[index])
      end
    end)

    it("never loads libcurl", function()
      local maps = web:request { path = "/maps" }.body
      assert.is_truthy(maps:find("/pusher/core.so", 1, true))
      assert.is_nil(maps:find("libcurl", 1, true))
      assert.is_nil(maps:find("/pusher/curl.so", 1, true))
    end)

    it("sends encrypted events", function()
      assert.equal("sent", web:request { path = "/trigger?channel=private-encrypted-room" }.body)
      assert.is_truthy(server:events()[1].data:find('"ciphertext"', 1, true))
    end)
  end)

  it("says what to use instead before there are requests, too", function()
    local message = web:request { path = "/init" }.body
    assert.is_truthy(message:find("nginx allows no network access in", 1, true) and message:find("client:publisher()", 1, true)
      and message:find("ngx.timer.at", 1, true), message)
    web:signal("HUP")
    web:wait_for_log("result: nil config nginx allows no network access in init_worker_by_lua")
  end)

  it("sends from the phases that may, says what to use instead in those that may not", function()
    assert.equal("done", web:request { path = "/phases" }.body)
    assert.is_true(server:wait { events = 4 }.reached)
    local names = {}
    for _, event in ipairs(server:events()) do
      names[#names + 1] = event.name
    end
    assert.same({ "rewrite", "access", "content", "timer" }, names)
    for _, phase in ipairs { "set_by_lua", "header_filter_by_lua", "body_filter_by_lua", "log_by_lua" } do
      local line = web:wait_for_log("result: nil config .-" .. phase)
      assert.is_truthy(line:find("client:publisher()", 1, true) and line:find("ngx.timer.at", 1, true), phase)
    end
  end)
end)
