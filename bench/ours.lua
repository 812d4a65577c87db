--- Our side of the benchmark, on any Lua, driven over stdin. Protocol: see README.md.
-- arg: inputs.json, port of the server.

local ours = require "bench.ours_client"
local probe = require "bench.probe"

local inputs = ours.inputs(arg[1])

-- Shared by the parts.
local bench = { inputs = inputs }

function bench.client(other)
  return ours.client(inputs, tonumber(arg[2]), other)
end

-- Cases are single operations, run n times by the loop below; the runner compares their results with the other sides'.
-- Loops do n operations themselves; when one returns numbers, they are its wall and CPU nanoseconds.
local cases, loops = {}, {}

local client = bench.client()
local webhook_headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = inputs.webhook_signature }

function cases.authorize_private()
  return client:authorize_channel(inputs.private_form)
end

function cases.authorize_presence()
  return client:authorize_channel(inputs.presence_form, inputs.member)
end

function cases.authorize_encrypted()
  return client:authorize_channel(inputs.encrypted_form)
end

function cases.webhook()
  local hook, message = client:webhook(webhook_headers, inputs.webhook_body)
  return hook and hook.events[1].data, message
end

function cases.trigger()
  local result, message = client:trigger(inputs.channel, inputs.event, inputs.data)
  return result and "ok", message
end

require("bench.ours_async")(bench, loops)
require("bench.ours_publisher")(bench, loops)

local function repeated(case)
  return function(n)
    for _ = 1, n do
      local result, message = case()
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

local function reply(line)
  local first, second = line:match("^(%S+) (%S+)$")
  if first == "show" then
    return cases[second] and assert(cases[second]()) or "none"
  end
  local loop = loops[first] or (cases[first] and repeated(cases[first]))
  return loop and run(loop, tonumber(second)) or "none"
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local ok, text = pcall(reply, line)
  print(ok and text or "error " .. tostring(text))
end
