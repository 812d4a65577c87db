-- Fails allocations in turn: run.lua MAX [SCENARIO...]. `make oom` builds what it needs. MAX is how many allocations of a
-- scenario are made to fail. Ends with `N passed, N failed`.

local cjson = require "cjson"
local server = require "tools.local_server"

-- Lua's own allocations on each kind of Lua; the others do not depend on it.
local RUNS = { { "5.4", "lua" }, { "5.1", "lua" }, { "jit", "lua" }, { "5.4", "own" }, { "5.4", "any" } }
local SCENARIOS = {
  "load", "new", "authorize", "webhook", "bytes", "token", "trigger", "trigger_tls", "trigger_async", "trigger_async_tls",
  "repeat", "repeat_async", "publish", "publish_async", "fork",
}

-- An open fault: with any allocation of the process failing, about one try in two hundred of this scenario ends with
-- "corrupted double-linked list" when the network thread ends, or with a call that fails afterwards. Whether that is
-- OpenSSL's or ours is not known. It runs when it is named: make oom SCENARIO=trigger_async_tls.
local OPEN_FAULTS = { trigger_async_tls = "any" }

local max = arg[1]
local wanted = #arg > 1 and { select(2, (table.unpack or unpack)(arg)) } or SCENARIOS -- luacheck: ignore

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local AT_ONCE = 2 -- programs

local function start(lua, source, scenario, handshake)
  local build = "build/" .. lua
  return { lua = lua, pipe = assert(io.popen(table.concat({
    "LUA_PATH='./lua/?.lua;./?.lua;;' LUA_CPATH='./" .. build .. "/?.so;;'", build .. "/oom_host",
    "spec/system/oom/tries.lua", scenario, source, max, quote(handshake), "2>&1",
  }, " "))) }
end

local function finish(program)
  local text = program.pipe:read("*a")
  program.pipe:close()
  io.write((text:gsub("[^\n]*\n", function(line)
    return program.lua .. " " .. line
  end)))
  io.flush()
  local tried, failed = text:match("(%d+) tried, [^\n]-(%d+) failed\n$")
  return tonumber(tried) or 1, tonumber(failed) or 1
end

local channels = server.start {}
local handshake = cjson.encode {
  host = channels.host, port = channels.port, tls_port = channels.tls_port, ca_file = channels.ca_file,
  refusing_port = channels.refusing_port, app_id = channels.app_id, key = channels.key, secret = channels.secret,
}
local tried, failed, running = 0, 0, {}

local function finish_first()
  local more, bad = finish(table.remove(running, 1))
  tried, failed = tried + more, failed + bad
end

for _, place in ipairs(RUNS) do
  for _, scenario in ipairs(wanted) do
    if place[2] ~= OPEN_FAULTS[scenario] or #arg > 1 then
      if #running == AT_ONCE then
        finish_first()
      end
      running[#running + 1] = start(place[1], place[2], scenario, handshake)
    end
  end
end
while running[1] do
  finish_first()
end
channels:stop()
print()
print(("%d passed, %d failed"):format(tried - failed, failed))
os.exit(failed == 0)
