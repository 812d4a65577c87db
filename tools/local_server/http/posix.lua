--- The few system calls that the local servers need beyond cqueues, through LuaJIT's ffi: processes, a control FIFO,
-- sockets that refuse or never accept a connection, RST instead of FIN, and what a peer has not got yet. Linux and macOS.

local ffi = require "ffi"

ffi.cdef [[
  int getpid(void);
  int fork(void);
  int setpgid(int pid, int group);
  int execvp(const char *file, char *const arguments[]);
  void _exit(int status);
  int setenv(const char *name, const char *value, int overwrite);
  int waitpid(int pid, int *status, int options);
  int kill(int pid, int signal);
  void (*signal(int signal, void (*handler)(int)))(int);
  int chmod(const char *path, unsigned int mode);
  int pipe(int ends[2]);
  int close(int fd);
  int dup2(int old, int new);
  struct poll_entry { int fd; short events; short revents; };
  int poll(struct poll_entry *entries, unsigned long count, int timeout_ms);
  int getppid(void);
  char *mkdtemp(char *template);
  int mkfifo(const char *path, unsigned int mode);
  int open(const char *path, int flags, ...);
  long read(int fd, void *buffer, unsigned long count);
  int socket(int domain, int type, int protocol);
  int bind(int fd, const void *address, unsigned int length);
  int listen(int fd, int backlog);
  int connect(int fd, const void *address, unsigned int length);
  int getsockname(int fd, void *address, unsigned int *length);
  int setsockopt(int fd, int level, int name, const void *value, unsigned int length);
  int getsockopt(int fd, int level, int name, void *value, unsigned int *length);
  int fcntl(int fd, int command, ...);
  int ioctl(int fd, unsigned long request, ...);
  struct linger_pair { int onoff; int seconds; };
]]

local C = ffi.C
local bsd = ffi.os ~= "Linux" -- macOS: sockaddr starts with a length byte, other constants
local AF_INET, SOCK_STREAM = 2, 1
local O_RDONLY, O_NONBLOCK = 0, bsd and 0x0004 or 0x0800
local F_SETFL = 4
local SOL_SOCKET, SO_LINGER = bsd and 0xffff or 1, bsd and 0x0080 or 13
local SIOCOUTQ, SO_NWRITE = 0x5411, 0x1024 -- tcp(7); getsockopt(2) of macOS
local IPPROTO_TCP, TCP_INFO, TCP_CLOSE = 6, 11, 7 -- netinet/tcp.h of Linux
local TCP_CORK = bsd and 4 or 3 -- TCP_NOPUSH on macOS
local PRIVATE_FIFO, OTHERS_ENTER = tonumber("600", 8), tonumber("711", 8)
local O_RDWR, F_SETFD, FD_CLOEXEC, WNOHANG = 2, 2, 1, 1
local SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM = 1, 2, 3, 9, 15

local posix = {}

--- The id of this process.
function posix.pid()
  return C.getpid()
end

--- The id of the process that started this one; it changes when that one ends.
function posix.parent_pid()
  return C.getppid()
end

--- Makes a fresh directory that only this user can read.
-- @treturn string its path
function posix.temporary_directory(prefix)
  local path = (os.getenv("TMPDIR") or "/tmp") .. "/" .. prefix .. ".XXXXXX"
  local buffer = ffi.new("char[?]", #path + 1, path)
  assert(C.mkdtemp(buffer) ~= nil, "cannot make a directory " .. path)
  return ffi.string(buffer)
end

--- Lets other users reach what they know the name of in a directory.
function posix.let_others_enter(path)
  assert(C.chmod(path, OTHERS_ENTER) == 0, "cannot change the mode of " .. path)
end

--- Removes a directory that temporary_directory made, with all that is in it.
function posix.remove_tree(path)
  os.execute("rm -rf '" .. path:gsub("'", "'\\''") .. "'")
end

-- Signals of a terminal reach its whole process group.
local function set_signals(handler)
  for _, number in ipairs { SIGHUP, SIGINT, SIGQUIT, SIGTERM } do
    C.signal(number, ffi.cast("void (*)(int)", handler))
  end
end

local SIG_DFL, SIG_IGN = 0, 1

local function execute(command, environment)
  C.setpgid(0, 0)
  set_signals(SIG_DFL)
  for name, value in pairs(environment) do
    C.setenv(name, value, 1)
  end
  local arguments = ffi.new("char *[?]", #command + 1)
  for index, text in ipairs(command) do
    arguments[index - 1] = ffi.cast("char *", text)
  end
  C.execvp(command[1], arguments)
  C._exit(127)
end

-- Gives up the standard streams: others read to their ends.
local function close_streams()
  local fd = C.open("/dev/null", O_RDWR)
  for stream = 0, 2 do
    C.dup2(fd, stream)
  end
  C.close(fd)
end

local process = {}

--- Waits until the process ends, `timeout_ms` milliseconds at most. Sets `ended` when it has.
function process:wait(timeout_ms)
  local entry = ffi.new("struct poll_entry", self.pipe)
  C.poll(entry, 1, timeout_ms) -- the other end of the pipe is closed when the process ends
  self.ended = self.ended or C.waitpid(self.pid, nil, WNOHANG) == self.pid
end

--- Kills the process, if it has not ended, and all processes of its group.
function process:kill()
  C.kill(-self.pid, SIGKILL)
  while not self.ended do
    self:wait(-1)
  end
end

--- Runs a command in a process group of its own; this process then has no standard streams, and ignores the signals of
-- a terminal.
-- @tparam table command the file, found by PATH, and its arguments
-- @tparam table environment variables to set
-- @treturn table `{ pid =, ended = boolean }` with the methods above
function posix.spawn(command, environment)
  local ends = ffi.new("int[2]")
  assert(C.pipe(ends) == 0, "cannot make a pipe")
  C.fcntl(ends[0], F_SETFD, ffi.cast("int", FD_CLOEXEC))
  set_signals(SIG_IGN)
  local pid = C.fork()
  assert(pid >= 0, "cannot fork")
  if pid == 0 then
    execute(command, environment)
  end
  C.setpgid(pid, pid) -- here, too: a kill may come before the child gets there
  C.close(ends[1])
  close_streams()
  return setmetatable({ pid = pid, pipe = ends[0], ended = false }, { __index = process })
end

--- Makes a FIFO and opens its reading end without waiting for a writer.
-- @treturn table an object for `cqueues.poll`, with `read()`: bytes, "" at the end of the input, or nil when nothing is
--   there yet
function posix.open_fifo(path)
  assert(C.mkfifo(path, PRIVATE_FIFO) == 0, "cannot make the FIFO " .. path)
  local fd = C.open(path, O_RDONLY + O_NONBLOCK)
  assert(fd >= 0, "cannot open the FIFO " .. path)
  local size = 65536
  local buffer = ffi.new("char[?]", size)
  local fifo = { pollfd = fd, events = "r" }
  function fifo.read()
    local count = tonumber(C.read(fd, buffer, size))
    return count >= 0 and ffi.string(buffer, count) or nil
  end
  return fifo
end

local function loopback_address(port, last_byte)
  local address = ffi.new("unsigned char[16]")
  if bsd then
    address[0], address[1] = 16, AF_INET
  else
    address[0], address[1] = AF_INET, 0
  end
  address[2], address[3] = math.floor(port / 256), port % 256
  address[4], address[7] = 127, last_byte or 1
  return address
end

local function bound_socket(...)
  local fd = C.socket(AF_INET, SOCK_STREAM, 0)
  assert(fd >= 0 and C.bind(fd, loopback_address(...), 16) == 0, "cannot bind to a loopback address")
  local address, length = ffi.new("unsigned char[16]"), ffi.new("unsigned int[1]", 16)
  assert(C.getsockname(fd, address, length) == 0, "getsockname failed")
  return fd, address[2] * 256 + address[3]
end

--- A port of 127.0.0.1 that refuses connections for as long as this process lives: bound, so nobody else gets it, but
-- not listening.
-- @treturn number the port
function posix.refusing_port()
  local _, port = bound_socket(0)
  return port
end

--- A port where connecting never finishes: its backlog is full and nobody accepts.
-- @tparam[opt=0] number wanted the port; 0 for any
-- @tparam[opt=1] number last_byte of the address 127.0.0.x; macOS has 127.0.0.1 only
-- @treturn number the port
function posix.black_hole_port(wanted, last_byte)
  local fd, port = bound_socket(wanted or 0, last_byte)
  assert(C.listen(fd, 0) == 0, "listen failed")
  for _ = 1, 4 do
    local filler = C.socket(AF_INET, SOCK_STREAM, 0)
    C.fcntl(filler, F_SETFL, ffi.cast("int", O_NONBLOCK))
    C.connect(filler, loopback_address(port, last_byte), 16)
  end
  return port
end

--- Makes a later close of this descriptor send RST rather than FIN.
function posix.reset_on_close(fd)
  local linger = ffi.new("struct linger_pair", 1, 0)
  return C.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, ffi.sizeof(linger)) == 0
end

--- While this is on, a socket keeps back what does not fill a segment, so that up to 64 KB arrive at once.
function posix.cork(fd, on)
  local value = ffi.new("int[1]", on and 1 or 0)
  return C.setsockopt(fd, IPPROTO_TCP, TCP_CORK, value, ffi.sizeof("int")) == 0
end

-- Linux counts for ever what a peer has not acknowledged before it sent RST.
local function is_closed(fd)
  local state, length = ffi.new("unsigned char[1]"), ffi.new("unsigned int[1]", 1)
  return C.getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, length) == 0 and state[0] == TCP_CLOSE
end

--- How much of what was written to a socket, FIN included, the peer's kernel has not acknowledged yet; 0 when the peer
-- has reset the connection.
-- @treturn number bytes
function posix.unacknowledged(fd)
  local count, length = ffi.new("int[1]"), ffi.new("unsigned int[1]", ffi.sizeof("int"))
  if bsd then
    return C.getsockopt(fd, SOL_SOCKET, SO_NWRITE, count, length) == 0 and count[0] or 0
  end
  return not is_closed(fd) and C.ioctl(fd, SIOCOUTQ, count) == 0 and count[0] or 0
end

return posix
