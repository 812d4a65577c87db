local contract = require "spec.support.transport_contract"
local monotime = require("system").monotime
local multi_transport = require "pusher.transport.multi"
local test_server = require "spec.support.server"

describe("pusher.transport.multi", function()
  local server

  setup(function()
    server = test_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function open(options)
    local transport = assert(multi_transport.new(options))
    return function(request)
      local call, message, details = transport:send(request, contract.parse)
      if not call then
        return nil, message, details
      end
      return call:wait()
    end, function()
      transport:close()
    end
  end

  describe("keeps the contract:", function()
    for _, case in ipairs(contract.cases) do
      it(case.name, function()
        contract.run(case, server, open, monotime)
      end)
    end
  end)
end)
