-- A thousand clients in one process: what their transports take, what happens at the limit of descriptors, and that one
-- transport serves them all. docs/game-servers.md quotes the figures.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local memory = require "tools.memory"
local process = require "pusher_test.process"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local CLIENTS = 1000
local CHILD = math.ceil(120 * time_scale) -- seconds after which a child hangs
local DEFAULT_LIMIT = 1024 -- the soft limit of descriptors on most systems
local WAIT = 60 * time_scale -- seconds

describe("a thousand clients", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function start(transport, secure)
    local clients, pendings = {}, {}
    for index = 1, CLIENTS do
      clients[index] = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret,
        host = server.host, port = secure and server.tls_port or server.port, secure = secure, timeout = WAIT,
        ca_file = transport == "async" and server.ca_file or nil, transport = transport })
    end
    for index = 1, CLIENTS do
      pendings[index] = clients[index]:trigger("channel", "event", index)
    end
    return clients, pendings
  end

  local function finish(pendings)
    local good = 0
    for _, pending in ipairs(pendings) do
      local result, message, details = pending:wait(WAIT)
      if result then
        good = good + 1
      else
        assert(details.code == "network" and details.sent == false, message)
        assert(message:find("file descriptors", 1, true), message)
      end
    end
    return good
  end

  -- Runs in a child, so that each starts with the same memory.
  local function in_child(f)
    assert.equal(0, process.run(f, CHILD))
  end

  local function report(name, before, secure)
    local now = calls.resources()
    print(("%s%s: %.0f KB, %d threads, %d descriptors"):format(name, secure and ", TLS" or "",
      memory.resident_kb() - before.kb, now.threads - before.threads, now.descriptors - before.descriptors))
  end

  local function measure()
    collectgarbage()
    collectgarbage()
    local before = calls.resources()
    before.kb = memory.resident_kb()
    return before
  end

  -- The calls in flight hold their connections while the server delays them.
  local function hold(pendings)
    calls.eventually(60, "the calls do not arrive", function()
      return server:inspect().requests >= pendings
    end)
  end

  for _, secure in ipairs { false, true } do
    local name = secure and ", TLS" or ""

    it("with a transport each all work" .. name, function()
      server:reset()
      server:misbehave { mode = "delay", ms = 30000, path = "/apps/" }
      in_child(function()
        process.limit("descriptors")
        local before = measure()
        local clients, pendings = start("async", secure)
        hold(CLIENTS)
        report("a transport each", before, secure)
        server:behave()
        for _, pending in ipairs(pendings) do
          pending:cancel()
        end
        local again = {}
        for index, client in ipairs(clients) do
          again[index] = client:channels()
        end
        assert(finish(again) == CLIENTS)
        for _, client in ipairs(clients) do
          client:close()
        end
        calls.await_resources(before, 10)
      end)
    end)

    it("with a transport each work or fail at the limit of descriptors, and work when it is lifted" .. name, function()
      server:reset()
      in_child(function()
        process.limit("descriptors", DEFAULT_LIMIT)
        local clients, pendings = start("async", secure)
        local good = finish(pendings)
        print(("a limit of %d descriptors%s: %d of %d work"):format(DEFAULT_LIMIT, name, good, CLIENTS))
        assert(good > 100 and good < CLIENTS)
        process.limit("descriptors")
        for index, client in ipairs(clients) do
          pendings[index] = client:trigger("channel", "event", index)
        end
        assert(finish(pendings) == CLIENTS)
      end)
    end)

    it("share one transport" .. name, function()
      server:reset()
      server:misbehave { mode = "delay", ms = 20, path = "/apps/" }
      in_child(function()
        process.limit("descriptors", DEFAULT_LIMIT)
        local before = measure()
        local transport = calls.transport(server)
        local begun = core.now()
        local _, pendings = start(transport, secure)
        hold(30)
        report("one transport", before, secure)
        assert(finish(pendings) == CLIENTS)
        print(("one transport%s: %.2f s for %d calls of 20 ms"):format(name, core.now() - begun, CLIENTS))
        transport:close()
      end)
    end)
  end
end)
