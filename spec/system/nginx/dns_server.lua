--- A DNS server for nginx's resolver, which does not read /etc/hosts: a program that tools/local_server.lua starts.
-- Names ending in `.silent.test` get no reply, `localhost` and names ending in `.local.test` are 127.0.0.1; those ending
-- in `.half.test` are 127.0.0.1 and 127.0.0.2, in `.hole.test` 127.0.0.1 and 127.0.0.3, where the command `open_hole`
-- makes a port that does not respond. All others do not exist. Rule: RFC 1035 section 4.

local cqueues = require "cqueues"
local ffi = require "ffi"
local socket = require "cqueues.socket"
local posix = require "tools.local_server.http.posix"
local program = require "tools.local_server.http.program"

local A, IN = 1, 1
local NO_SUCH_NAME = 3

local function read_name(query)
  local labels, position = {}, 13
  while true do
    local length = query:byte(position)
    if not length or length == 0 or length > 63 then
      return table.concat(labels, "."):lower(), position + 1
    end
    labels[#labels + 1] = query:sub(position + 1, position + length)
    position = position + 1 + length
  end
end

local function uint16(number)
  return string.char(math.floor(number / 256), number % 256)
end

-- The last bytes of a name's addresses.
local function addresses_of(name)
  if name == "localhost" or name:find("%.local%.test$") then
    return { 1 }
  elseif name:find("%.half%.test$") then
    return { 1, 2 }
  elseif name:find("%.hole%.test$") then
    return { 1, 3 }
  end
end

local function reply_to(query)
  local name, position = read_name(query)
  local question = query:sub(13, position + 3)
  local kind = (question:byte(-3) or 0)
  local addresses = addresses_of(name)
  if name:find("%.silent%.test$") then
    return nil
  elseif not addresses then
    return query:sub(1, 2) .. uint16(0x8180 + NO_SUCH_NAME) .. uint16(1) .. uint16(0):rep(3) .. question
  end
  local records = {}
  for index, last in ipairs(kind == A and addresses or {}) do
    records[index] = uint16(0xC00C) .. uint16(A) .. uint16(IN) .. uint16(0) .. uint16(1) .. uint16(4)
      .. "\127\0\0" .. string.char(last)
  end
  return query:sub(1, 2) .. uint16(0x8180) .. uint16(1) .. uint16(#records) .. uint16(0):rep(2) .. question
    .. table.concat(records)
end

-- cqueues has no recvfrom.
ffi.cdef [[
  long recvfrom(int fd, void *buffer, unsigned long size, int flags, void *address, unsigned int *length);
  long sendto(int fd, const void *buffer, unsigned long size, int flags, const void *address, unsigned int length);
]]
local BUFFER_BYTES, ADDRESS_BYTES = 2048, 128
local buffer = ffi.new("char[?]", BUFFER_BYTES)
local address = ffi.new("char[?]", ADDRESS_BYTES)
local length = ffi.new("unsigned int[1]")

local cq = cqueues.new()
local listening = socket.listen { host = "127.0.0.1", port = 0, type = socket.SOCK_DGRAM }
assert(listening:listen())
local asked = {}

cq:wrap(function()
  local fd = listening:pollfd()
  while true do
    cqueues.poll { pollfd = fd, events = "r" }
    length[0] = ADDRESS_BYTES
    local size = tonumber(ffi.C.recvfrom(fd, buffer, BUFFER_BYTES, 0, address, length))
    local query = ffi.string(buffer, math.max(size, 0))
    if size > 12 then
      local name = read_name(query)
      asked[name] = (asked[name] or 0) + 1
      local reply = reply_to(query)
      if reply then
        ffi.C.sendto(fd, reply, #reply, 0, address, length[0])
      end
    end
  end
end)

local _, _, port = listening:localname()
program.start(cq, {
  asked = function() return asked end,
  open_hole = function(arguments) return posix.black_hole_port(arguments.port, 3) end,
}, { port = port })
program.loop(cq)
