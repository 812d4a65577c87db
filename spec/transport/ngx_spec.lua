-- The transport's own logic, on scripted sockets, in any Lua. The contract of all transports, on real cosockets, is in
-- spec/system/nginx/transport_check.lua.

local fails = require "spec.helpers.fails"
local fake = require "spec.helpers.fake_ngx"
local transport = require "pusher.transport.ngx"

local OK = "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok"
local REQUEST = { method = "POST", scheme = "http", host = "127.0.0.1", port = 80, target = "/x", headers = {}, body = "{}" }

local function parse(status, body, headers)
  return { status, body, headers }
end

describe("pusher.transport.ngx", function()
  local real

  before_each(function()
    real = rawget(_G, "ngx")
  end)

  after_each(function()
    rawset(_G, "ngx", real)
  end)

  local function inside(options)
    local api, record = fake.new(options)
    rawset(_G, "ngx", api)
    return record
  end

  local function send(sockets, options)
    local record = inside { sockets = sockets }
    return record, assert(transport.new(options)):send(REQUEST, parse)
  end

  it("is made without a socket, so in init_by_lua as well", function()
    inside { no_sockets = "API disabled" }
    assert.is_truthy(transport.new())
    assert.is_truthy(transport.new { proxy = "http://me:pass@proxy:3128", keepalive = { idle = 1 } })
  end)

  it("is refused outside nginx", function()
    rawset(_G, "ngx", nil)
    local made, message, details = transport.new()
    assert.is_nil(made)
    assert.same({ "config", "transport" }, { details.code, details.field })
    assert.is_truthy(message:find("inside nginx only", 1, true))
  end)

  it("refuses options that nginx does not support", function()
    inside {}
    local made, message, details = transport.new { ca_file = "/etc/ca.pem" }
    assert.is_nil(made)
    assert.equal("config", details.code)
    assert.is_truthy(message:find("lua_ssl_trusted_certificate", 1, true))
    made, message, details = transport.new { proxy = "https://me:hidden@proxy" }
    assert.is_nil(made)
    assert.equal("config", details.code)
    assert.is_nil(message:find("hidden", 1, true))
    assert.is_truthy(transport.new { proxy = "" })
  end)

  it("passes status, body and header lines to parse, and returns its results", function()
    local _, result = send { { receive = { OK } } }
    assert.same({ 200, "ok", "X: y\r\nContent-Length: 2\r\n" }, result)
    inside { sockets = { { receive = { OK } } } }
    assert.same({ n = 3, [2] = "no", [3] = { code = "server" } }, (function(...)
      return { n = select("#", ...), ... }
    end)(transport.new():send(REQUEST, function()
      return nil, "no", { code = "server" }
    end)))
  end)

  it("brings nginx's time up to date first, from which it counts the timeouts", function()
    assert.equal(1, send({ { receive = { OK } } }).updates)
  end)

  it("keeps as many connections as the options say, and as long", function()
    local record = send({ { receive = { OK } } }, { keepalive = { idle = 1.5, pool_size = 7 } })
    assert.same({ 1500, 7 }, record.connections[1].kept)
    assert.equal(7, record.connections[1].options.pool_size)
    record = send({ { receive = { OK } } })
    assert.same({ 60000, 30 }, record.connections[1].kept)
    record = send({ { receive = { OK } } }, { keepalive = { pool_size = 1000000 } })
    assert.equal(10000, record.connections[1].options.pool_size)
    record = send({ { receive = { OK } } }, { keepalive = { idle = 0.001, pool_size = 1 } })
    assert.same({ 1, 1 }, record.connections[1].kept)
    for _, keepalive in ipairs { { idle = 0 }, { pool_size = 0 } } do
      record = send({ { receive = { OK } } }, { keepalive = keepalive })
      assert.is_nil(record.connections[1].kept)
      assert.is_truthy(record.connections[1].sent:find("\r\nConnection: close\r\n", 1, true))
    end
  end)

  it("connects to the proxy, but for the hosts of no_proxy", function()
    local record = send({ { receive = { OK } } }, { proxy = "http://me:x@10.0.0.1:3128" })
    assert.same({ "10.0.0.1", 3128 }, { record.connections[1].host, record.connections[1].port })
    assert.is_truthy(record.connections[1].sent:find("\r\nProxy-Authorization: Basic ", 1, true))
    record = send({ { receive = { OK } } }, { proxy = "http://10.0.0.1:3128", no_proxy = "*" })
    assert.equal(REQUEST.host, record.connections[1].host)
    record = send({ { receive = { OK } } }, { proxy = "" })
    assert.equal(REQUEST.host, record.connections[1].host)
  end)

  it("sends again, on a fresh connection, when a kept one broke before any byte of a response", function()
    local record, result = send { { reused = 1, receive = { { "closed" } } }, { reused = 1 }, { receive = { OK } } }
    assert.equal(200, result[1])
    assert.equal(3, #record.connections)
    assert.equal("", record.connections[2].sent)
    assert.equal(record.connections[1].sent, record.connections[3].sent)
  end)

  it("does so once only", function()
    local record, result, _, details = send { { reused = 1, receive = { { "closed" } } }, { receive = { { "closed" } } } }
    assert.is_nil(result)
    assert.equal("network", details.code)
    assert.equal(2, #record.connections)
  end)

  it("does not say that nothing was sent when only the second connection failed", function()
    local _, result, _, details = send { { reused = 1, receive = { { "closed" } } }, { connect = "connection refused" } }
    assert.is_nil(result)
    assert.same({ "network", nil }, { details.code, details.sent })
  end)

  it("sends nothing twice on a new connection, after the first byte of a response, or after a timeout", function()
    for _, script in ipairs { { receive = { { "closed" } } }, { reused = 1, receive = { "H", { "closed" } } },
      { reused = 1, receive = { { "timeout" } } } } do
      local record, result = send { script }
      assert.is_nil(result)
      assert.equal(1, #record.connections)
      assert.is_true(script.closed)
    end
  end)

  it("limits connecting to connect_timeout", function()
    local record = send({ { receive = { OK } } }, { connect_timeout = 0.5, timeout = 3 })
    assert.same({ { 500, 3000, 3000 } }, record.timeouts)
  end)

  it("refuses a malformed request, and everything after close", function()
    inside {}
    local made = transport.new { proxy = "http://user:password@proxy:3128" }
    local result, _, details = made:send({ method = "GET", scheme = "http", host = "a", port = 1, target = "/a b" }, parse)
    assert.is_nil(result)
    assert.equal("invalid", details.code)
    made:close()
    made:close()
    result, _, details = made:send(REQUEST, parse)
    assert.is_nil(result)
    assert.equal("closed", details.code)
    assert.is_false(details.sent)
    assert.is_nil(made.proxy) -- nor its password
  end)

  it("holds no state of a request", function()
    inside { sockets = { { receive = { OK } } } }
    local made = transport.new()
    local before = {}
    for name, value in pairs(made) do
      before[name] = value
    end
    assert.is_truthy(made:send(REQUEST, parse))
    for name, value in pairs(made) do
      assert.equal(before[name], value)
    end
  end)

  -- All strings that can be reached from a table.
  local function strings_in(value, seen, found)
    if type(value) == "string" then
      found[#found + 1] = value
    elseif type(value) == "table" and not seen[value] then
      seen[value] = true
      for key, member in pairs(value) do
        strings_in(key, seen, found)
        strings_in(member, seen, found)
      end
    end
    return table.concat(found, "\n")
  end

  it("keeps the headers of the last request and response, and neither target nor body", function()
    inside { sockets = { { receive = { "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nits text" } } } }
    local made = transport.new()
    local request = { method = "POST", scheme = "http", host = "h.test", port = 80, target = "/the-target", body = "the body",
      headers = { { "Authorization", "secret" } } }
    assert.is_truthy(made:send(request, parse))
    local kept = strings_in(made, {}, {})
    assert.is_nil(kept:find("the-target", 1, true) or kept:find("the body", 1, true) or kept:find("its text", 1, true))
    assert.is_truthy(kept:find("secret", 1, true))
    made:close()
    assert.is_nil(strings_in(made, {}, {}):find("secret", 1, true))
  end)

  it("sends what differs from the last request", function()
    local record = inside { sockets = { { receive = { OK } }, { receive = { OK } }, { receive = { OK } } } }
    local made = transport.new { keepalive = { pool_size = 0 } }
    for _, over in ipairs { {}, { headers = { { "A", "b" } } }, { port = 81 } } do
      local request = { method = "GET", scheme = "http", host = "127.0.0.1", port = 80, target = "/", headers = { { "A", "a" } } }
      for name, value in pairs(over) do
        request[name] = value
      end
      assert.is_truthy(made:send(request, parse))
    end
    local first, second, third = record.connections[1], record.connections[2], record.connections[3]
    assert.is_truthy(first.sent:find("Host: 127.0.0.1\r\nA: a\r\n", 1, true), first.sent)
    assert.is_truthy(second.sent:find("Host: 127.0.0.1\r\nA: b\r\n", 1, true), second.sent)
    assert.is_truthy(third.sent:find("Host: 127.0.0.1:81\r\nA: a\r\n", 1, true), third.sent)
    assert.same({ 80, 80, 81 }, { first.port, second.port, third.port })
  end)

  it("says what it cannot do", function()
    inside {}
    fails('option "ca_file" is not supported in nginx: use the directive lua_ssl_trusted_certificate instead',
      { code = "config", field = "ca_file" }, transport.new { ca_file = "x" })
    fails('option "proxy" must be http://[user[:password]@]host:port in nginx', { code = "config", field = "proxy" },
      transport.new { proxy = "socks5://p:1" })
    fails('option "proxy" must look like "http://user:password@host:port"', { code = "config", field = "proxy" },
      transport.new { proxy = "x y" })
    local closed = transport.new {}
    closed:close()
    fails("the transport is closed", { code = "closed", sent = false }, closed:send({}, print))
    rawset(_G, "ngx", nil)
    fails('transport "ngx" works inside nginx only', { code = "config", field = "transport" }, transport.new())
  end)
end)
