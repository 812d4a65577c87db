-- When a process has no descriptor left: calls fail or work, none hangs, and all work when there are descriptors again.
-- Calls over async: spec/transport/async/limits_spec.lua.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local LIMIT = 64 -- descriptors of the child
local MAX_FREE = 12 -- a call takes fewer
local TIMEOUT = 30 * time_scale -- of a call that hangs, whose code is then another one
local CHILD = math.ceil(4 * TIMEOUT) -- seconds after which a child hangs

describe("without free descriptors,", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  -- Opens files until only `free` descriptors are left.
  local function fill(free)
    local files = {}
    repeat
      local file = io.open("/dev/null")
      files[#files + 1] = file
    until not file
    for _ = 1, free do
      table.remove(files):close()
    end
    return files
  end

  local function empty(files)
    for _, file in ipairs(files) do
      file:close()
    end
  end

  local function new_client(transport, secure)
    return pusher.new { app_id = server.app_id, key = server.key, secret = server.secret, host = server.host,
      port = secure and server.tls_port or server.port, secure = secure, ca_file = secure and server.ca_file or nil, timeout = TIMEOUT,
      transport = transport ~= "default" and transport or nil }
  end

  local function check_failure(free, result, message, details)
    if not result then
      assert(type(message) == "string" and details.code == "network" and details.retryable,
        ("%d free: %s: %s"):format(free, details and details.code or "no code", message))
      assert(details.sent == false, "something may have been sent")
    end
    return result ~= nil
  end

  local function trigger(client)
    return client:trigger("channel", "event", "data")
  end

  local function try_each_shortage(secure)
    local failed, worked = 0, 0
    for free = 0, MAX_FREE do
      local client = new_client("curl", secure)
      local files = fill(free)
      local ok = check_failure(free, trigger(client))
      failed, worked = failed + (ok and 0 or 1), worked + (ok and 1 or 0)
      empty(files)
      local result, message = trigger(client)
      assert(result, ("%d free, the next call: %s"):format(free, tostring(message)))
      client:close()
    end
    assert(failed > 0 and worked > 0, "the shortage does not cover the call")
  end

  local function in_child(f)
    assert.equal(0, process.run(function()
      process.limit("descriptors", LIMIT)
      f()
    end, CHILD))
  end

  for _, secure in ipairs { false, true } do
    it(("calls over curl%s fail or work, and work afterwards"):format(secure and ", TLS" or ""), function()
      in_child(function()
        try_each_shortage(secure)
      end)
    end)
  end

  for _, transport in ipairs { "curl", "async", "default" } do
    it("a publisher over " .. transport .. " keeps its events, and sends them afterwards", function()
      in_child(function()
        local client, sent, failed = new_client(transport, transport ~= "default"), 0, 0
        local publisher = assert(client:publisher { retry = { attempts = 1000, base = 0.01, max = 0.01 },
          on_result = function(_, result)
            sent, failed = sent + (result and 1 or 0), failed + (result and 0 or 1)
          end })
        local files = fill(0)
        for number = 1, 25 do
          assert(publisher:trigger("channel", "event", number))
        end
        local flushed, _, details = publisher:flush(0.1)
        assert(flushed == nil and details.code == "timeout" and details.left == 25)
        empty(files)
        assert(publisher:flush(TIMEOUT))
        assert(sent == 25 and failed == 0)
        assert(publisher:close())
      end)
    end)

    it("clients over " .. transport .. " are made, authorize and check webhooks", function()
      in_child(function()
        new_client(transport, true):close() -- loads what is loaded once
        local files = fill(0)
        local client = new_client(transport, true)
        assert(client:authorize_channel("socket_id=1.2&channel_name=private-orders"))
        local signature = core.mac(server.secret):hex("{}")
        local _, message = client:webhook({ ["X-Pusher-Key"] = server.key, ["X-Pusher-Signature"] = signature }, "{}")
        assert(message:find("events", 1, true), message)
        empty(files)
        client:close()
      end)
    end)
  end

  it("a transport that cannot be loaded is a failure, and is loaded afterwards", function()
    local program = ([[
      local process, pusher, files = require "pusher_test.process", require "pusher", {}
      require "cjson"
      local options = { app_id = "1", key = "k", secret = "s", transport = "async" }
      local late = assert(pusher.new { app_id = "1", key = "k", secret = "s", host = "127.0.0.1", port = 1 })
      process.limit("descriptors", %d)
      local file = io.open("/dev/null")
      while file do files[#files + 1], file = file, io.open("/dev/null") end
      local function show(result, message, details)
        print(result, details.code, not message:find("\n") and message:match("the .- cannot be loaded"))
      end
      show(late:trigger("a", "e"))
      show(late:publisher())
      show(pusher.new(options))
      for _, opened in ipairs(files) do opened:close() end
      print((select(3, late:trigger("a", "e"))).code)
      assert(late:publisher() and pusher.new(options)):close()
    ]]):format(LIMIT)
    assert.equal('nil\tnetwork\tthe transport "curl" cannot be loaded\nnil\tnetwork\tthe publisher cannot be loaded\n'
      .. "nil\tnetwork\tthe publisher cannot be loaded\nnetwork\n", calls.run("-e '" .. program .. "'"))
  end)
end)
