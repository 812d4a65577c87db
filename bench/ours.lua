--- Our side of the benchmark, on any Lua, driven over stdin. Protocol: see README.md.
-- arg: inputs.json, port of the server.

local ours = require "bench.ours_client"
local probe = require "bench.probe"

local inputs = ours.inputs(arg[1])

-- Shared by the parts.
local bench = { inputs = inputs, growth = require("bench.works").growth }

function bench.client(other)
  return ours.client(inputs, tonumber(arg[2]), other)
end

-- Cases are single operations, run n times by the loop below; the runner compares their results with the other sides'.
-- Loops do n operations themselves; when one returns numbers, they are its wall, CPU and thread's CPU nanoseconds.
local cases, loops = {}, {}

local client = bench.client()

function cases.authorize_private()
  return client:authorize_channel(inputs.private_form)
end

function cases.authorize_presence()
  return client:authorize_channel(inputs.presence_form, inputs.member)
end

function cases.authorize_encrypted()
  return client:authorize_channel(inputs.encrypted_form)
end

local function webhook(name, count)
  local headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = inputs[name .. "_signature"] }
  local body = inputs[name .. "_body"]
  return function()
    local hook, message = client:webhook(headers, body)
    return hook and hook.events[count].data, message
  end
end

cases.webhook = webhook("webhook", 1)
cases.webhook_10 = webhook("webhook_10", 10)

function cases.trigger()
  local result, message = client:trigger(inputs.channel, inputs.event, inputs.data)
  return result and "ok", message
end

function cases.batch()
  local events = {}
  for i = 1, 10 do
    events[i] = { channel = inputs.channel, name = inputs.event, data = inputs.event_data }
  end
  local result, message = client:trigger_batch(events)
  return result and "ok", message
end

-- NAME_N are the growth cases, made when they are first asked for.
local function grown(_, name)
  local kind, n = name:match("^(%l+)_(%d+)$")
  n = tonumber(n)
  local channels, data = inputs.channel, inputs.data
  if kind == "size" then
    data = ("x"):rep(n)
  elseif kind == "channels" then
    channels = {}
    for i = 1, n do
      channels[i] = inputs.channel .. "-" .. i
    end
  else
    return nil
  end
  return function()
    local result, message = client:trigger(channels, inputs.event, data)
    return result and "ok", message
  end
end

setmetatable(cases, { __index = grown })

require("bench.ours_build")(bench, cases)
require("bench.ours_parts")(bench, cases)
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
  local wall, cpu, thread = probe.wall_ns(), probe.cpu_ns(), probe.thread_cpu_ns()
  local own_wall, own_cpu, own_thread = loop(n)
  return ("%.0f %.0f %.0f"):format(own_wall or probe.wall_ns() - wall, own_cpu or probe.cpu_ns() - cpu,
    own_thread or probe.thread_cpu_ns() - thread)
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
