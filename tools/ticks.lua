--- The ticks of a game, measured: the longest `trigger` and the longest `step`, in CPU time of the thread that calls
-- them, while a local server does what a situation says. Used by specs and benchmarks, each with its own clock.

local async = require "pusher.transport.async"
local game = require "tools.ticks.game"
local local_server = require "tools.local_server"
local text_file = require "tools.text_file"

local ticks = {}

--- tools/ticks/situations.lua
ticks.situations = require "tools.ticks.situations"

local SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
local WARM_UP_TICKS, WARM_UP_HZ = 400, 400

-- The system's authorities and the local server's.
local function write_authorities(server)
  local path = os.tmpname()
  text_file.write(path, text_file.read(SYSTEM_AUTHORITIES) .. text_file.read(server.ca_file))
  return path
end

local function find(name)
  for _, situation in ipairs(ticks.situations) do
    if situation.name == name then
      return situation
    end
  end
  error("unknown situation " .. tostring(name))
end

-- LuaJIT compiles what is hot in the first seconds of a program, and each trace takes it about 0.1 ms.
local function warm_up(server, thread_cpu)
  local transport = assert(async.new())
  game.new({ port = "port" }, server, thread_cpu, transport):play(WARM_UP_TICKS, WARM_UP_HZ)
  transport:close()
  server:reset()
end

-- Raises unless the calls ended as they should and the connections were opened.
local function check(played, count)
  local situation, code = played.situation, played.situation.code or "good"
  assert(played.codes[code] == played.calls, ("%d of %d calls ended with code %s"):format(
    played.codes[code] or 0, played.calls, code))
  if situation.accepted then
    local min, max = situation.accepted(count)
    local accepted = played.server:inspect().accepted[situation.port:match("^(.*)_port$")]
    assert(accepted >= min and accepted <= max, ("%d connections"):format(accepted))
  end
end

local function measure(situation, server, seconds, thread_cpu, ca_file)
  local jit = rawget(_G, "jit")
  if jit and jit.status() then
    warm_up(server, thread_cpu)
  end
  if situation.fault then
    server:misbehave(situation.fault)
  end
  local transport = assert(async.new { ca_file = ca_file })
  local played = game.new(situation, server, thread_cpu, transport);
  (situation.run or game.play)(played, seconds * game.HZ, game.HZ)
  check(played, seconds * game.HZ)
  transport:close()
  return { trigger = played.longest.trigger, step = played.longest.step, noise = played:noise() }
end

--- Plays one situation in this process, which should be a fresh one: OpenSSL reads the authorities once.
-- @tparam string name one of `ticks.situations`
-- @tparam number seconds
-- @tparam function thread_cpu seconds of CPU time that the calling thread has used
-- @treturn table `trigger`, `step`: the longest, in seconds; `noise`: by how much longer the same work, in each tick,
--   took at most than at least
function ticks.measure(name, seconds, thread_cpu)
  local situation = find(name)
  local server = local_server.start()
  local ca_file = write_authorities(server)
  game.end_tick()
  local ok, longest = pcall(measure, situation, server, seconds, thread_cpu, ca_file)
  collectgarbage("restart")
  os.remove(ca_file)
  server:stop()
  assert(ok, longest)
  return longest
end

return ticks
