-- What servers send, byte for byte, over pusher.transport.ngx inside nginx: the cases of spec/transport/wire_spec.lua.

local cjson = require "cjson"
local contract = require "spec.helpers.wire_contract"
local form = require "spec.helpers.wire_cases.form"
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
    local failures = web:finish()
    server:stop()
    assert.equal("", failures)
  end)

  -- Idle connections belong to the worker: those of an earlier case have been closed by the server.
  local open = remote.new(function() return web end)

  -- Sends a request before which the worker is busy; happen() is called meanwhile.
  local function send_from_busy_worker(given, happen)
    local path = os.tmpname()
    given.busy = path
    local response = web:request { path = "/send", body = cjson.encode(given), meanwhile = function()
      web:wait("busy worker", function()
        return os.remove(path .. ".begun")
      end)
      local ok, message = pcall(happen)
      assert(io.open(path .. ".ended", "w")):close()
      assert(ok, message)
    end }
    os.remove(path .. ".ended")
    os.remove(path)
    return cjson.decode(response.body)
  end

  -- What the worker cannot see before it sends the next request.
  local LATE = {
    { name = "a response", late = form.FORGED, ending = "keep" },
    { name = "an end", late = "", ending = "close" },
    { name = "a response to no request, and an end", late = "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n", ending = "close" },
  }

  for _, scheme in ipairs { "http", "https" } do
    describe(scheme .. ":", function()
      for index, case in ipairs(LATE) do
        it(case.name .. " that arrives on an idle connection while the worker is busy", function()
          server:play { bytes = form.sized(), after = "late", late = case.late, ending = case.ending }
          local options = contract.options(server)
          options.ca_file = nil
          local given = { id = "busy " .. scheme .. index, options = options,
            request = contract.request(server, scheme, "/case") }
          local first = cjson.decode(web:request({ path = "/send", body = cjson.encode(given) }).body)
          assert(first.result, first.message)
          given.request = contract.request(server, scheme, "/own", { once = true })
          local outcome = send_from_busy_worker(given, function()
            assert.equal(1, server:settle().late)
          end)
          assert.equal("/own", outcome.result and cjson.decode(outcome.result.body).target, outcome.message)
        end)
      end

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
