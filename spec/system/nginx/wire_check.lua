-- What servers send, byte for byte, over pusher.transport.ngx inside nginx: the cases of spec/transport/wire_spec.lua.

local contract = require "spec.helpers.wire_contract"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"
local remote = require "spec.system.nginx.remote"

local SERVER = [[
  client_max_body_size 20m;
  location = /send { content_by_lua_block { require("spec.system.nginx.sending").serve() } }
]]

describe("on the wire inside nginx", function()
  local server, web

  setup(function()
    server = local_server.start { program = contract.SERVER }
    web = nginx.start { http = ("lua_ssl_trusted_certificate %s;"):format(server.ca_file), server = SERVER }
  end)

  teardown(function()
    local logged = web:failures()
    web:stop()
    server:stop()
    assert.equal("", logged)
  end)

  -- Idle connections belong to the worker: those of an earlier case have been closed by the server.
  local open = remote.new(function() return web end)

  for _, scheme in ipairs { "http", "https" } do
    describe(scheme .. ":", function()
      for _, case in ipairs(contract.cases) do
        it(case.name, function()
          contract.run(case, "ngx", scheme, server, open)
        end)
      end

      for _, ending in ipairs(contract.IDLE_ENDS[scheme]) do
        it("twelve idle connections in a row, each ended by " .. ending, function()
          contract.run_idle_ends(ending, scheme, server, open)
        end)
      end
    end)
  end
end)
