--- Bytes of resident memory of a client and an event. Each is measured in a process of its own, which run.lua starts:
-- bench/memory.lua NAME inputs.json PORT -> one number.

local memory = require "tools.memory"
local ours = require "bench.ours_client"

local inputs = ours.inputs(arg[2])

local function new_client(other)
  return ours.client(inputs, tonumber(arg[3]), other)
end

local function nothing()
end

-- Sends nothing, so that a client is measured without libcurl.
local function no_transport()
  return { send = nothing, close = nothing }
end

local function resident()
  return memory.resident_kb() * 1024
end

-- Resident bytes for each of `count` things that `make` makes. A tenth is made before, which pays for what all share.
-- Garbage is collected in between, or it would stay resident.
local function measure(count, make)
  local kept, before = {}, nil
  for i = 1, count * 1.1 do
    kept[i] = make(i) or true
    if i % (count / 100) == 0 then
      collectgarbage()
    end
    if i == count / 10 then
      before = resident()
    end
  end
  return (resident() - before) / #kept * 1.1
end

local cases = {}

function cases.client()
  return measure(2000, function()
    return new_client { transport = no_transport() }
  end)
end

-- With libcurl's own memory and a kept connection.
function cases.client_in_use()
  return measure(200, function()
    local client = new_client()
    assert(client:trigger(inputs.channel, inputs.event, inputs.data))
    return client
  end)
end

function cases.waiting_event()
  local client = new_client { transport = no_transport(), log = nothing }
  local publisher = assert(client:publisher { max_queue = 200000 })
  local bytes = measure(100000, function(i)
    assert(publisher:trigger(inputs.channel .. "-" .. i % 50, inputs.event, inputs.data))
  end)
  publisher:close(0)
  return bytes
end

print(("%.0f"):format(assert(cases[arg[1]], "unknown case")()))
