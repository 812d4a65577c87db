-- Run with slow_resolver.so preloaded and LATE_LOOKUPS in the environment: a call whose name takes long to look up is
-- started once. Prints "good".

local local_server = require "tools.local_server"
local new_request = require "spec.helpers.request"

-- libcurl 8.21 looks up the addresses of IPv4 and of IPv6 by themselves.
local MAJOR, MINOR = require("pusher.curl").LIBCURL:match("^libcurl/(%d+)%.(%d+)")
local PER_CALL = MAJOR * 1000 + MINOR >= 8020 and 2 or 1

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
  assert(lookups() == number * PER_CALL, ("%d lookups for %d calls"):format(lookups(), number))
  transport:close()
end

server:stop()
print("good")
