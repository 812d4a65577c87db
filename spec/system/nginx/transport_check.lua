-- The contract of all transports, kept by pusher.transport.ngx inside nginx, and what only that one has to do.

local cjson = require "cjson"
local cqueues = require "cqueues"
local contract = require "spec.helpers.transport_contract"
local nginx = require "tools.nginx"
local test_server = require "tools.local_server"

local SERVER = [[
  client_max_body_size 20m;
  location = /send { content_by_lua_block { require("spec.system.nginx.carrier").serve() } }
]]

describe("pusher.transport.ngx, inside nginx", function()
  local server, names, web
  local opened = 0

  setup(function()
    server = test_server.start()
    names = test_server.start { program = "spec/system/nginx/dns_server.lua" }
  end)

  teardown(function()
    names:stop()
    server:stop()
  end)

  -- A worker keeps connections for whoever comes next, so each test has a worker of its own.
  before_each(function()
    web = nginx.start {
      http = ("resolver 127.0.0.1:%d ipv6=off; lua_ssl_trusted_certificate %s;"):format(names.port, server.ca_file),
      server = SERVER,
    }
    server:reset()
  end)

  after_each(function()
    local trouble = web:trouble()
    web:stop()
    assert.equal("", trouble)
  end)

  local function order(what)
    return cjson.decode(web:request { path = "/send", body = cjson.encode(what) }.body)
  end

  -- nginx.conf names the trusted authority, so options cannot.
  local function open(options)
    opened = opened + 1
    local id = opened
    options.ca_file = nil
    return function(request)
      local outcome = order { id = id, options = options, request = request }
      return outcome.result, outcome.message, outcome.details
    end, function()
      order { id = id, options = options, close = true }
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

  it("gives up on a name that no server answers for, although nginx would wait longer", function()
    local send = open {}
    local start = cqueues.monotime()
    local result, message, details = send(request { host = "host.silent.test", timeout = 0.25 })
    assert.is_nil(result)
    assert.same({ "timeout", false }, { details.code, details.sent })
    assert.is_truthy(message:find("cannot connect to host.silent.test", 1, true))
    assert.is_true(cqueues.monotime() - start < 2)
    assert.is_truthy(send(request { host = "other.local.test" }))
  end)

  it("does not lend a connection that nobody verified to one who wants to be sure", function()
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

  it("finds a live connection behind many that died", function()
    local send = open { keepalive = { pool_size = 10 } }
    local together = {}
    for index = 1, 8 do
      together[index] = request { target = "/_misbehave/delay?ms=50" }
    end
    for _, outcome in ipairs(order { id = opened, options = {}, requests = together }) do
      assert.equal(200, outcome.result.status)
    end
    server:misbehave { mode = "stale", when = "reuse", times = 8 }
    for _ = 1, 8 do
      assert.equal(200, send(request()).status)
    end
  end)

  it("asks for a resolver, and for authorities to trust, when nginx.conf names none", function()
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

  it("is the transport of a client that is not told another", function()
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
