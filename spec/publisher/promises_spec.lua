-- The promises of the publisher against a server that misbehaves at random. `make test-game` keeps at it for longer.

local property = require "spec.helpers.publisher_property"
local test_server = require "tools.local_server"

describe("the publisher's promises hold over", function()
  local server

  setup(function()
    server = test_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  for _, transport in ipairs { "curl", "async" } do
    it(transport .. ", with retries", function()
      local found = property.run { server = server, transport = transport, events = 3000, channels = 50, seed = 1 }
      assert.is_true(found.retried > 0 and found.duplicates > 0)
    end)

    it(transport .. ", at most once", function()
      local found = property.run {
        server = server, transport = transport, events = 3000, channels = 50, seed = 2, attempts = 0,
      }
      assert.is_true(found.failed > 0)
      assert.equal(0, found.retried + found.duplicates)
    end)
  end
end)
