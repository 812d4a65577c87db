--- Starts a real Luanti (Minetest) server without a screen: its own world, the given mods, ended by its process id.
-- Needs the command minetestserver or luantiserver.

local cqueues = require "cqueues"
local shell = require "tools.shell"
local text_file = require "tools.text_file"
local uv = require "luv"

local luanti = {}
local methods = {}
local metatable = { __index = methods }

local START_SECONDS = 30

-- Debian's command is a wrapper that sets another log file; this finds the program itself.
local function find_program()
  for _, name in ipairs { "/usr/lib/minetest/minetestserver", "/usr/lib/luanti/luantiserver" } do
    if uv.fs_stat(name) then
      return name
    end
  end
  return shell.run("PATH=$PATH:/usr/games; command -v minetestserver || command -v luantiserver")
end

local function free_udp_port()
  local socket = uv.new_udp()
  assert(socket:bind("127.0.0.1", 0))
  local port = socket:getsockname().port
  socket:close()
  uv.run("nowait")
  return port
end

-- The smallest possible game: air only.
local function make_world(self, options)
  local directory = self.directory
  local world = directory .. "/world"
  os.execute(("mkdir -p '%s/games/bare/mods' '%s/worldmods'"):format(directory, world))
  text_file.write(directory .. "/games/bare/game.conf", "title = Bare\nname = Bare\n")
  text_file.write(world .. "/world.mt", "gameid = bare\nbackend = dummy\nauth_backend = sqlite3\nplayer_backend = dummy\n"
    .. "mod_storage_backend = sqlite3\n")
  for name, path in pairs(options.mods) do
    local place = path:find("^/") and path or shell.output_of("pwd") .. "/" .. path
    os.execute(("ln -s '%s' '%s/worldmods/%s'"):format(place, world, name))
  end
  local lines = {
    "bind_address = 127.0.0.1", "server_announce = false", "mg_name = singlenode", "disallow_empty_password = false",
    "dedicated_server_step = 0.05", "disable_anticheat = true", "enable_rollback_recording = false",
    "strict_protocol_version_checking = false", "max_packets_per_iteration = 4096",
  }
  for name, value in pairs(options.settings) do
    lines[#lines + 1] = ("%s = %s"):format(name, tostring(value))
  end
  text_file.write(directory .. "/minetest.conf", table.concat(lines, "\n") .. "\n")
end

--- Starts the server and waits until it listens.
-- @tparam table options `mods` = names to folders, absolute or below the checkout; `settings` for minetest.conf
-- @treturn table `{ port =, pid =, directory = }` with the methods below
function luanti.start(options)
  local self = setmetatable({ directory = shell.output_of("mktemp -d") }, metatable)
  make_world(self, options)
  self.port = free_udp_port()
  local root = shell.output_of("pwd")
  local environment = ("HOME='%s' MINETEST_SUBGAME_PATH='%s/games' MINETEST_GAME_PATH='%s/games' "
    .. "LUA_PATH='%s/lua/?.lua;;' LUA_CPATH='%s/build/jit/?.so;;'"):format(
    self.directory, self.directory, self.directory, root, root)
  local die_with_us = shell.output_of("command -v setpriv") ~= "" and "setpriv --pdeathsig TERM " or ""
  self.pipe = assert(io.popen(("echo $$; cd '%s'; exec env -u LUA_INIT %s %s%s --config minetest.conf --world '%s/world' --gameid bare "
    .. "--port %d --logfile log.txt --color never >output.txt 2>&1"):format(
    self.directory, environment, die_with_us, find_program(), self.directory, self.port)))
  self.pid = tonumber(self.pipe:read("*l"))
  if not self:wait_for_log("listening on", START_SECONDS) then
    local log = self:log()
    self:stop()
    error("Luanti did not start:\n" .. log, 2)
  end
  return self
end

--- The server's log.
function methods:log()
  local texts = {}
  for _, name in ipairs { "log.txt", "output.txt" } do
    local file = io.open(self.directory .. "/" .. name)
    if file then
      texts[#texts + 1] = file:read("*a")
      file:close()
    end
  end
  return table.concat(texts, "\n")
end

--- Waits for a line in the log.
-- @treturn boolean
function methods:wait_for_log(text, seconds)
  local deadline = cqueues.monotime() + seconds
  repeat
    if self:log():find(text, 1, true) then
      return true
    end
    cqueues.poll(0.01)
  until cqueues.monotime() > deadline or shell.output_of("kill -0 " .. self.pid .. " 2>&1") ~= ""
  return false
end

--- Ends the server as an administrator would, and waits for it.
function methods:shut_down()
  if self.pid then
    os.execute(("kill -INT %d 2>/dev/null"):format(self.pid))
    self.pipe:read("*a")
    self.pipe:close()
    self.pid = nil
  end
end

--- Ends the server and removes its world.
function methods:stop()
  self:shut_down()
  os.execute("rm -rf '" .. self.directory .. "'")
end

return luanti
