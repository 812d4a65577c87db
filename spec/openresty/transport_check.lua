-- The contract of all transports, kept by pusher.transport.ngx inside nginx, and what only that one has to do.

local cjson = require "cjson"
local cqueues = require "cqueues"
local contract = require "spec.support.transport_contract"
local nginx = require "spec.openresty.nginx"
local test_server = require "spec.support.server"

local SERVER = [[
  client_max_body_size 20m;
  location = /send { content_by_lua_block { require("spec.openresty.carrier").serve() } }
]]

describe("pusher.transport.ngx, inside nginx", function()
  local server, names, web
  local opened = 0

  setup(function()
    server = test_server.start()
    names = test_server.start { program = "spec/openresty/dns_server.lua" }
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
end)
