--- Starts the Node programs of this folder, as processes of their own.

local server = require "tools.local_server"

local node = {}

--- Starts a program that is built on program.js, and waits for its handshake.
-- @tparam string program its file's name
-- @tparam[opt] table options what the program takes
-- @treturn table as tools.local_server returns
function node.start(program, options)
  local settings = { program = "spec/system/interop/" .. program, interpreter = "node" }
  for name, value in pairs(options or {}) do
    settings[name] = value
  end
  return server.start(settings)
end

--- A connected subscriber on pusher-js.
-- @tparam table channels the Channels server
-- @tparam[opt] table app with the `key`, if not the server's first one
function node.subscriber(channels, app)
  return node.start("pusher_js.js", { port = channels.port, key = (app or channels).key })
end

--- Ends programs, in the given order.
function node.stop(...)
  for index = 1, select("#", ...) do
    local process = select(index, ...)
    if process then
      process:stop()
    end
  end
end

return node
