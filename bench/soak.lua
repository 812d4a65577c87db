--- Memory stays flat: a million authorizations, triggers and published events, and as many failures of each kind that
-- costs memory. `make soak` runs it on Lua 5.4 and LuaJIT; SOAK=100000 makes it shorter.
--
-- bench/soak.lua COUNT: exits 1 when a case has grown the process by more than GROWTH: when the minimum of its
-- last quarter is that far above the maximum of its first half.

local async = require "pusher.transport.async"
local memory = require "tools.memory"
local ours = require "bench.ours_client"
local probe = require "bench.probe"
local server = require "bench.server"

local COUNT = tonumber(arg[1]) or 1000000
local GROWTH = 1024 * 1024 -- bytes, four for each of the quarter million in between: no leak is that small
local SAMPLES = 20

local function temporary_directory()
  local pipe = assert(io.popen("mktemp -d"))
  local dir = pipe:read("*l")
  pipe:close()
  return dir
end

local dir = temporary_directory()
local nginx = server.start(dir)
local inputs = ours.inputs("bench/inputs.json")

local function client(other)
  return ours.client(inputs, nginx.port, other)
end

local function refused(result, _, details)
  assert(result == nil and details.code, "a failure was expected")
end

local cases = {}

local plain = client()
local headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = inputs.webhook_signature }

cases[1] = { "authorizations and webhooks", function(i)
  assert(plain:authorize_channel(inputs.private_form))
  assert(plain:authorize_channel(inputs.presence_form, inputs.member))
  assert(plain:authorize_channel(inputs.encrypted_form))
  assert(plain:webhook(headers, inputs.webhook_body))
  refused(plain:authorize_channel("socket_id=1.1%0A&channel_name=private-" .. i))
  refused(plain:webhook(headers, inputs.webhook_body .. i))
end }

cases[2] = { "triggers, blocking", function(i)
  assert(plain:trigger(inputs.channel, inputs.event, inputs.data))
  if i % 10 == 0 then
    assert(plain:trigger("private-encrypted-" .. i % 1000, inputs.event, inputs.data))
    refused(plain:trigger("no good", inputs.event, inputs.data))
  end
end }

local stepped = assert(async.new { keepalive = { idle = 60, pool_size = 64 } })
local many = client { transport = stepped }
local running, failure = 0, nil
local function done(result, message)
  running = running - 1
  failure = failure or (not result and message)
end

cases[3] = { "triggers, 64 in flight", function(i)
  running = running + 1
  assert(many:trigger(inputs.channel, inputs.event, inputs.data)):on_done(done)
  if i % 100 == 0 then
    assert(many:trigger(inputs.channel, inputs.event, inputs.data)):cancel()
  end
  while running >= 64 do
    assert(stepped:step(1))
  end
  assert(not failure, failure)
end, function()
  while running > 0 do
    assert(stepped:step(1))
  end
end }

local results = 0
local publisher = assert(client({ transport = "async" }):publisher {
  on_result = function() results = results + 1 end,
})

cases[4] = { "published events", function(i)
  local params = i % 7 == 0 and { replace = "position" } or nil
  while not publisher:trigger(inputs.channel .. "-" .. i % 1000, inputs.event, inputs.data, params) do
    publisher:step(1)
  end
  if i % 16 == 0 then
    publisher:step()
  end
end, function(count)
  assert(publisher:flush(60))
  assert(results == count, "not every event has ended in one result")
end }

local refusing = client { port = probe.free_port() }
cases[5] = { "triggers, connection refused", function()
  refused(refusing:trigger(inputs.channel, inputs.event, inputs.data))
end, nil, 10 } -- a tenth of the count: each makes a socket

local function growth(samples)
  local max, min = 0, math.huge
  for i, bytes in ipairs(samples) do
    if i <= SAMPLES / 2 then
      max = math.max(max, bytes)
    elseif i > SAMPLES * 3 / 4 then
      min = math.min(min, bytes)
    end
  end
  return min - max
end

-- Runs one case; prints its memory over time and returns whether it stayed flat. `settle` ends what is in flight.
local function soak(name, run, settle, fraction)
  local count = math.floor(COUNT / (fraction or 1))
  local started, samples, shown = probe.wall_ns(), {}, {}
  for i = 1, count do
    run(i)
    if i % math.floor(count / SAMPLES) == 0 then
      if settle then
        settle(i)
      end
      collectgarbage()
      samples[#samples + 1] = memory.resident_kb() * 1024
      shown[#shown + 1] = ("%.1f"):format(samples[#samples] / 1048576)
    end
  end
  local flat = growth(samples) <= GROWTH
  print(("%s %d: %s, %s MiB (%.0f s)"):format(name, count, flat and "flat" or "GREW", table.concat(shown, " "),
    (probe.wall_ns() - started) / 1e9))
  return flat
end

io.stdout:setvbuf("line")
print("resident memory, " .. (rawget(_G, "jit") and jit.version or _VERSION)) -- luacheck: ignore jit
local all_flat = true
for _, case in ipairs(cases) do
  all_flat = soak((table.unpack or unpack)(case)) and all_flat -- luacheck: ignore unpack
end
nginx.stop()
os.execute("rm -rf " .. dir)
os.exit(all_flat and 0 or 1)
