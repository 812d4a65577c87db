-- Run with slow_resolver.so preloaded and LATE_LOOKUPS in the environment: a call whose name takes long to look up is
-- started once. Prints "good".

local local_server = require "tools.local_server"
local new_request = require "spec.helpers.request"

local server = local_server.start()

local function status_of(status)
  return status
end

local function lookups()
  local file = assert(io.open(os.getenv("LATE_LOOKUPS")))
  local text = file:read("*a")
  file:close()
  return #text
end

for number, scheme in ipairs { "https", "http" } do
  local transport = assert(require("pusher.transport.async").new { tls_verify = false })
  local request = new_request(server, "none", { scheme = scheme, host = scheme .. ".late.invalid",
    port = scheme == "https" and server.h2_port or server.port })
  local status, message = transport:send(request, status_of):wait()
  assert(status == 200, message)
  assert(lookups() == number, ("%d lookups for %d calls"):format(lookups(), number))
  transport:close()
end

server:stop()
print("good")
