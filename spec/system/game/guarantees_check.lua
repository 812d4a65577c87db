-- The guarantees of the publisher, at length: 100,000 events over 50 channels against a server that misbehaves at
-- random.

local local_server = require "tools.local_server"
local property = require "spec.helpers.publisher_property"

local EVENTS, CHANNELS = 100000, 50

describe("the publisher's guarantees hold for 100,000 events over", function()
  local server

  before_each(function()
    server = local_server.start { record_limit = 2 * EVENTS }
  end)

  after_each(function()
    server:stop()
  end)

  local function run(settings)
    settings.server, settings.events, settings.channels = server, EVENTS, CHANNELS
    settings.seed = os.time() % 1000000
    local ok, found = pcall(property.run, settings)
    assert(ok, ("seed %d: %s"):format(settings.seed, tostring(found)))
    local mode = settings.once and "exactly once" or settings.attempts == 1 and "at most once" or "with retries"
    io.stdout:write(("%s, %s: seed %d, %d calls, %d events sent again, %d arrived twice, %d failed, %d known by their key\n")
      :format(settings.transport, mode, settings.seed, found.calls, found.retried, found.duplicates, found.failed,
        found.repetitions))
    return found
  end

  for _, transport in ipairs { "curl", "async" } do
    it(transport .. ", with retries", function()
      local found = run { transport = transport }
      assert.is_true(found.retried > 0 and found.duplicates > 0)
    end)

    it(transport .. ", exactly once", function()
      local found = run { transport = transport, once = true }
      assert.is_true(found.retried > 0 and found.repetitions > 0)
      assert.equal(0, found.failed + found.duplicates)
    end)

    it(transport .. ", at most once", function()
      local found = run { transport = transport, attempts = 1 }
      assert.is_true(found.failed > 0)
      assert.equal(0, found.retried + found.duplicates)
    end)
  end
end)
