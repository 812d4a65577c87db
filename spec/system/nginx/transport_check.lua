-- The contract of all transports for pusher.transport.ngx, inside nginx, and what concerns that one only.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local cqueues = require "cqueues"
local environment = require "spec.helpers.environment"
local lax_openssl = require "spec.helpers.lax_openssl"
local local_server = require "tools.local_server"
local new_request = require "spec.helpers.request"
local nginx = require "tools.nginx"
local remote = require "spec.system.nginx.remote"
local time_scale = require "spec.helpers.time_scale"

local SERVER = [[
  client_max_body_size 20m;
  location = /send { content_by_lua_block { require("spec.system.nginx.sending").serve() } }
]]

describe("pusher.transport.ngx, inside nginx", function()
  local server, names, web

  setup(function()
    server = local_server.start()
    names = local_server.start { program = "spec/system/nginx/dns_server.lua" }
  end)

  teardown(function()
    names:stop()
    server:stop()
  end)

  -- Kept connections belong to a worker, so each test has a worker of its own.
  before_each(function()
    web = nginx.start {
      http = ("resolver 127.0.0.1:%d ipv6=off; lua_ssl_trusted_certificate %s;"):format(names.port, server.ca_file),
      server = SERVER,
    }
    server:reset()
  end)

  after_each(function()
    assert.equal("", web:finish())
  end)

  local open, command = remote.new(function() return web end)

  for _, case in ipairs(contract.cases) do
    it(case.name, function()
      contract.run(case, server, open, cqueues.monotime)
    end)
  end

  for _, entry in ipairs(environment.list) do
    it(entry.name, function()
      environment.with_home(function(home)
        local kept, given = {}, {}
        for name, value in pairs(entry.variables(server, home)) do
          kept[#kept + 1] = "env " .. name .. ";" -- workers have no other variables
          given[#given + 1] = name .. "='" .. value .. "'"
        end
        web:stop()
        web = nginx.start {
          main = table.concat(kept, " "), environment = table.concat(given, " "),
          http = ("resolver 127.0.0.1:%d ipv6=off;"):format(names.port), server = SERVER,
        }
        contract.run(entry.case, server, open, cqueues.monotime)
      end)
    end)
  end

  local function request(over)
    return new_request(server, "none", over)
  end

  it("gives up on a name that no DNS server resolves, although nginx would wait longer", function()
    local send = open {}
    local start = cqueues.monotime()
    local result, message, details = send(request { host = "host.silent.test", timeout = 0.25 })
    assert.is_nil(result)
    assert.same({ "timeout", false }, { details.code, details.sent })
    assert.matches("cannot connect to host.silent.test:%d+: the name was not resolved in time %(.*directive resolver", message)
    assert.is_true(cqueues.monotime() - start < 2 * time_scale)
    assert.is_truthy(send(request { host = "other.local.test" }))
  end)

  it("looks at a kept connection without waiting for nginx to read from it", function()
    open {}(request())
    local before = server:inspect().accepted.http
    local outcome = command { options = {}, count_reads = true, request = request() }
    assert.same({ 200, 0 }, { outcome.result.status, outcome.early_reads })
    assert.equal(before, server:inspect().accepted.http)
  end)

  -- The first response makes nginx look at the clock and end the waits whose time is over.
  it("counts no time that the worker was busy before", function()
    local function delayed(ms)
      return new_request(server, "delay?ms=" .. ms, { timeout = 0.4 * time_scale })
    end
    open {}(request())
    command { options = {}, requests = { delayed(10), delayed(10) } } -- to have two kept connections
    for _, outcome in ipairs(command { busy_seconds = 0.5 * time_scale, requests = { delayed(10), delayed(100) } }) do
      assert.equal(200, outcome.result and outcome.result.status, outcome.message)
    end
  end)

  -- nginx's own request ends when the last of its light threads has ended.
  it("ends by the deadline when its light thread is killed while a name is looked up", function()
    local start = cqueues.monotime()
    command { options = {}, kill = request { host = "host.silent.test", timeout = 0.25 } }
    assert.is_true(cqueues.monotime() - start < 2 * time_scale)
  end)

  describe("with a name of two addresses, one of which", function()
    local CALLS = 60

    -- One in a million calls draws the dead address in all its tries.
    local function send_all(send, host, options)
      local together = {}
      for index = 1, CALLS do
        together[index] = request { host = host }
      end
      assert.equal(200, (send(together[1]) or {}).status)
      for _, outcome in ipairs(command { options = options, requests = together }) do
        assert.same({ 200 }, { outcome.result and outcome.result.status or outcome.message })
      end
    end

    local NO_POOL = { keepalive = { pool_size = 0 } }

    it("refuses, connects to the other one", function()
      send_all(open(NO_POOL), "one.half.test", NO_POOL)
    end)

    it("does not respond, connects to the other one within connect_timeout", function()
      names:command("open_hole", { port = server.port })
      local options = { keepalive = { pool_size = 0 }, connect_timeout = 4 }
      send_all(open(options), "one.hole.test", options)
    end)
  end)

  it("does not connect again after a TLS handshake that failed", function()
    local before = server:inspect().accepted.untrusted
    local result, _, details = open {}(request { scheme = "https", host = "one.local.test", port = server.untrusted_port })
    assert.is_nil(result)
    assert.equal("tls", details.code)
    assert.equal(before + 1, server:inspect().accepted.untrusted)
  end)

  it("keeps connect_timeout where no address responds, and a server that refuses costs little", function()
    names:command("open_hole", { port = server.refusing_port })
    local send = open { connect_timeout = 0.5 }
    local start = cqueues.monotime()
    -- 127.0.0.1 refuses this port, 127.0.0.3 does not respond.
    local result, _, details = send(request { host = "other.hole.test", port = server.refusing_port })
    local took = cqueues.monotime() - start
    assert.is_nil(result)
    assert.is_true(details.code == "timeout" or details.code == "network", details.code)
    assert.is_false(details.sent)
    assert.is_true(took < 2 * time_scale, took)
    start = cqueues.monotime()
    result, _, details = send(request { host = "localhost", port = server.refusing_port })
    took = cqueues.monotime() - start
    assert.is_nil(result)
    assert.same({ "network", false }, { details.code, details.sent })
    assert.is_true(took < 0.5 * time_scale, took)
  end)

  it("accepts the longest timeout that options may have", function()
    for _, options in ipairs { { timeout = 2147483647 }, { keepalive = { idle = 2147483647 } } } do
      for _, host in ipairs { server.host, "localhost" } do
        assert.equal(200, open(options)(request { host = host, timeout = options.timeout }).status)
      end
    end
  end)

  it("speaks the versions of TLS that lua_ssl_protocols allows", function()
    local function call(directive)
      web:stop()
      web = lax_openssl.with(function(path)
        return nginx.start { environment = ("OPENSSL_CONF='%s'"):format(path), server = SERVER,
          http = ("lua_ssl_trusted_certificate %s; %s"):format(server.ca_file, directive) }
      end)
      local result, _, details = open {}(request { scheme = "https", port = server.old_tls_port })
      return result and result.status or details.code
    end
    assert.equal(200, call "lua_ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;")
    assert.equal("tls", call "lua_ssl_protocols TLSv1.2 TLSv1.3;")
  end)

  it("does not use an unverified connection where verification is on", function()
    local over = { scheme = "https", port = server.untrusted_port }
    assert.is_truthy(open { tls_verify = false }(request(over)))
    local result, message, details = open {}(request(over))
    assert.is_nil(result)
    assert.equal("tls", details.code)
    assert.is_truthy(message:find("lua_ssl_trusted_certificate", 1, true) or message:find("see error.log", 1, true), message)
  end)

  -- No distribution packages the Lua module for stream {}. There a session is a userdata that holds the pointer, which
  -- is put here into a userdata of another kind.
  it("checks an IP address in the session of stream {}, too", function()
    web:stop()
    web = nginx.start { http = ("lua_ssl_trusted_certificate %s;"):format(server.ca_file), server = ([[
      location = / {
        content_by_lua_block {
          local certificate = require "pusher.transport.ngx.certificate"
          local socket = ngx.socket.tcp()
          assert(socket:connect("127.0.0.1", %d))
          local session = assert(socket:sslhandshake(nil, nil, true))
          local holder = require("pusher.core").mac("key")
          local pointer = require("ffi").cast("void **", holder)
          local original = pointer[0]
          pointer[0] = session
          local right, wrong = certificate.is_for(holder, "127.0.0.1"), certificate.is_for(holder, "127.0.0.2")
          pointer[0] = nil
          local none = certificate.is_for(holder, "127.0.0.1")
          pointer[0] = original
          ngx.print(tostring(right), " ", tostring(wrong), " ", tostring(none))
        }
      } ]]):format(server.tls_port) }
    assert.equal("true false false", web:request { path = "/" }.body)
  end)

  it("shares kept connections among transports to the same server", function()
    local first = cjson.decode(open {}(request()).body).connection
    assert.equal(first, cjson.decode(open {}(request()).body).connection)
  end)

  it("finds a live connection among many stale ones", function()
    local send = open { keepalive = { pool_size = 10 } }
    local together = {}
    for index = 1, 8 do
      together[index] = request { target = "/_misbehave/delay?ms=50" }
    end
    for _, outcome in ipairs(command { options = {}, requests = together }) do
      assert.equal(200, outcome.result.status)
    end
    server:misbehave { mode = "stale", when = "reuse", times = 8 }
    for _ = 1, 8 do
      assert.equal(200, send(request()).status)
    end
  end)

  it("says which directives are missing in nginx.conf", function()
    web:stop()
    web = nginx.start { server = SERVER }
    local send = open {}
    local _, message, details = send(request { host = "localhost" })
    assert.same({ "network", false }, { details.code, details.sent })
    assert.is_truthy(message:find("the directive resolver", 1, true), message)
    _, message, details = send(request { scheme = "https", port = server.tls_port })
    assert.equal("tls", details.code)
    assert.is_truthy(message:find("lua_ssl_trusted_certificate", 1, true) or message:find("see error.log", 1, true), message)
  end)

  it("is the default transport of a client", function()
    web:stop()
    web = nginx.start { server = [[
      location = / {
        content_by_lua_block {
          local chosen = assert(require("pusher.transport").resolve {})
          ngx.print(tostring(getmetatable(chosen).__name), " ", tostring(package.loaded["pusher.curl"]))
        }
      } ]] }
    assert.equal("pusher.transport.ngx nil", web:request { path = "/" }.body)
  end)
end)
