--- Starts an nginx for a check, a benchmark or the demo: private directory, free port, ended by its process id.
--
-- Needs LuaJIT with cqueues, like the local servers. The nginx ends when the process that started it has ended (Linux:
-- setpriv --pdeathsig).

local cqueues = require "cqueues"
local http = require "tools.nginx.http"
local shell = require "tools.shell"
local socket = require "cqueues.socket"
local text_file = require "tools.text_file"

local nginx = {}
local methods = {}
local metatable = { __index = methods }

local START_SECONDS = 30
local ATTEMPTS = 5

--- A port of 127.0.0.1 that no program uses now.
function nginx.free_port()
  local listening = socket.listen { host = "127.0.0.1", port = 0, reuseaddr = true }
  assert(listening:listen())
  local _, _, port = listening:localname()
  listening:close()
  return port
end

-- Where nginx puts what it receives: below its directory, not where Debian's would.
local TEMPORARY = [[
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;]]

--- The directives that load modules, which distributions build in or have as files.
-- @tparam table names
-- @treturn string a line for each that is a file
function nginx.load_modules(names)
  local folder = shell.output_of("nginx -V 2>&1"):match("%-%-modules%-path=(%S+)") or "/usr/lib/nginx/modules"
  local lines = {}
  for _, name in ipairs(names) do
    local file = io.open(folder .. "/" .. name .. ".so")
    if file then
      file:close()
      lines[#lines + 1] = ("load_module %s/%s.so;"):format(folder, name)
    end
  end
  return table.concat(lines, "\n")
end

local CONFIGURATION = [[
$modules
$main
$user
daemon off;
worker_processes $workers;
pid $directory/pid;
error_log $directory/error.log $log_level;
worker_shutdown_timeout 10s;
events { worker_connections 2048; }
http {
  access_log off;
$temporary
  lua_package_path "$root/lua/?.lua;$root/?.lua;;";
  lua_package_cpath "$root/build/jit/?.so;;";
  $http
  server {
    listen 127.0.0.1:$port $listen;
    $server
  }
}
]]

--- What a configuration needs to know about this machine and this run.
-- @treturn table `modules`, `user`, `temporary`: directives or ""; `directory`, `root` (of the checkout), `port`: texts
local function facts(self)
  return {
    modules = nginx.load_modules { "ndk_http_module", "ngx_http_lua_module" },
    -- Started by root, workers would run as a user that cannot read the checkout.
    user = shell.output_of("id -u") == "0" and "user root root;" or "",
    temporary = TEMPORARY,
    directory = self.directory,
    root = shell.output_of("pwd"),
    port = tostring(self.port),
  }
end

local function configure(self, options)
  local values = facts(self)
  if options.configuration then
    return options.configuration(values)
  end
  values.listen = options.listen or ""
  values.workers = tostring(options.workers or 1)
  values.log_level = options.log_level or "warn"
  values.main, values.http, values.server = options.main or "", options.http or "", options.server or ""
  return (CONFIGURATION:gsub("%$(%l[%l_]*)", values))
end

local function has_ended(self)
  return shell.output_of("kill -0 " .. self.pid .. " 2>/dev/null && echo running") ~= "running"
end

-- Only Linux lists the workers.
local function has_workers(self, count)
  local known, pids = pcall(self.workers, self)
  return not known or #pids >= count
end

-- nginx writes its pid file when it listens; from then on the kernel accepts connections. Its workers start after that.
local function wait_until_ready(self, workers)
  local deadline = cqueues.monotime() + START_SECONDS
  repeat
    local file = io.open(self.directory .. "/pid")
    local pid = file and file:read("*n")
    if file then
      file:close()
    end
    if pid == self.pid and has_workers(self, workers) then
      return true
    end
    cqueues.poll(0.005)
  until has_ended(self) or cqueues.monotime() > deadline
  return false
end

local function try_to_start(self, options)
  self.port = nginx.free_port()
  text_file.write(self.directory .. "/nginx.conf", configure(self, options))
  for name, text in pairs(options.files or {}) do
    text_file.write(self.directory .. "/" .. name, text)
  end
  local die_with_us = shell.output_of("command -v setpriv") ~= "" and "setpriv --pdeathsig TERM " or ""
  self.pipe = assert(io.popen(("echo $$; PATH=$PATH:/usr/sbin %s exec %s%s nginx -p %s -c %s/nginx.conf 2>&1"):format(
    options.environment or "", die_with_us, options.runner or "", self.directory, self.directory)))
  self.pid = tonumber(self.pipe:read("*l"))
  return wait_until_ready(self, options.workers or 1)
end

--- Starts nginx and waits until it is ready.
-- @tparam table options `main`, `http`, `server`: directives for these contexts; `listen`: parameters such as "ssl";
-- `workers` (1); `log_level` ("warn"); or `configuration` = function(facts) -> the whole text, which must have a pid
-- file "pid" and an error.log in `facts.directory`; `files`: names to texts, for that directory, which relative names
-- mean; `environment` = "NAME=value …"; `runner`: a command that runs nginx, such as valgrind's; `below`: the folder for
-- that directory (default: TMPDIR's)
-- @treturn table `{ host =, port =, pid = the master's, directory = }` with the methods below
function nginx.start(options)
  local make_directory = options.below and ("mktemp -d '%s/nginx.XXXXXX'"):format(options.below)
    or "mktemp -d -t pusher-nginx.XXXXXX"
  local self = setmetatable({ host = "127.0.0.1", directory = shell.output_of(make_directory), forgotten = 0 }, metatable)
  for _ = 1, ATTEMPTS do
    -- Another program may take the port before nginx binds it.
    if try_to_start(self, options) then
      return self
    end
  end
  local log = self:log() .. (self.pipe:read("*a") or "")
  self:stop()
  error("nginx did not start: " .. log, 2)
end

--- The content of error.log since the last forget_log().
function methods:log()
  local ok, text = pcall(text_file.read, self.directory .. "/error.log")
  return ok and text:sub(self.forgotten + 1) or ""
end

--- Makes log() begin after the current end of error.log.
function methods:forget_log()
  self.forgotten = self.forgotten + #self:log()
end

--- Waits until a function returns something else than nil and false, and returns that. Raises after START_SECONDS.
-- @tparam string what for the message
-- @tparam function found
function methods:wait(what, found)
  local deadline = cqueues.monotime() + START_SECONDS
  repeat
    local result = found()
    if result then
      return result
    end
    cqueues.poll(0.01)
  until cqueues.monotime() > deadline
  error("no " .. what .. "; error.log: " .. self:log(), 2)
end

--- Waits for a line of error.log.
-- @treturn string the first line that matches the pattern; raises after START_SECONDS
function methods:wait_for_log(pattern)
  return self:wait("line with " .. pattern, function()
    for line in self:log():gmatch("[^\n]+") do
      if line:find(pattern) then
        return line
      end
    end
  end)
end

--- Lines of error.log that report an error raised in Lua or a failure of nginx itself.
function methods:failures()
  local lines, entry = {}, "" -- an entry may have several lines; the first one has the time
  for line in self:log():gmatch("[^\n]+") do
    entry = line:find("^%d+/") and line or entry
    if line:find("lua entry thread aborted", 1, true) or line:find("runtime error", 1, true)
      or line:find("stack traceback", 1, true) or line:find("%[alert%]") or line:find("%[crit%]")
      or line:find("%[emerg%]") or line:find("writing a global", 1, true) then
      lines[#lines + 1] = line:find("^stack traceback") and entry .. "\n" .. line or line
    end
  end
  return table.concat(lines, "\n")
end

--- The process ids of the workers (Linux).
function methods:workers()
  local pids = {}
  for pid in text_file.read(("/proc/%d/task/%d/children"):format(self.pid, self.pid)):gmatch("%d+") do
    pids[#pids + 1] = tonumber(pid)
  end
  return pids
end

--- Sends a signal to the master, such as HUP.
function methods:signal(name)
  os.execute(("kill -%s %d"):format(name, self.pid))
end

--- Reloads the configuration and waits until all workers are new ones (Linux).
function methods:reload()
  local old, count = {}, 0
  for _, pid in ipairs(self:workers()) do
    old[pid], count = true, count + 1
  end
  self:signal("HUP")
  self:wait("new workers", function()
    local pids, all_new = self:workers(), true
    for _, pid in ipairs(pids) do
      all_new = all_new and not old[pid]
    end
    return all_new and #pids >= count
  end)
end

--- One request on a connection of its own; see tools/nginx/http.lua.
function methods:request(options)
  options.host, options.port = options.host or self.host, options.port or self.port
  return http.request(options)
end

--- Sends bytes and closes without reading.
function methods:abort(bytes)
  local connection = http.connect(self.host, self.port)
  connection:write(bytes)
  connection:close()
end

--- Whether the master has not ended.
function methods:is_running()
  return not has_ended(self)
end

--- Ends nginx, waits for it and removes its directory.
function methods:stop()
  if self.pid then
    os.execute(("kill -TERM %d 2>/dev/null"):format(self.pid))
    self.pipe:read("*a")
    self.pipe:close()
    os.execute("rm -rf '" .. self.directory .. "'")
    self.pid = nil
  end
end

--- Stops it at the end of a check.
-- @treturn string what `failures` returned before
function methods:finish()
  local failures = self:failures()
  self:stop()
  return failures
end

return nginx
