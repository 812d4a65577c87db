-- The oldest TLS that the transports of libcurl speak, whatever the system's OpenSSL allows. Inside nginx that is for
-- lua_ssl_protocols to say: spec/system/nginx/transport_check.lua.

local lax_openssl = require "spec.helpers.lax_openssl"
local local_server = require "tools.local_server"

local PROGRAM = [[
  local function report(result, message, details)
    print(result or details.code .. ", " .. tostring(details.sent) .. ": " .. message)
  end
  for index, name in ipairs { "curl", "async" } do
    for _, options in ipairs { { ca_file = %q }, { tls_verify = false },
      { proxy = "https://127.0.0.1:%d", tls_verify = false, ca_file = %q } } do
      local transport = assert(require("pusher.transport." .. name).new(options))
      local request = { method = "GET", scheme = options.proxy and "http" or "https", host = "127.0.0.1", port = %d,
        target = "/_misbehave/none", timeout = 10 }
      local pending, message, details = transport:send(request, function(status) return status end)
      if name == "async" then
        pending, message, details = pending:wait()
      end
      report(pending, message, details)
      transport:close()
    end
  end
]]

describe("TLS", function()
  local server

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("is spoken from version 1.2 on, with servers and proxies", function()
    assert.equal("TLSv1.1", lax_openssl.version(server.old_tls_port))
    local output = lax_openssl.run(os.getenv("PUSHER_LUA"),
      PROGRAM:format(server.ca_file, server.old_tls_port, server.ca_file, server.old_tls_port))
    local count = 0
    for line in output:gmatch("[^\n]+") do
      count = count + 1
      assert.matches("^tls, false: .*protocol version", line)
    end
    assert.equal(6, count)
  end)
end)
