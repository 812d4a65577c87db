-- What the handlers make of a request, in any Lua. With nginx itself: spec/system/nginx/handlers_check.lua.

local core = require "pusher.core"
local fails = require "spec.helpers.fails"
local fake = require "spec.helpers.fake_ngx"
local fake_transport = require "spec.helpers.fake_transport"
local openresty = require "pusher.openresty"
local pusher = require "pusher"

local FORM = "application/x-www-form-urlencoded"
local GOOD = "socket_id=1.2&channel_name=private-a"

describe("pusher.openresty", function()
  local real, client

  before_each(function()
    real = rawget(_G, "ngx")
    client = assert(pusher.new { app_id = "1", key = "k", secret = "very-secret", transport = fake_transport.new() })
  end)

  after_each(function()
    rawset(_G, "ngx", real)
  end)

  local function handle(request, handler, given, options)
    local api, record = fake.new { request = request }
    rawset(_G, "ngx", api)
    local status = openresty[handler or "authorize_channel"](client, given or function() return true end, options)
    return status, record.printed, api, record
  end

  local function with_file(bytes, check)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(bytes)
    file:close()
    check(path)
    os.remove(path)
  end

  it("responds to a subscriber", function()
    local status, text, api, record = handle { body = GOOD, content_type = FORM }
    assert.equal(200, status)
    assert.equal(client:authorize_channel(GOOD), text)
    assert.same({ ["Content-Type"] = "application/json", ["Cache-Control"] = "no-store", ["Content-Length"] = #text }, api.header)
    assert.is_nil(api.status)
    assert.same({}, record.log)
  end)

  it("responds to one who signs in", function()
    local status, text = handle({ body = "socket_id=1.2", content_type = FORM }, "authenticate_user", function()
      return { id = "7" }
    end)
    assert.equal(200, status)
    assert.equal(client:authenticate_user("socket_id=1.2", { id = "7" }), text)
  end)

  it("reads a body that nginx put into a file", function()
    with_file("socket_id=1.2&channel_name=private-b", function(path)
      local status, text = handle { body_file = path, content_type = FORM }
      assert.equal(200, status)
      assert.equal(client:authorize_channel("socket_id=1.2&channel_name=private-b"), text)
    end)
    assert.equal(500, (handle { body_file = "/nowhere", content_type = FORM }))
  end)

  it("refuses bodies above the limit", function()
    assert.equal(400, (handle { body = ("x"):rep(65536), content_type = FORM }))
    assert.equal(413, (handle { body = ("x"):rep(65537), content_type = FORM }))
    assert.equal(401, (handle({ body = ("x"):rep(1048576) }, "webhook", {})))
    assert.equal(413, (handle({ body = ("x"):rep(1048577) }, "webhook", {})))
    assert.equal(413, (handle({ body = GOOD, content_type = FORM }, "authorize_channel", nil, { max_body_bytes = 10 })))
    with_file(("x"):rep(70000), function(path)
      assert.equal(413, (handle { body_file = path, content_type = FORM }))
    end)
  end)

  it("refuses other methods, naming the right ones", function()
    for _, method in ipairs { "GET", "HEAD", "PUT", "OPTIONS" } do
      local status, text, api = handle { method = method, query = GOOD .. "&callback=f" }
      assert.same({ 405, '{"error":"method not allowed"}', "POST" }, { status, text, api.header.Allow })
      assert.equal(405, api.status)
    end
    local _, _, api = handle({ method = "PUT" }, "authorize_channel", nil, { jsonp = true })
    assert.equal("GET, POST", api.header.Allow)
    local refused, _, nginx = handle({ method = "GET" }, "webhook", {})
    assert.same({ 405, "POST" }, { refused, nginx.header.Allow })
  end)

  it("distinguishes a body of another type from a bad form", function()
    for _, case in ipairs { { "application/json", '{"socket_id":"1.2"}', 400 }, { "application/x-www-form-urlencodedx", "x", 415 },
      { nil, "x", 415 }, { "multipart/form-data; boundary=x", "--x", 400 }, { FORM, "x", 400 }, { nil, '{"socket_id":"1.2"}', 415 },
      { "text/plain", '{"socket_id":"1.2","channel_name":"private-a"}', 415 }, { "application/jsonx", "{}", 415 }, { "", "{}", 415 },
      { "Application/X-WWW-Form-Urlencoded; charset=UTF-8", "x", 400 }, { "application/json", "", 400 }, { nil, nil, 400 } } do
      local status = handle { body = case[2], content_type = case[1] }
      assert.equal(case[3], status, tostring(case[1]))
    end
  end)

  describe("a body of another content type", function()
    local JSON = ' {"channel_name":"private-a","socket_id":"1.2"}'
    local MULTIPART = '--x"y\r\nContent-Disposition: form-data; name="socket_id"\r\n\r\n1.2\r\n'
      .. '--x"y\r\nContent-Disposition: form-data; name="channel_name"\r\n\r\nprivate-a\r\n--x"y--\r\n'
    local CASES = { { JSON, "Application/JSON; charset=utf-8" }, { (MULTIPART:gsub('"y', "")), "multipart/form-data; boundary=x" },
      { (MULTIPART:gsub('x"y', "x y")), 'multipart/form-data; boundary="x y"' }, { "&" .. GOOD, FORM } }

    it("is read", function()
      for _, case in ipairs(CASES) do
        local seen
        local status, text = handle({ body = case[1], content_type = case[2] }, "authorize_channel", function(_, _, form)
          seen = form
          return true
        end)
        assert.same({ 200, (client:authorize_channel(GOOD)), case[1] }, { status, text, seen })
        status, text = handle({ body = case[1], content_type = case[2] }, "authenticate_user", function() return { id = "7" } end)
        assert.same({ 200, (client:authenticate_user("socket_id=1.2", { id = "7" })) }, { status, text })
      end
    end)

    it("is refused like a form", function()
      for _, body in ipairs { '{"socket_id":1.2,"channel_name":"private-a"}',
        '{"socket_id":"1.2","socket_id":"1.2","channel_name":"private-a"}',
        '{"socket_id":{},"channel_name":"private-a"}', "[]", "{" } do
        local status, text, _, record = handle { body = body, content_type = "application/json" }
        assert.equal(400, status)
        assert.is_truthy(text:find('^{"error":"[%w_%s,]+"}$'))
        assert.is_truthy(record.log[1]:find("^info: pusher authorize_channel: 400, "))
      end
    end)

    it("is not read as a url-encoded form", function()
      for content_type, body in pairs { ["application/json"] = GOOD .. '&x={"socket_id":"1.2","channel_name":"private-b"}',
        ["multipart/form-data; boundary=x"] = GOOD .. "&x=\r\n" .. MULTIPART:gsub('"y', ""):gsub("private%-a", "private-b") } do
        for _, handler in ipairs { "authorize_channel", "authenticate_user" } do
          assert.equal(400, (handle({ body = body, content_type = content_type }, handler, function()
            error("it was asked")
          end)))
        end
        assert.equal(200, (handle { body = body, content_type = "text/plain" }))
      end
    end)

    it("is not looked for in a query", function()
      local status = handle({ method = "GET", query = "&callback=f&" .. GOOD, content_type = "application/json" },
        "authorize_channel", nil, { jsonp = true })
      assert.equal(200, status)
    end)
  end)

  it("survives a body that nginx does not read", function()
    for _, case in ipairs {
      { "http2 requests are not supported without content-length header", 411, "the request must have a Content-Length" },
      { "http2 requests not supported yet", 500, "internal error" },
      { "request body is already discarded", 500, "internal error" },
      { setmetatable({}, { __tostring = error }), 500, "internal error" },
    } do
      for _, handler in ipairs { "authorize_channel", "authenticate_user", "webhook" } do
        local status, text, _, record = handle({ body = GOOD, read_body = function() error(case[1], 0) end }, handler,
          handler == "webhook" and {} or nil)
        assert.same({ case[2], '{"error":"' .. case[3] .. '"}' }, { status, text })
        assert.is_truthy(record.log[1]:find((case[2] == 411 and "info" or "error") .. ": pusher " .. handler .. ": " .. case[2], 1, true))
      end
    end
    assert.has_error(function()
      handle { read_body = function() error("not enough memory", 0) end }
    end, "not enough memory")
  end)

  describe("JSONP", function()
    local function get(query)
      return handle({ method = "GET", query = query }, "authorize_channel", nil, { jsonp = true })
    end

    it("calls the callback", function()
      local status, text, api = get("callback=Pusher.auth_callbacks%5B'1'%5D&" .. GOOD)
      assert.equal(200, status)
      assert.equal("/**/Pusher.auth_callbacks['1'](" .. client:authorize_channel(GOOD) .. ");", text)
      assert.same({ ["Content-Type"] = "application/javascript; charset=utf-8", ["X-Content-Type-Options"] = "nosniff",
        ["Cache-Control"] = "no-store", ["Content-Length"] = #text }, api.header)
    end)

    it("refuses a callback that is a program, and gives refusals as JSON", function()
      for _, query in ipairs { "callback=alert(1)//&" .. GOOD, GOOD, "callback=&" .. GOOD, "callback=f&callback=g&" .. GOOD, "",
        "callback=f&socket_id=1.2" } do
        local status, text, api = get(query)
        assert.equal(400, status)
        assert.is_truthy(text:find('^{"error":"[%w_%s,]+"}$'))
        assert.equal("application/json", api.header["Content-Type"])
      end
    end)

    it("is not for POST", function()
      local _, text = handle({ body = GOOD .. "&callback=f", content_type = FORM }, "authorize_channel", nil, { jsonp = true })
      assert.equal("{", text:sub(1, 1))
    end)
  end)

  describe("webhook", function()
    local BODY = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a"}]}'

    it("calls the functions", function()
      local seen
      local headers = { ["x-pusher-key"] = "k", ["x-pusher-signature"] = core.mac("very-secret"):hex(BODY) }
      local status, text = handle({ body = BODY, headers = headers }, "webhook", { channel_occupied = function(event)
        seen = event.channel
      end })
      assert.same({ 200, '{"ok":true}', "a" }, { status, text, seen })
    end)

    it("refuses a forged one", function()
      local status, text = handle({ body = BODY, headers = { ["x-pusher-key"] = "k", ["x-pusher-signature"] = "00" } }, "webhook", {})
      assert.same({ 401, '{"error":"unauthorized"}' }, { status, text })
      assert.equal(413, (handle({ body = BODY }, "webhook", {}, { max_body_bytes = 5 })))
    end)
  end)

  it("refuses options that are unknown or wrong, and logs which", function()
    for _, case in ipairs { { "authorize_channel", { json = true } }, { "authorize_channel", { jsonp = "yes" } },
      { "authenticate_user", { max_body_bytes = "5" } }, { "authenticate_user", { max_body_bytes = 0 / 0 } },
      { "webhook", { max_ages = 5 } }, { "webhook", { max_age = "5" } }, { "webhook", { extra_tokens = 5 } } } do
      local handler, options = case[1], case[2]
      local given = handler == "webhook" and {} or function() return true end
      local status, text, _, record = handle({ body = GOOD, content_type = FORM }, handler, given, options)
      assert.same({ 500, '{"error":"internal error"}' }, { status, text })
      assert.is_truthy(record.log[1]:find("^error: pusher " .. handler .. ": 500, .*option \"" .. next(options)), record.log[1])
    end
    local status, text, _, record = handle({ body = "x" }, "webhook", {}, { extra_tokens = { { key = "k" } } })
    assert.same({ 500, '{"error":"internal error"}' }, { status, text })
    assert.is_truthy(record.log[1]:find("extra_tokens", 1, true))
  end)

  it("calls the function of a webhook's event through a metatable, and survives one that raises", function()
    local body = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a"}]}'
    local headers = { ["x-pusher-key"] = "k", ["x-pusher-signature"] = core.mac("very-secret"):hex(body) }
    local seen
    local inherited = setmetatable({}, { __index = { default = function(event) seen = event.channel end } })
    assert.equal(200, (handle({ body = body, headers = headers }, "webhook", inherited)))
    assert.equal("a", seen)
    local strict = setmetatable({}, { __index = function(_, name) error("no " .. name) end })
    assert.equal(500, (handle({ body = body, headers = headers }, "webhook", strict)))
    assert.equal(500, (handle({ body = body, headers = headers }, "webhook", { default = "no function" })))
  end)

  it("has pieces that check what they are given", function()
    rawset(_G, "ngx", (fake.new { request = { body = "12345" } }))
    assert.equal("12345", openresty.body(5))
    assert.same({ 413 }, { select(2, openresty.body(4)), nil })
    assert.equal("12345", openresty.body(2 ^ 31 - 1))
    assert.equal(413, (select(2, openresty.body(0))))
    for _, max_bytes in ipairs { -1, 0.5, 0 / 0, math.huge, 2 ^ 31 } do
      assert.equal(500, (select(2, openresty.body(max_bytes))))
    end
    assert.equal(200, openresty.reply(200, "{}", "app.receive"))
    assert.equal(599, openresty.reply(599, "{}"))
    for _, case in ipairs { { 199 }, { 200.5 }, { 0 / 0 }, { 600 }, { 200, "alert(1)//" }, { 200, "" } } do
      local status, message, details = openresty.reply(case[1], "{}", case[2])
      assert.is_nil(status)
      assert.is_string(message)
      assert.equal("invalid", details.code)
    end
    for _, name in ipairs { "authorize_channel", "authenticate_user", "webhook" } do
      for _, call in ipairs { openresty[name], openresty.decide[name] } do
        local ok, message = pcall(function()
          local status = call({ not_a = "client" }, print, "x")
          return status
        end)
        assert.is_false(ok)
        local expected = ("bad argument #1 to '%s' (client expected, got another table)"):format(name)
        assert.is_truthy(message:find("openresty_spec.lua:%d+: ") and message:find(expected, 1, true), message)
      end
    end
  end)

  it("logs the message in one line, without secrets", function()
    local _, _, _, record = handle({ body = GOOD, content_type = FORM }, "authorize_channel", function()
      return nil, "banned\nforged line"
    end)
    assert.same({ "info: pusher authorize_channel: 403, refused: banned forged line" }, record.log)
    _, _, _, record = handle({ body = GOOD, content_type = FORM }, "authorize_channel", function()
      error("no database", 0)
    end)
    assert.same({ "error: pusher authorize_channel: 500, the application raised: no database" }, record.log)
  end)

  it("decides without nginx, by the same names", function()
    local status, text = openresty.decide.authorize_channel(client, function() return true end, GOOD)
    assert.same({ 200, (client:authorize_channel(GOOD)) }, { status, text })
    status, text = openresty.decide.authenticate_user(client, function() return { id = "7" } end, "socket_id=1.2")
    assert.same({ 200, (client:authenticate_user("socket_id=1.2", { id = "7" })) }, { status, text })
    assert.equal(401, (openresty.decide.webhook(client, {}, {}, "x")))
  end)

  it("raises where it is called when the arguments are mixed up", function()
    for _, case in ipairs { { "authorize_channel", nil }, { "authenticate_user", {} }, { "webhook", print } } do
      local ok, message = pcall(function()
        openresty[case[1]](client, case[2])
      end)
      assert.is_false(ok)
      assert.is_truthy(message:find("openresty_spec.lua:%d+: bad argument #2 to '" .. case[1] .. "'"), message)
    end
    local ok, message = pcall(openresty.authorize_channel, nil, print)
    assert.is_false(ok)
    assert.is_truthy(message:find("bad argument #1 to 'authorize_channel' (table expected, got no value)", 1, true), message)
  end)

  it("raises where it is called outside http {}, but for what only decides", function()
    local calls = {
      body = { 1 }, reply = { 200, "{}" }, authorize_channel = { client, print }, authenticate_user = { client, print },
      webhook = { client, {} },
    }
    for _, api in ipairs { (fake.new { subsystem = "stream" }), false } do
      rawset(_G, "ngx", api or nil)
      for name, given in pairs(calls) do
        local ok, message = pcall(function()
          openresty[name](given[1], given[2])
        end)
        assert.is_false(ok)
        assert.is_truthy(message:find("openresty_spec.lua:%d+: '" .. name .. "' works in http {} of nginx only"), message)
      end
      local status = openresty.decide.authorize_channel(client, function() return true end, GOOD)
      assert.equal(200, status)
    end
  end)

  it("passes max_age and extra_tokens to the client", function()
    local body = '{"time_ms":1000,"events":[]}'
    local function headers(key, secret)
      return { ["x-pusher-key"] = key, ["x-pusher-signature"] = core.mac(secret):hex(body) }
    end
    local own, extra = headers("k", "very-secret"), headers("k2", "s2")
    assert.equal(200, (handle({ body = body, headers = own }, "webhook", {})))
    assert.equal(401, (handle({ body = body, headers = own }, "webhook", {}, { max_age = 60 })))
    assert.equal(401, (handle({ body = body, headers = extra }, "webhook", {})))
    assert.equal(200, (handle({ body = body, headers = extra }, "webhook", {},
      { extra_tokens = { { key = "k2", secret = "s2" } } })))
  end)

  it("refuses options out of range", function()
    for _, handler in ipairs { "authorize_channel", "authenticate_user", "webhook" } do
      for _, value in ipairs { 0, 1.5, 2 ^ 31, "1" } do
        local status, _, _, record = handle({ body = "" }, handler, handler == "webhook" and {} or nil, { max_body_bytes = value })
        assert.equal(500, status)
        assert.is_truthy(record.log[1]:find('option "max_body_bytes" must be', 1, true), record.log[1])
      end
      assert.not_equal(500, (handle({ body = "" }, handler, handler == "webhook" and {} or nil, { max_body_bytes = 1 })))
    end
  end)

  it("says what is wrong", function()
    rawset(_G, "ngx", (fake.new { request = { body = "12345" } }))
    assert.same({ n = 3, nil, 413, "the body must have at most 4 bytes" }, { n = 3, openresty.body(4) })
    assert.same({ n = 3, nil, 500, "max_bytes must be a whole number from 0 to 2147483647, got -1" },
      { n = 3, openresty.body(-1) })
    fails("status must be a whole number from 200 to 599, got 199", { code = "invalid", field = "status" },
      openresty.reply(199, "{}"))
    fails('callback must be a plain reference such as app.receive, got "a b"', { code = "invalid", field = "callback" },
      openresty.reply(200, "{}", "a b"))
    assert.same({ 200, 599 }, { openresty.reply(200, "{}"), openresty.reply(599, "{}") })
    assert.equal("", openresty.body(5):sub(6))
    for _, case in ipairs {
      { "info: pusher authorize_channel: 405, method PUT", { method = "PUT" } },
      { "info: pusher authorize_channel: 415, other content type", { body = "x", content_type = "text/plain" } },
      { "info: pusher authorize_channel: 400, callback is not valid", { method = "GET", args = "callback=a%20b" } },
      { 'error: pusher authorize_channel: 500, unknown option "x"', { body = GOOD }, { x = 1 } },
    } do
      local _, _, _, record = handle(case[2], nil, nil, case[3] or { jsonp = true })
      assert.same({ case[1] }, record.log)
    end
  end)
end)
