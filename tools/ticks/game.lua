--- A game whose ticks are measured: it plays events, starts calls and steps, and keeps the longest time of each.
--
-- The garbage collector runs between the ticks, and its time does not count: its pace is the host's to set, and Lua
-- 5.4's default pace collects the whole of a small heap in one go, half a millisecond.

local core = require "pusher.core" -- now() and sleep()
local pusher = require "pusher"

local game = {}
game.__index = game

game.HZ = 60 -- ticks a second
game.DRAIN_SECONDS = 20

local EVENTS = 8 -- events a tick
local YARDSTICK_ROUNDS = 5000 -- about 0.1 ms
local STEPS_A_TICK = 30 -- while a game waits until its calls have ended
local LARGE_BLOCK = 65536 -- bytes

--- @tparam table situation see tools/ticks/situations.lua
-- @tparam table server the local server
-- @tparam function thread_cpu seconds of CPU time that the calling thread has used
-- @param transport an async one
function game.new(situation, server, thread_cpu, transport)
  local self = setmetatable({ situation = situation, server = server, thread_cpu = thread_cpu, transport = transport,
    longest = {}, shortest = {}, calls = 0, codes = {} }, game)
  function self.count(result, _, details)
    local code = result and "good" or details.code
    self.codes[code] = (self.codes[code] or 0) + 1
  end
  return self
end

-- Calls f and keeps the longest and the shortest time of each name.
local function timed(self, name, f, ...)
  local before = self.thread_cpu()
  local result, message = f(...)
  local time = self.thread_cpu() - before
  self.longest[name] = math.max(self.longest[name] or 0, time)
  self.shortest[name] = math.min(self.shortest[name] or math.huge, time)
  return result, message
end

-- A fixed piece of work: by how much its time differs is what the machine adds, with interrupts and cold caches.
local function yardstick()
  local sum = 0
  for round = 1, YARDSTICK_ROUNDS do
    sum = (sum + round) % 1000
  end
  return sum
end

-- Times f, then the yardstick, so that noise has as many chances to hit the one as the other.
local function time_beside_yardstick(self, name, f, ...)
  local result, message = timed(self, name, f, ...)
  timed(self, "yardstick", yardstick)
  return result, message
end

--- By how much longer, in seconds, the same work took at most than at least.
function game:noise()
  return (self.longest.yardstick or 0) - (self.shortest.yardstick or 0)
end

function game:client()
  return assert(pusher.new {
    app_id = self.server.app_id, key = self.server.key, secret = self.server.secret, host = "localhost",
    port = self.server[self.situation.port], secure = self.situation.tls or false, transport = self.transport,
    timeout = self.situation.timeout, log = function() end,
  })
end

--- Starts a call, which is timed as `name`, and counted by the code it ends with.
function game:start_call(name, f, ...)
  self.calls = self.calls + 1
  time_beside_yardstick(self, name, f, ...):on_done(self.count)
end

--- @tparam[opt="trigger"] string name as which it is timed
function game:trigger(client, name)
  self:start_call(name or "trigger", client.trigger, client, "world", "moved", { x = self.calls, y = -self.calls })
end

local function step(self, stepped)
  return assert(time_beside_yardstick(self, "step", stepped.step, stepped))
end

--- The first large block that is allocated makes glibc join all small ones that were freed: here, not within a call.
function game.end_tick()
  collectgarbage()
  string.rep("x", LARGE_BLOCK)
  collectgarbage("stop")
end

local function sleep_until(time)
  game.end_tick()
  core.sleep(math.max(0, time - core.now()))
end

--- Steps until nothing is in flight; several times a tick, since one step takes few of many outcomes.
function game:drain()
  local start, tick = core.now(), 0
  while true do
    for _ = 1, STEPS_A_TICK do
      if step(self, self.transport) == 0 then
        return
      end
    end
    tick = tick + 1
    assert(tick < game.DRAIN_SECONDS * game.HZ, "the calls do not end")
    sleep_until(start + tick / game.HZ)
  end
end

--- What a game does: events through a publisher and one call of its own in each tick.
function game:play(count, hz)
  local client = self:client()
  local publisher = assert(client:publisher { overflow = "drop_oldest" })
  local start = core.now()
  for tick = 1, count do
    for event = 1, EVENTS do
      time_beside_yardstick(self, "trigger", publisher.trigger, publisher, "world-" .. event, "moved", { x = tick, y = event })
    end
    self:trigger(client)
    step(self, publisher)
    sleep_until(start + tick / hz)
  end
  publisher:close(self.situation.code and 0 or game.DRAIN_SECONDS)
  self:drain()
  local stats = publisher:stats()
  assert(self.situation.code or stats.sent == stats.accepted, "events were lost")
  client:close()
end

return game
