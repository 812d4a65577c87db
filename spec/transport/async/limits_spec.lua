-- The async transport when the system has no more descriptors or threads: code `network`, nothing sent, and the same
-- call succeeds later.

local calls = require "spec.helpers.calls"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"

local LIMIT = 64 -- descriptors, of which all but a few are in use

describe("the async transport", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(calls.await_threads)

  -- Uses up all descriptors but `free`.
  local function use_up(free)
    local files = {}
    process.limit("descriptors", LIMIT)
    for index = 1, LIMIT do
      files[index] = io.open("/dev/null") -- nil from the first that is one too many
    end
    for index = 1, free do
      files[index]:close()
    end
    return files
  end

  for _, listener in ipairs { "http", "https", "h2" } do
    it("lives without descriptors, " .. listener, function()
      local over = calls.over(server, listener)
      for free = 0, 8 do
        assert.equal(0, process.run(function()
          local transport = calls.transport(server)
          local files = use_up(free)
          local status, message, details = calls.send(transport, server, "none", over):wait(calls.WAIT)
          if not status then
            assert.same({ code = "network", retryable = true, sent = false }, details)
            assert.matches("out of file descriptors", message)
          end
          assert.is_true(free >= 2 or not status)
          assert.is_true(free < 8 or status == 200)
          process.limit("descriptors")
          assert(calls.send(transport, server, "none", over):wait(calls.WAIT) == 200)
          assert(#files > free)
        end, calls.CHILD))
      end
    end)
  end

  it("has no descriptor to watch while there are none, and one afterwards", function()
    for _, is_started in ipairs { false, true } do
      assert.equal(0, process.run(function()
        local transport = calls.transport(server)
        if is_started then
          transport:step()
        end
        local files = use_up(0)
        assert(transport:pollfd() == nil)
        process.limit("descriptors")
        assert(type(transport:pollfd()) == "number" and #files > 0)
      end, calls.CHILD))
    end
  end)

  it("lives without threads", function()
    assert.equal("good\n", calls.run_preloaded("faults", "spec/helpers/faults_threads.lua", server.host, server.port))
  end)
end)
