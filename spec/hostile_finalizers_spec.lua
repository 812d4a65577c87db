-- A finalizer may run wherever C allocates in Lua, and may use or close the very object that C is working for. A program
-- of its own calls each function of C, since there each allocation can run a whole collection.

local local_server = require "tools.local_server"

describe("finalizers", function()
  it("inside each function of pusher.core and pusher.curl do no harm", function()
    local server = local_server.start()
    finally(function() server:stop() end)
    local pipe = assert(io.popen(("%s %s spec/helpers/finalizer_cases.lua %s %d 2>&1"):format(
      os.getenv("RUNNER") or "", os.getenv("PUSHER_LUA"), server.host, server.port)))
    local output = pipe:read("*a")
    pipe:close()
    assert.is_true(tonumber(output:match("^passed%s(%d+)\n$") or 0) > 400, output)
  end)
end)
