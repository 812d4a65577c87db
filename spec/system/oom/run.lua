-- Fails allocations in turn: run.lua MAX SEED [SCENARIO...]. `make oom` builds what it needs. MAX is how many allocations
-- of a scenario are made to fail; SEED says which, 0 in CI, where each run is to try the same. Ends with `N passed, N
-- failed`.

local cjson = require "cjson"
local progress = require "tools.progress"
local pushing = require "spec.system.oom.pushing"
local server = require "tools.local_server"

-- Lua's own allocations on each kind of Lua; the others do not depend on it.
local RUNS = { { "5.4", "lua" }, { "5.1", "lua" }, { "jit", "lua" }, { "5.4", "own" }, { "5.4", "any" } }
local SCENARIOS = {
  "load", "new", "authorize", "webhook", "bytes", "token", "first_calls", "trigger", "trigger_tls", "trigger_async",
  "trigger_async_tls", "repeat", "repeat_async", "publish", "publish_async", "publish_silent", "fcm", "fcm_async",
  "fcm_refused", "fcm_stop", "fork", "observe",
}

-- Where a scenario runs unless it is named, if not everywhere. What is left out finds little but faults of others
-- (those that tries.lua lists, handshakes that wait, and an OpenSSL that cannot sign after its first key), or what
-- others find sooner. Try: make oom SCENARIO=trigger_async_tls OOM_TRIES=400
local ONLY = {
  trigger_async_tls = "5.4 lua, 5.1 lua, jit lua, 5.4 own", fcm_async = "jit lua", fcm_refused = "5.4 lua, jit lua",
  fcm_stop = "5.4 lua, 5.1 lua, jit lua",
}

local max, seed = arg[1], arg[2]
local wanted = #arg > 2 and { select(3, (table.unpack or unpack)(arg)) } or SCENARIOS -- luacheck: ignore

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local AT_ONCE = 2 -- programs

local function start(lua, source, scenario, handshake)
  local build = "build/" .. lua
  return { lua = lua, name = lua .. " " .. scenario, pipe = assert(io.popen(table.concat({
    "LUA_PATH='./lua/?.lua;./?.lua;;' LUA_CPATH='./" .. build .. "/?.so;;'", build .. "/oom_host",
    "spec/system/oom/tries.lua", scenario, source, max, seed, quote(handshake), "2>&1",
  }, " "))) }
end

local function finish(program, steps)
  steps:step(program.name)
  local text = program.pipe:read("*a")
  program.pipe:close()
  steps:clear()
  io.write((text:gsub("[^\n]*\n", function(line)
    return program.lua .. " " .. line
  end)))
  io.flush()
  local tried, failed = text:match("(%d+) tried, [^\n]-(%d+) failed\n$")
  return tonumber(tried) or 1, tonumber(failed) or 1
end

local channels, push = server.start {}, pushing.start()
local handshake = cjson.encode {
  host = channels.host, port = channels.port, tls_port = channels.tls_port, ca_file = channels.ca_file,
  refusing_port = channels.refusing_port, app_id = channels.app_id, key = channels.key, secret = channels.secret,
  push = { host = push.host, port = push.port },
}
local tried, failed, running = 0, 0, {}
local programs = {}
for _, place in ipairs(RUNS) do
  for _, scenario in ipairs(wanted) do
    local here = place[1] .. " " .. place[2]
    if #arg > 2 or (ONLY[scenario] or here):find(here, 1, true) then
      programs[#programs + 1] = { place[1], place[2], scenario }
    end
  end
end
local steps = progress.new(#programs)

local function finish_first()
  local more, bad = finish(table.remove(running, 1), steps)
  tried, failed = tried + more, failed + bad
end

for _, program in ipairs(programs) do
  if #running == AT_ONCE then
    finish_first()
  end
  running[#running + 1] = start(program[1], program[2], program[3], handshake)
end
while running[1] do
  finish_first()
end
channels:stop()
push:stop()
print()
print(("%d passed, %d failed"):format(tried - failed, failed))
os.exit(failed == 0)
