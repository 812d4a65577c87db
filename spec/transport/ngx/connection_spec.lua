local connection = require "pusher.transport.ngx.connection"
local core = require "pusher.core"
local fake = require "spec.helpers.fake_ngx"
local route = require "pusher.transport.ngx.route"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

describe("pusher.transport.ngx.connection", function()
  local real, now, real_now

  before_each(function()
    real, now, real_now = rawget(_G, "ngx"), 1000, core.now
    core.now = function() return now end
  end)

  after_each(function()
    rawset(_G, "ngx", real)
    core.now = real_now
  end)

  local function inside(options)
    local api, record = fake.new(options)
    rawset(_G, "ngx", api)
    return record
  end

  local SETTINGS = { tls_verify = true, pool_size = 3, idle_ms = 60000 }

  before_each(function()
    SETTINGS.down, SETTINGS.last_head = {}, {}
  end)

  local function open(over, settings, fresh)
    local request = { scheme = "http", host = "127.0.0.1", port = 80 }
    for name, value in pairs(over or {}) do
      request[name] = value
    end
    settings = settings or SETTINGS
    return connection.open(route.plan(request, settings), settings, now + 5, now + 9, fresh)
  end

  it("says what to do where nginx allows no sockets", function()
    inside { no_sockets = "API disabled in the context of log_by_lua*" }
    local link, message, details = open()
    assert.is_nil(link)
    assert.equal("config", details.code)
    assert.is_false(details.sent)
    assert.is_truthy(message:find("log_by_lua", 1, true) and message:find("client:publisher()", 1, true)
      and message:find("ngx.timer.at", 1, true), message)
  end)

  it("refuses sockets that lack what nginx's have, as APISIX gives them out in such phases", function()
    inside { no_methods = true }
    local link, message, details = open()
    assert.same({ nil, "config", false }, { link, details.code, details.sent })
    assert.is_truthy(message:find("nginx allows no network access in this phase: call client:publisher()", 1, true), message)
  end)

  it("waits for connecting no longer than the deadline", function()
    local record = inside { sockets = { {} } }
    assert.is_truthy(open())
    assert.same({ 5000, 9000, 9000 }, record.timeouts[1])
    assert.same({ pool = "pusher http 127.0.0.1:80", pool_size = 3 }, record.connections[1].options)
    now = now + 6
    inside {}
    local link, message, details = connection.open(route.plan({ scheme = "http", host = "::1", port = 80 }, SETTINGS),
      SETTINGS, now - 1, now - 1)
    assert.is_nil(link)
    assert.equal("timeout", details.code)
    assert.equal("cannot connect to [::1]:80: timeout", message)
  end)

  it("asks nginx for no longer timeout than it accepts", function()
    local record = inside { sockets = { {} } }
    assert.is_truthy(connection.open(route.plan({ scheme = "http", host = "127.0.0.1", port = 80 }, SETTINGS), SETTINGS, now + 2 ^ 31,
      now + 2 ^ 31))
    for _, ms in ipairs(record.timeouts[1]) do
      assert.equal(2147483647, ms)
    end
  end)

  it("says why there is no connection, and what nginx.conf lacks", function()
    for cause, expected in pairs {
      ["connection refused"] = { "network", "cannot connect to api.test:80: connection refused" },
      ["timeout"] = { "timeout", "cannot connect to api.test:80: timeout" },
      ['no resolver defined to resolve "api.test"'] = { "network",
        'cannot connect to api.test:80: no resolver defined to resolve "api.test" (nginx does not read /etc/hosts or '
        .. "/etc/resolv.conf: name a DNS server with the directive resolver)" },
      ["the name was not resolved in time"] = { "timeout", "cannot connect to api.test:80: the name was not resolved in "
        .. "time (the DNS server that the directive resolver names does not respond)" },
      ["api.test could not be resolved (110: Operation timed out)"] = { "network", "directive resolver" },
      ["api.test could not be resolved (3: Host not found)"] = { "network", "Host not found" },
    } do
      local sockets = {}
      for index = 1, 20 do
        sockets[index] = { connect = cause }
      end
      inside { sockets = sockets }
      local link, message, details = open { host = "api.test" }
      assert.is_nil(link)
      assert.equal(expected[1], details.code)
      assert.is_truthy(message:find(expected[2], 1, true), message)
      assert.is_false(details.sent)
    end
  end)

  it("names the server in the handshake, and repeats none on a reused connection", function()
    local record = inside { sockets = { {}, { reused = 2 } } }
    assert.is_truthy(open { scheme = "https", host = "api.test" })
    assert.same({ false, "api.test", true }, record.connections[1].handshaken)
    assert.is_truthy(open { scheme = "https", host = "api.test" })
    assert.is_nil(record.connections[2].handshaken)
  end)

  it("skips verification only with tls_verify = false, and never sends an address as a name", function()
    for host, name in pairs { ["127.0.0.1"] = false, ["::1"] = false, ["api.test"] = "api.test" } do
      local record = inside { sockets = { {} } }
      open({ scheme = "https", host = host }, { tls_verify = false, pool_size = 3, idle_ms = 1, down = {} })
      assert.same({ false, name or nil, false }, record.connections[1].handshaken)
    end
  end)

  it("leaves out the dot at the end of a name in the handshake, as the certificate does", function()
    local record = inside { sockets = { {} } }
    assert.is_truthy(open { scheme = "https", host = "api.test." })
    assert.same({ "api.test.", "api.test" }, { record.connections[1].host, record.connections[1].handshaken[2] })
  end)

  it("never accepts a certificate for an address that it could not check", function()
    local record = inside { sockets = { { handshake = { true } } } }
    local link, message, details = open { scheme = "https" }
    assert.is_nil(link)
    assert.equal("tls", details.code)
    assert.is_truthy(message:find("certificate host mismatch", 1, true))
    assert.same({ nil, nil, true }, record.connections[1].handshaken)
    assert.is_true(record.connections[1].closed)
  end)

  it("notices a refusal that nginx reports as success", function()
    inside { sockets = { { refused = true }, { handshake = { raise = "assertion failed!" } } } }
    for _, host in ipairs { "api.test", "127.0.0.1" } do
      local link, message, details = open { scheme = "https", host = host }
      assert.is_nil(link)
      assert.equal("tls", details.code)
      assert.is_truthy(message:find("the certificate was refused", 1, true), message)
    end
  end)

  it("says why TLS failed, and which directive helps", function()
    local authority = "name the authority to trust with the directive lua_ssl_trusted_certificate"
    local authorities = "name the authorities to trust with the directive lua_ssl_trusted_certificate, "
      .. "such as /etc/ssl/certs/ca-certificates.crt"
    for cause, expected in pairs {
      ["17: x"] = "", ["23: x"] = "", ["certificate host mismatch"] = "", ["handshake failed"] = "",
      ["18: self-signed certificate"] = authority, ["19: self-signed certificate in certificate chain"] = authority,
      ["20: unable to get local issuer certificate"] = authorities,
      ["21: unable to verify the first certificate"] = authorities,
      ["22: certificate chain too long"] = "allow longer chains with the directive lua_ssl_verify_depth",
    } do
      inside { sockets = { { handshake = { nil, cause } } } }
      local link, message, details = open { scheme = "https", host = "api.test", port = 80 }
      assert.is_nil(link)
      assert.same({ "tls", cause == "handshake failed" }, { details.code, details.retryable })
      assert.is_false(details.sent)
      assert.equal(("the TLS handshake with api.test:80 failed: %s%s"):format(cause,
        expected ~= "" and " (" .. expected .. ")" or ""), message)
      assert.equal(expected ~= "" and expected or nil, details.hint)
    end
    inside { sockets = { { handshake = { nil, "timeout" } } } }
    assert.equal("timeout", select(3, open { scheme = "https", host = "api.test" }).code)
  end)

  describe("through a proxy", function()
    local settings = { tls_verify = true, pool_size = 3, idle_ms = 1, is_direct = function() return false end,
      last_head = {}, proxy = route.proxy("http://me@127.0.0.1:3128") }

    it("opens a tunnel, then starts the handshake with the server", function()
      for _, text in ipairs { "HTTP/1.1 200 Established\r\n\r\n", "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" } do
        local record = inside { sockets = { { receive = { text } } } }
        assert.is_truthy(open({ scheme = "https", host = "api.test", port = 443 }, settings))
        assert.equal("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nProxy-Authorization: Basic bWU6\r\n\r\n",
          record.connections[1].sent)
        assert.equal("api.test", record.connections[1].handshaken[2])
      end
    end)

    it("takes a 2xx for a tunnel, whatever its headers say about a body", function()
      for _, line in ipairs { "Content-Length: 5", "Content-Length: x", "Transfer-Encoding: gzip", "Transfer-Encoding:\r\n chunked" } do
        inside { sockets = { { receive = { "HTTP/1.1 200 OK\r\n" .. line .. "\r\n\r\n" } } } }
        assert.is_truthy(open({ scheme = "https", host = "api.test" }, settings))
      end
    end)

    it("fails without a tunnel, and says that nothing was sent", function()
      for text, expected in pairs {
        ["HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n"] =
          "the proxy 127.0.0.1:3128 refused a tunnel to api.test:80 with status 502",
        ["HTTP/1.1 407 Who\r\n\r\n"] = "the proxy 127.0.0.1:3128 refused a tunnel to api.test:80 with status 407: "
          .. 'it did not accept the user and password in the option "proxy"',
        ["HTTP/1.1 200 Established\r\n\r\nsurplus"] =
          "the proxy 127.0.0.1:3128 sent data after its response to CONNECT",
        ["garbage\r\n"] = "proxy: 127.0.0.1:3128: the response is not HTTP/1.1",
        ["HTTP/1.1 101 Switching\r\n\r\n"] = "proxy: 127.0.0.1:3128: the server switched to another protocol",
        ["HTTP/1.1 200"] = "proxy: 127.0.0.1:3128: the server closed the connection in the middle of the response",
        [""] = "proxy: incomplete response from 127.0.0.1:3128: the server closed the connection without a response",
      } do
        local record = inside { sockets = { { receive = { text } } } }
        local link, message, details = open({ scheme = "https", host = "api.test" }, settings)
        assert.is_nil(link)
        assert.equal(expected, message)
        assert.same({ "network", false }, { details.code, details.sent })
        assert.is_nil(record.connections[1].handshaken)
        assert.is_true(record.connections[1].closed)
      end
    end)

    it("does not wait for the body of a refusal", function()
      for _, line in ipairs { "", "Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: x\r\n" } do
        local text = "HTTP/1.1 407 Who\r\n" .. line .. "\r\nplease"
        inside { sockets = { { receive = { text, { "timeout" } } } } }
        local _, message, details = open({ scheme = "https", host = "api.test" }, settings)
        assert.is_truthy(message:find("with status 407", 1, true), message)
        assert.equal("network", details.code)
      end
    end)

    it("says that a proxy asks for a user and a password where none were given", function()
      inside { sockets = { { receive = { "HTTP/1.1 407 Who\r\n\r\n" } } } }
      local open_settings = { tls_verify = true, pool_size = 3, idle_ms = 1, is_direct = settings.is_direct, down = {}, last_head = {},
        proxy = route.proxy("http://[::1]:3128") }
      local _, message = open({ scheme = "https", host = "api.test" }, open_settings)
      assert.equal("the proxy [::1]:3128 refused a tunnel to api.test:80 with status 407: "
        .. 'it asks for a user and a password: give them in the option "proxy"', message)
    end)
  end)

  it("takes no connection from the pool when a fresh one is wanted", function()
    -- More of them than pool_size: a client with a larger one may have made the pool.
    local record = inside { sockets = { { reused = 1 }, { reused = 4 }, { reused = 1 }, { reused = 1 }, { reused = 1 }, {} } }
    assert.is_truthy(open(nil, nil, true))
    for index = 1, 5 do
      assert.is_true(record.connections[index].closed)
    end
    assert.is_nil(record.connections[6].closed)
  end)

  -- What nginx cannot see while the worker is busy. The fake cosocket has no descriptor.
  it("closes kept connections on which something waits, and takes the next one", function()
    for _, waiting in ipairs { "HTTP/1.1 408 Late\r\n\r\n", { "closed" }, { "connection reset by peer" } } do
      local record = inside { sockets = { { reused = 1, waiting = waiting }, { reused = 2, waiting = waiting }, { reused = 1 } } }
      assert.is_truthy(open())
      assert.equal(3, #record.connections)
      assert.same({ true, true, nil }, { record.connections[1].closed, record.connections[2].closed,
        record.connections[3].closed })
    end
  end)

  describe("exchange", function()
    local function exchange(script, over)
      local record = inside { sockets = { script } }
      local link = assert(open(over))
      local results = { link:exchange("GET / HTTP/1.1\r\n\r\n", "GET", 1000, now + 5) }
      return results, link, record.connections[1]
    end

    it("sends and reads piece by piece", function()
      local results, link, script = exchange { receive = { OK:sub(1, 10), OK:sub(11, 30), OK:sub(31) } }
      assert.equal(200, results[1].status)
      assert.equal("ok", results[1].body)
      assert.equal("GET / HTTP/1.1\r\n\r\n", script.sent)
      link:release(results[1].persistent)
      assert.same({ 60000, 3 }, script.kept)
      assert.is_nil(script.closed)
    end)

    it("keeps no connection over TLS whose last piece may have filled nginx's buffer", function()
      local head = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
      for size, kept in pairs { [511] = true, [512] = false, [513] = true, [1024] = false } do
        local length = size - #head - 1 -- three digits for two letters
        local bytes = head:format(length) .. ("x"):rep(length)
        for scheme, expected in pairs { https = kept, http = true } do
          local results = exchange({ receive = { bytes }, sent = "" }, { scheme = scheme, host = "api.test" })
          assert.same({ 200, expected }, { results[1].status, results[1].persistent }, scheme .. size .. " " .. #bytes)
        end
      end
    end)

    it("sends in pieces, each of which ends at the deadline", function()
      local record = inside { sockets = { { receive = { OK } } } }
      local link = assert(open())
      local sizes, socket = {}, link.socket
      local send = socket.send
      function socket.send(self, bytes)
        sizes[#sizes + 1] = #bytes
        now = now + 1
        return send(self, bytes)
      end
      local text = ("0123456789"):rep(4000)
      assert.is_truthy(link:exchange(text, "POST", 1000, now + 5))
      assert.same({ 16384, 16384, 7232 }, sizes)
      assert.equal(text, record.connections[1].sent)
      local given = {}
      for index, timeouts in ipairs(record.timeouts) do
        given[index] = timeouts[2]
      end
      assert.same({ 9000, 5000, 4000, 3000, 2000 }, given)
      local result, message, details = link:exchange(text, "POST", 1000, now + 2)
      assert.same({ nil, "timed out while sending the request to 127.0.0.1", "timeout" }, { result, message, details.code })
    end)

    it("reads the response of a server that has read half of the request only, and keeps no such connection", function()
      local results, link, script = exchange { send = "broken pipe", receive = { OK } }
      assert.equal(200, results[1].status)
      link:release(results[1].persistent)
      assert.is_true(script.closed)
    end)

    it("says when a kept connection broke before any byte of a response", function()
      for _, case in ipairs { { "closed" }, { "connection reset by peer" }, { "closed", send = "closed" } } do
        local _, link = exchange { send = case.send, receive = { { case[1] } } }
        assert.is_false(link.stale)
        local results
        results, link = exchange { reused = 1, send = case.send, receive = { { case[1] } } }
        assert.is_nil(results[1])
        assert.equal("network", results[3].code)
        assert.is_truthy(results[2]:find("^incomplete response from 127.0.0.1: "), results[2])
        assert.is_true(link.stale)
      end
    end)

    it("says when it broke later, or took too long", function()
      assert.equal("127.0.0.1: the response is not HTTP/1.1", exchange({ receive = { "garbage\r\n\r\n" } })[2])
      assert.equal("incomplete response from 127.0.0.1: timeout", exchange({ receive = { { "timeout" } } })[2])
      local results = exchange { send = "timeout" }
      assert.equal("timed out while sending the request to 127.0.0.1", results[2])
      assert.same({ "timeout", nil }, { results[3].code, results[3].sent })
      for _, case in ipairs { { { "HTTP/1.1 200 OK\r\n", { "closed" } }, "network" },
        { { "HTTP/1.1 200 OK\r\n", { "connection reset by peer" } }, "network" },
        { { "HTTP/1.1 200 OK\r\n\r\nx", { "connection reset by peer" } }, "network" },
        { { "garbage\r\n\r\n" }, "network" }, { { { "timeout" } }, "timeout" },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" }, "too_large" } } do
        local link
        results, link = exchange { reused = 1, receive = case[1] }
        assert.is_nil(results[1])
        assert.equal(case[2], results[3].code)
        assert.is_falsy(link.stale)
      end
    end)

    it("takes the end of the connection as the end of a body without a length", function()
      local results = exchange { receive = { "HTTP/1.1 200 OK\r\n\r\nok", { "closed" } } }
      assert.equal("ok", results[1].body)
    end)

    it("stops at the deadline", function()
      local record = inside { sockets = { { receive = { OK:sub(1, 10), OK:sub(11) } } } }
      local link = assert(open())
      local result, message, details = link:exchange("x", "GET", 1000, now)
      assert.is_nil(result)
      assert.equal("timed out before the request to 127.0.0.1 was sent", message)
      assert.equal("timeout", details.code)
      assert.is_false(details.sent)
      assert.equal("", record.connections[1].sent)
    end)

    it("closes what nginx cannot keep", function()
      local results, link, script = exchange { receive = { OK }, unread = true }
      link:release(results[1].persistent)
      assert.is_true(script.closed)
      results, link, script = exchange { receive = { "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" } }
      link:release(results[1].persistent)
      assert.is_nil(script.kept)
      assert.is_true(script.closed)
    end)
  end)
end)
