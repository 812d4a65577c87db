-- The guarantees of the publisher against a server that misbehaves at random. `make test-game` does it for longer.

local local_server = require "tools.local_server"
local property = require "spec.helpers.publisher_property"

describe("the publisher's guarantees hold over", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  for _, transport in ipairs { "curl", "async" } do
    it(transport .. ", with retries", function()
      local found = property.run { server = server, transport = transport, events = 3000, channels = 50, seed = 1 }
      assert.is_true(found.retried > 0 and found.duplicates > 0)
    end)

    it(transport .. ", exactly once", function()
      local found = property.run {
        server = server, transport = transport, events = 3000, channels = 50, seed = 3, once = true,
      }
      assert.is_true(found.retried > 0 and found.repetitions > 0)
      assert.equal(0, found.failed + found.duplicates)
    end)

    it(transport .. ", exactly once without batches", function()
      local found = property.run {
        server = server, transport = transport, events = 1000, channels = 50, seed = 4, once = true, no_batches = true,
      }
      assert.is_true(found.calls > 1000 and found.repetitions > 0)
      assert.equal(0, found.failed + found.duplicates)
    end)

    it(transport .. ", at most once", function()
      local found = property.run {
        server = server, transport = transport, events = 3000, channels = 50, seed = 2, attempts = 1,
      }
      assert.is_true(found.failed > 0)
      assert.equal(0, found.retried + found.duplicates)
    end)
  end
end)
