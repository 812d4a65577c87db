--- Our side of the benchmark, on any Lua, driven over stdin. Protocol: see README.md.
-- arg: inputs.json, port of the server.

local ours = require "bench.ours_client"
local probe = require "bench.probe"

local inputs = ours.inputs(arg[1])

-- What the parts have in common.
local bench = { inputs = inputs }

function bench.client(other)
  return ours.client(inputs, tonumber(arg[2]), other)
end

-- Works are single operations, run n times by the loop below; what one returns is shown to the runner, which
-- compares the sides. Loops do n operations themselves; when one returns numbers, they are its wall and CPU
-- nanoseconds.
local works, loops = {}, {}

local client = bench.client()
local webhook_headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = inputs.webhook_signature }

function works.authorize_private()
  return client:authorize_channel(inputs.private_form)
end

function works.authorize_presence()
  return client:authorize_channel(inputs.presence_form, inputs.member)
end

function works.authorize_encrypted()
  return client:authorize_channel(inputs.encrypted_form)
end

function works.webhook()
  local hook, message = client:webhook(webhook_headers, inputs.webhook_body)
  return hook and hook.events[1].data, message
end

function works.trigger()
  local result, message = client:trigger(inputs.channel, inputs.event, inputs.data)
  return result and "ok", message
end

require("bench.ours_multi")(bench, loops)
require("bench.ours_publisher")(bench, loops)

local function repeated(work)
  return function(n)
    for _ = 1, n do
      local result, message = work()
      if not result then
        error(message, 0)
      end
    end
  end
end

local function run(loop, n)
  collectgarbage()
  local wall, cpu = probe.wall_ns(), probe.cpu_ns()
  local own_wall, own_cpu = loop(n)
  return ("%.0f %.0f"):format(own_wall or probe.wall_ns() - wall, own_cpu or probe.cpu_ns() - cpu)
end

local function answer(line)
  local first, second = line:match("^(%S+) (%S+)$")
  if first == "show" then
    return works[second] and assert(works[second]()) or "none"
  end
  local loop = loops[first] or (works[first] and repeated(works[first]))
  return loop and run(loop, tonumber(second)) or "none"
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local ok, text = pcall(answer, line)
  print(ok and text or "error " .. tostring(text))
end
