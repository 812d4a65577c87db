-- Ten thousand clients in one process that wait for something to do: what each takes, and how long making and closing
-- them takes. docs/game-servers.md quotes the figures.

local calls = require "spec.helpers.calls"
local local_server = require "tools.local_server"
local memory = require "tools.memory"
local process = require "pusher_test.process"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local CLIENTS = 10000
local CHILD = math.ceil(240 * time_scale) -- seconds after which a child hangs
local MAKE, CLOSE = 4 * time_scale, 2 * time_scale -- seconds of CPU time
local WAIT = 60 * time_scale -- seconds of a call
local MAX_KB = 24 -- of a client

describe("ten thousand idle clients", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function new_client(transport)
    return assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret, host = server.host,
      port = server.port, secure = false, timeout = WAIT, transport = transport, max_pending = CLIENTS })
  end

  local function measure()
    collectgarbage()
    collectgarbage()
    local taken = calls.resources()
    taken.kb = memory.resident_kb()
    return taken
  end

  local function timed(f)
    local start = process.thread_cpu()
    f()
    return process.thread_cpu() - start
  end

  -- Makes the clients, uses them, measures and closes them.
  local function try(name, transport, use, limits)
    new_client("curl"):close() -- loads what is loaded once
    local before, clients = measure(), {}
    local made = timed(function()
      for index = 1, CLIENTS do
        clients[index] = new_client(transport)
      end
    end)
    use(clients)
    local now = measure()
    local kb = (now.kb - before.kb) / CLIENTS
    local closed = timed(function()
      for _, client in ipairs(clients) do
        client:close()
      end
    end)
    print(("%s: %.1f KB a client, %d threads, %d descriptors; CPU time: made in %.2f s, closed in %.2f s"):format(name,
      kb, now.threads - before.threads, now.descriptors - before.descriptors, made, closed))
    assert(kb < MAX_KB, "memory")
    assert(now.threads - before.threads <= limits.threads, "threads")
    assert(now.descriptors - before.descriptors <= limits.descriptors, "descriptors")
    assert(made < MAKE and closed < CLOSE, "time")
    if type(transport) == "table" then
      transport:close()
    end
    calls.await_resources(before, 10)
  end

  -- In a child, so that each starts with the same memory.
  local function in_child(f)
    assert.equal(0, process.run(f, CHILD))
  end

  for _, transport in ipairs { "curl", "async" } do
    it("over " .. transport .. " each take memory, and neither a thread nor a descriptor", function()
      in_child(function()
        try(transport, transport, function() end, { threads = 0, descriptors = 0 })
      end)
    end)
  end

  it("over one async transport share its thread and its connections, after a call each", function()
    in_child(function()
      try("one transport", calls.transport(server, { max_pending = CLIENTS }), function(clients)
        local pendings = {}
        for index, client in ipairs(clients) do
          pendings[index] = client:trigger("channel", "event", index)
        end
        for index, pending in ipairs(pendings) do
          assert(pending:wait(WAIT))
          pendings[index] = nil
        end
      end, { threads = 1, descriptors = 34 })
    end)
  end)
end)
