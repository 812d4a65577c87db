--- The connections of the two servers of the wire.

local cqueues = require "cqueues"
local cs = require "cqueues.socket"

local link = {}

--- Seconds that a peer may take to shake hands, to read, and to acknowledge.
link.LIMIT = 10

local function quiet(_, _, code)
  return code
end

--- Reads and checks the options that both servers have.
-- @treturn table `{ host =, port = }`
function link.options(given)
  for name in pairs(given) do
    assert(name == "host" or name == "port", "unknown option " .. name)
  end
  return { host = given.host or "127.0.0.1", port = given.port or 0 }
end

--- Listens.
-- @param cq the cqueues controller
-- @tparam string host
-- @tparam number port 0 for any
-- @tparam function accept function(socket), called in the controller for each connection
-- @treturn number the port
function link.listen(cq, host, port, accept)
  local listening = cs.listen { host = host, port = port }
  assert(listening:listen())
  cq:wrap(function()
    while true do
      local socket = listening:accept { nodelay = true }
      socket:onerror(quiet)
      socket:setmode("b", "bn")
      accept(socket)
    end
  end)
  return (select(3, listening:localname()))
end

function link.write(socket, bytes)
  return socket:xwrite(bytes, "bn", link.LIMIT)
end

--- Reads and forgets until the peer has ended its direction.
function link.read_to_end(socket)
  while socket:xread(-65536) do
    cqueues.poll(0)
  end
end

return link
