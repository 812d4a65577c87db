--- Whether a connection that nginx kept has input or an end waiting, so that it must not carry a request.
--
-- nginx looks at its idle connections when the event loop comes round. What arrives while the worker is busy is still
-- in the kernel when a connection leaves the pool, and would be taken for the response to the next request.

local readable = {}

local has_ffi, ffi = pcall(require, "ffi") -- LuaJIT, as in nginx

local MSG_PEEK = 2
local EAGAIN = has_ffi and ffi.os ~= "Linux" and 35 or 11
local CONTEXT = 1 -- where a cosocket, a table, has its upstream; as in resty.core's socket.lua
local MAX_ERROR_BYTES = 256
local WAIT_MS = 1 -- the shortest that nginx waits

local message, size, byte -- scratch: no call yields between filling and reading them

-- Names of our own, so that the declarations of others do not matter.
if has_ffi then
  message, size, byte = ffi.new("unsigned char[?]", MAX_ERROR_BYTES), ffi.new("size_t[1]"), ffi.new("char[1]")
  ffi.cdef [[
    int pusher_get_fd(void *upstream, int fd, unsigned char *error, size_t *size)
      __asm__("ngx_http_lua_ffi_socket_tcp_hack_fd");
    long pusher_recv(int fd, void *bytes, size_t size, int flags) __asm__("recv");
  ]]
end

-- Given -1, hack_fd changes nothing.
local function peek(socket)
  size[0] = MAX_ERROR_BYTES
  local fd = ffi.C.pusher_get_fd(socket[CONTEXT], -1, message, size)
  return fd < 0 or ffi.C.pusher_recv(fd, byte, 1, MSG_PEEK) >= 0 or ffi.errno() ~= EAGAIN
end

-- Waits until the event loop has come round.
local function read(link)
  link.socket:settimeouts(WAIT_MS, WAIT_MS, WAIT_MS)
  link.timeout_ms = WAIT_MS
  local bytes, cause, rest = link.socket:receiveany(1)
  return bytes ~= nil or cause ~= "timeout" or (rest or "") ~= ""
end

--- Looks at a connection on which nothing is expected.
-- @tparam table link its `socket` is a cosocket, connected; see timeouts.lua
-- @treturn boolean true when it must be closed
function readable.check(link)
  -- The upstream of stream {} has another layout, and the function may be there all the same: one process may have both
  -- modules. ngx_lua before 0.10.18 lacks it, and the call raises.
  if ngx.config.subsystem == "http" then
    local ok, waiting = pcall(peek, link.socket)
    if ok then
      return waiting
    end
  end
  return read(link)
end

return readable
