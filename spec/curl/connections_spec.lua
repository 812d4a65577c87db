-- What the transports of libcurl do with the connections that they keep, and with the host's SIGPIPE.

local calls = require "spec.helpers.calls"
local contract = require "spec.helpers.wire_contract"
local form = require "spec.helpers.wire_cases.form"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"

local function status_of(status)
  return status
end

local function body_of(_, body)
  return body
end

-- 127.0.0.1, and ::1 where the machine has it.
local function loopbacks()
  local file = io.open("/proc/net/if_inet6")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return { "127.0.0.1", text:find("%f[%x]0+1 ") and "::1" or nil }
end

for _, name in ipairs { "curl", "async" } do
  describe("the connections of pusher.transport." .. name, function()
    local server

    setup(function()
      server = local_server.start()
    end)

    teardown(function()
      server:stop()
    end)

    it("are kept for keepalive.idle seconds", function()
      assert.equal("good\n", calls.run_preloaded("faults", "spec/helpers/faults_idle.lua", name, server.host, server.port))
    end)

    for _, host in ipairs(loopbacks()) do
      it("are looked at before they carry a request, to " .. host, function()
        local wire = local_server.start { program = contract.SERVER, host = host }
        local transport = assert(require("pusher.transport." .. name).new(contract.options(wire)))
        local function send(target)
          local result, message = transport:send(contract.request(wire, "http", target), body_of)
          return assert(name == "async" and result:wait(calls.WAIT) or result, message)
        end
        wire:play { bytes = form.sized(), after = "late", late = form.FORGED }
        assert.equal(form.BODY, send("/case"))
        assert.equal(1, wire:settle().late)
        assert.matches("own", send("/own"))
        transport:close()
        wire:stop()
      end)
    end

    it("raise no SIGPIPE when they have ended, and the host's action for it is left alone", function()
      assert.equal("good\n", calls.run_preloaded("faults", "spec/helpers/faults_pipe.lua", name))
    end)

    it("are kept for as many hosts as keepalive.pool_size says", function()
      for _, pool_size in ipairs { 1, 2 } do
        local transport = assert(require("pusher.transport." .. name).new { keepalive = { pool_size = pool_size } })
        local function send(host)
          local result, message = transport:send(calls.request(server, "none", { host = host }), status_of)
          assert.equal(200, name == "async" and result:wait(calls.WAIT) or result, message)
        end
        send("127.0.0.1")
        local before = process.descriptors()
        send("localhost")
        calls.eventually(2, "another number of connections", function()
          return process.descriptors() == before + pool_size - 1
        end)
        transport:close()
      end
    end)
  end)
end
