local contract = require "spec.support.transport_contract"
local curl_transport = require "pusher.transport.curl"
local monotime = require("system").monotime
local test_server = require "spec.support.server"

describe("pusher.transport.curl", function()
  local server

  setup(function()
    server = test_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function open(options)
    local transport = assert(curl_transport.new(options))
    return function(request)
      return transport:send(request, contract.parse)
    end, function()
      transport:close()
    end
  end

  for _, case in ipairs(contract.cases) do
    it(case.name, function()
      contract.run(case, server, open, monotime)
    end)
  end
end)
