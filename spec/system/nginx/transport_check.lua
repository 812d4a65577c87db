-- The contract of all transports for pusher.transport.ngx, inside nginx, and what concerns that one only.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local cqueues = require "cqueues"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"

local SERVER = [[
  client_max_body_size 20m;
  location = /send { content_by_lua_block { require("spec.system.nginx.sending").serve() } }
]]

describe("pusher.transport.ngx, inside nginx", function()
  local server, names, web
  local opened = 0

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
    local logged = web:failures()
    web:stop()
    assert.equal("", logged)
  end)

  local function command(given)
    return cjson.decode(web:request { path = "/send", body = cjson.encode(given) }.body)
  end

  -- nginx.conf names the trusted authority, so options cannot.
  local function open(options)
    opened = opened + 1
    local id = opened
    options.ca_file = nil
    return function(request)
      local outcome = command { id = id, options = options, request = request }
      return outcome.result, outcome.message, outcome.details
    end, function()
      command { id = id, options = options, close = true }
    end
  end

  for _, case in ipairs(contract.cases) do
    it(case.name, function()
      contract.run(case, server, open, cqueues.monotime)
    end)
  end

  local function request(over)
    local full = { method = "POST", scheme = "http", host = server.host, port = server.port, target = "/_misbehave/none",
      headers = {}, body = "{}", timeout = 5 }
    for name, value in pairs(over or {}) do
      full[name] = value
    end
    return full
  end

  it("gives up on a name that no DNS server resolves, although nginx would wait longer", function()
    local send = open {}
    local start = cqueues.monotime()
    local result, message, details = send(request { host = "host.silent.test", timeout = 0.25 })
    assert.is_nil(result)
    assert.same({ "timeout", false }, { details.code, details.sent })
    assert.is_truthy(message:find("cannot connect to host.silent.test", 1, true))
    assert.is_true(cqueues.monotime() - start < 2)
    assert.is_truthy(send(request { host = "other.local.test" }))
  end)

  it("accepts the longest timeout that options may have", function()
    for _, options in ipairs { { timeout = 2147483647 }, { keepalive = { idle = 2147483647 } } } do
      for _, host in ipairs { server.host, "localhost" } do
        assert.equal(200, open(options)(request { host = host, timeout = options.timeout }).status)
      end
    end
  end)

  it("does not use an unverified connection where verification is on", function()
    local over = { scheme = "https", port = server.untrusted_port }
    assert.is_truthy(open { tls_verify = false }(request(over)))
    local result, message, details = open {}(request(over))
    assert.is_nil(result)
    assert.equal("tls", details.code)
    assert.is_truthy(message:find("lua_ssl_trusted_certificate", 1, true) or message:find("see error.log", 1, true), message)
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
    for _, outcome in ipairs(command { id = opened, options = {}, requests = together }) do
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
