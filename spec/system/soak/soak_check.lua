-- The soak: for SOAK_SECONDS everything that a program does at length, with a server that misbehaves: blocking calls,
-- calls in flight, publishers, clients opened and closed, authorizations, webhooks. Neither memory nor descriptors
-- grow, and what becomes of each event is what docs/publisher.md promises.

local calls = require "spec.helpers.calls"
local core = require "pusher.core"
local events = require "spec.system.soak.events"
local faults = require "spec.system.soak.faults"
local local_server = require "tools.local_server"
local local_work = require "spec.system.soak.local_work"
local process = require "pusher_test.process"
local progress = require "tools.progress"
local pusher = require "pusher"
local samples = require "spec.system.soak.samples"
local senders = require "spec.system.soak.senders"

local SECONDS = tonumber(os.getenv("SOAK_SECONDS")) or 300
local MIN_ROUNDS = 12 -- for the growth to say something, also on a slow machine
local LOCAL = 200 -- authorizations and webhooks of each kind in a round

describe("a soak", function()
  local outcomes, taken = events.new(), samples.new()
  local before, after

  local function run_round(server, round, sender, work)
    faults.arm(server, round)
    for _ = 1, LOCAL do
      work()
    end
    sender:send_blocking()
    sender:send_in_flight()
    sender:publish()
    sender:open_and_close()
    sender:call_unreachable()
    outcomes:compare(server)
  end

  -- The threads of closed transports end a moment later.
  local function await_threads(count)
    collectgarbage()
    collectgarbage()
    calls.eventually(10, "threads stay", function() return process.threads() <= count end)
  end

  -- Opens all, lets it run for some rounds, and closes all.
  local function soak(server, client, rounds, seconds)
    local work = local_work.new(client, server)
    local sender = senders.open(server, outcomes)
    local start, round, steps = core.now(), 0, progress.new(math.max(1, seconds))
    while round < rounds or core.now() - start < seconds do
      round = round + 1
      steps:at(math.min(steps.total, math.floor(core.now() - start)), "seconds; round " .. round)
      run_round(server, round, sender, work)
      await_threads(1 + sender.threads)
      taken:add()
    end
    steps:clear()
    sender:close()
    await_threads(1)
    return round, core.now() - start
  end

  setup(function()
    local server = local_server.start()
    local client = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret,
      encryption_master_key_base64 = server.master_key_base64 })
    soak(server, client, 1, 0) -- makes what is made once
    taken, before = samples.new(), samples.now()
    local rounds, seconds = soak(server, client, MIN_ROUNDS, SECONDS)
    after = samples.now()
    client:close()
    server:stop()
    local counts = outcomes.counts
    print(("%s: %d rounds in %.0f s; %d events: %d succeeded, %d failed, %d arrived again"):format(
      rawget(_G, "jit") and "LuaJIT" or _VERSION, rounds, seconds, counts.accepted, counts.succeeded, counts.failed,
      counts.repeated))
  end)

  for kind in pairs(samples.LIMITS) do
    it("does not grow: " .. kind, function()
      print(kind .. ": " .. taken:text(kind))
      local growth = taken:growth(kind)
      assert(growth <= samples.LIMITS[kind], ("%s has grown by %.0f"):format(kind, growth))
    end)
  end

  for kind, limit in pairs(samples.LEFT) do
    it("leaves nothing when all is closed: " .. kind, function()
      print(("%s when all is closed: %.0f, before %.0f"):format(kind, after[kind], before[kind]))
      assert(after[kind] - before[kind] <= limit, kind .. " has grown")
    end)
  end

  for kind, promise in pairs(events.PROMISES) do
    it(promise, function()
      assert.same({}, outcomes.failures[kind] or {})
    end)
  end

  it("sees most events succeed, some fail and some arrive twice", function()
    local counts = outcomes.counts
    assert.is_true(counts.succeeded > counts.accepted / 2 and counts.failed > 0 and counts.repeated > 0)
  end)
end)
