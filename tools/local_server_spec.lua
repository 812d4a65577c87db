-- The launcher, and what every local server does: faults, proxies, TLS, an end with its parent.

local curl = require "pusher.transport.curl"
local local_server = require "tools.local_server"

describe("A local server", function()
  local server, http

  local function keep(status, body, headers)
    return { status = status, body = body, headers = headers }
  end

  -- One request; returns the response, or nil, message, details.
  local function ask(target, options)
    options = options or {}
    return (options.http or http):send({
      method = options.method or "POST",
      scheme = options.tls and "https" or "http",
      host = options.host or "127.0.0.1",
      port = options.port or server.port,
      target = target,
      headers = {},
      body = options.body or "{}",
      timeout = options.timeout or 5,
    }, keep)
  end

  setup(function()
    server = local_server.start()
    http = curl.new {}
  end)

  teardown(function()
    http:close()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("reports its ports as whole numbers, each a different one", function()
    local seen = {}
    for name, value in pairs(server) do
      if name:find("port$") then
        assert.is_truthy(("%s"):format(value):find("^%d+$"), name)
        assert.is_nil(seen[value], name)
        seen[value] = name
      end
    end
    assert.is_truthy(server.tls_port and server.proxy_port and server.silent_port)
  end)

  it("has a URL by which a client publishes", function()
    local client = assert(require("pusher").from_url(server:url()))
    assert(client:trigger("a", "b", "c"))
    client:close()
    assert.equal("b", server:events()[1].name)
  end)

  it("refuses an option it does not know", function()
    local ok, message = pcall(local_server.start, { no_such_option = 1 })
    assert.is_false(ok)
    assert.is_truthy(message:find("unknown option no_such_option", 1, true), message)
  end)

  it("refuses an unknown command and keeps running", function()
    assert.has_error(function()
      server:no_such_command()
    end, "local server: unknown command no_such_command")
    assert.equal(0, server:inspect().requests)
  end)

  it("removes its files at stop, and a second stop does nothing", function()
    local other = local_server.start()
    local ca = other.ca_file
    assert.is_truthy(io.open(ca))
    other:stop()
    other:stop()
    assert.is_nil(io.open(ca))
    local ok, _, details = ask("/", { port = other.port })
    assert.is_nil(ok)
    assert.equal("network", details.code)
  end)

  it("ends when the program that started it ends", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write('local s = require("tools.local_server").start()\n',
      'print(("%d %s"):format(s.port, s.ca_file))\nos.exit(true)\n')
    file:close()
    local pipe = io.popen((os.getenv("PUSHER_LUA") or "luajit") .. " " .. script)
    local port, ca = pipe:read("*a"):match("(%d+) (%S+)")
    pipe:close()
    os.remove(script)
    assert.is_truthy(port)
    -- Ending takes a moment, and nothing signals it.
    local response, message, details
    for _ = 1, 1000 do
      response, message, details = ask("/_misbehave/delay?ms=5", { port = tonumber(port) })
      if not response then
        break
      end
    end
    assert.equal("network", details.code, message)
    assert.is_nil(io.open(ca))
  end)

  it("reports what arrived, byte for byte", function()
    local response = ask("/_misbehave/none?a=%20b&c", { body = '{"x": 1}' })
    assert.equal(200, response.status)
    assert.is_truthy(response.body:find('"target":"\\/_misbehave\\/none?a=%20b&c"', 1, true))
    assert.equal('{"x": 1}', server:requests()[1].body)
    assert.equal(1, server:inspect().requests)
  end)

  it("applies a fault to the requests it was armed for, and no others", function()
    server:misbehave { mode = "status", status = 503, retry_after = 2, path = "/_misbehave", skip = 1, times = 2 }
    local statuses = {}
    for index = 1, 4 do
      statuses[index] = ask("/_misbehave/none").status
    end
    assert.same({ 200, 503, 503, 200 }, statuses)
    assert.same({ status = 2 }, server:inspect().faults)
    assert.has_error(function()
      server:misbehave { mode = "no such mode" }
    end)
  end)

  it("plays the same random faults for the same seed", function()
    local function play(seed)
      server:reset()
      server:misbehave { modes = { "status", { mode = "answer", status = 418 } }, probability = 0.5, seed = seed }
      local statuses = {}
      for index = 1, 30 do
        statuses[index] = ask("/_misbehave/none").status
      end
      return table.concat(statuses, " ")
    end
    local first = play(7)
    assert.equal(first, play(7))
    assert.not_equal(first, play(8))
    for _, status in ipairs { "200", "418", "503" } do
      assert.is_truthy(first:find(status, 1, true), status)
    end
  end)

  it("sends a canned response once", function()
    server:answer { path = "/apps/", status = 202, headers = { ["X-What"] = "canned" }, body = '{"ok":true}' }
    local response = ask("/apps/1/events")
    assert.equal(202, response.status)
    assert.equal('{"ok":true}', response.body)
    assert.is_truthy(response.headers:lower():find("x-what: canned", 1, true))
    assert.equal(404, ask("/apps/1/events").status)
  end)

  -- How a transport handles each is part of the transport contract.
  for _, mode in ipairs {
    "drop", "reset", "lose_answer", "cut", "cut?at=head", "cut?reset=1", "garbage", "garbage?form=chunk", "oversize", "hang",
  } do
    it("sends nothing usable in mode " .. mode, function()
      local response, message, details = ask("/_misbehave/" .. mode, { timeout = mode == "hang" and 0.1 or 5 })
      assert.is_nil(response)
      assert.is_string(message)
      assert.is_truthy(require("pusher.base.errors").CODES[details.code] ~= nil)
    end)
  end

  for _, mode in ipairs {
    "delay?ms=1", "trickle?ms=0&bytes=50", "chunked", "chunked?keep=1", "close_delimited", "close_delimited?http10=1",
    "interim?count=2", "header_flood?count=3", "stale", "surplus",
  } do
    it("is understood in mode " .. mode, function()
      local own = curl.new {}
      local response = assert(ask("/_misbehave/" .. mode, { http = own }))
      assert.equal(200, response.status)
      assert.is_truthy(response.body:find('"method":"POST"', 1, true))
      own:close()
    end)
  end

  it("counts followed redirects", function()
    assert.equal(302, ask("/_misbehave/redirect").status)
    assert.equal(0, server:inspect().landed)
    ask("/_misbehave/landed")
    assert.equal(1, server:inspect().landed)
  end)

  it("counts connections by listener", function()
    local own = curl.new { ca_file = server.ca_file }
    local before = server:inspect().accepted
    local over_tls = { http = own, tls = true, host = "localhost", port = server.tls_port }
    for _ = 1, 3 do
      assert.equal(200, ask("/_misbehave/none", over_tls).status)
    end
    assert.equal(before.tls + 1, server:inspect().accepted.tls)
    own:close()
  end)

  it("offers HTTP/2 on one port, and HTTP/1.1 as well", function()
    local own = curl.new { ca_file = server.ca_file }
    local response = assert(ask("/_misbehave/none", { http = own, tls = true, host = "localhost", port = server.h2_port }))
    assert.equal(200, response.status)
    own:close()
  end)

  it("has TLS listeners that no client should trust", function()
    for _, name in ipairs { "wrong_name_port", "expired_port", "untrusted_port", "self_signed_port", "old_tls_port" } do
      local own = curl.new { ca_file = server.ca_file }
      local response, _, details = ask("/", { http = own, tls = true, host = "localhost", port = server[name] })
      assert.is_nil(response, name)
      assert.equal("tls", details.code)
      own:close()
    end
  end)

  it("has ports that lead nowhere", function()
    for name, code in pairs { refusing_port = "network", black_hole_port = "timeout", silent_port = "timeout" } do
      local response, _, details = ask("/", { port = server[name], timeout = 0.2 })
      assert.is_nil(response, name)
      assert.equal(code, details.code)
    end
  end)

  it("forwards, tunnels and asks for credentials as a proxy", function()
    local plain = curl.new { proxy = "http://127.0.0.1:" .. server.proxy_port, ca_file = server.ca_file }
    assert.equal(200, ask("/_misbehave/none", { http = plain }).status)
    local tls = { http = plain, tls = true, host = "localhost", port = server.tls_port }
    assert.equal(200, ask("/_misbehave/none", tls).status)
    plain:close()
    local stranger = curl.new { proxy = "http://127.0.0.1:" .. server.proxy_auth_port }
    assert.equal(407, ask("/_misbehave/none", { http = stranger }).status)
    stranger:close()
    local known = curl.new { proxy = "http://proxy-user:proxy%20pass@127.0.0.1:" .. server.proxy_auth_port }
    assert.equal(200, ask("/_misbehave/none", { http = known }).status)
    known:close()
    local seen = server:inspect()
    assert.same({ accepted = 2, forwarded = 1, tunnels = 1, refused = 0 }, seen.proxy)
    assert.same({ accepted = 2, forwarded = 1, tunnels = 0, refused = 1 }, seen.proxy_auth)
  end)

  it("also executes commands over HTTP", function()
    local response = ask("/_control/inspect")
    assert.is_truthy(response.body:find('"result"', 1, true))
    assert.equal(0, server:inspect().requests)
  end)
end)
