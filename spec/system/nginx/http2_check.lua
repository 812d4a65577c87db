-- The async transport and an nginx that ends each HTTP/2 connection after three requests.

local local_server = require "tools.local_server"
local own_responses = require "spec.helpers.own_responses"
local proxy = require "tools.nginx.proxy"

describe("the async transport and nginx with http2", function()
  local server, web

  setup(function()
    server = local_server.start()
    web = proxy.start(server.port, 3)
  end)

  teardown(function()
    web:stop()
    server:stop()
  end)

  it("300 calls at once to a server that ends a connection after three", function()
    assert.equal("", own_responses.run(server, web.port, { ca_file = web.ca_file, calls = 300 }))
    assert.equal("", web:failures())
    local requests, connections = proxy.requests(web)
    assert.is_true(requests["HTTP/2.0"] >= 300 and connections >= 100)
  end)
end)
