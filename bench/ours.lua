--- Our side of the benchmark, on any Lua, driven over stdin. Protocol: see README.md.
-- arg: inputs.json, port of the server.

local cjson = require "cjson"
local probe = require "bench.probe"
local pusher = require "pusher"

local function read_inputs(path)
  local f = assert(io.open(path))
  local text = f:read("*a")
  f:close()
  return cjson.decode(text)
end

local inputs = read_inputs(arg[1])
local client = assert(pusher.new {
  app_id = inputs.app_id,
  key = inputs.key,
  secret = inputs.secret,
  host = "127.0.0.1",
  port = tonumber(arg[2]),
  secure = false,
  encryption_master_key_base64 = inputs.master_key_base64,
})
local webhook_headers = { ["X-Pusher-Key"] = inputs.key, ["X-Pusher-Signature"] = inputs.webhook_signature }

-- One operation each; what it returns is shown to the runner, which compares the sides.
local works = {}

function works.authorize_private()
  return client:authorize(inputs.private_form)
end

function works.authorize_presence()
  return client:authorize(inputs.presence_form, inputs.member)
end

function works.authorize_encrypted()
  return client:authorize(inputs.encrypted_form)
end

function works.webhook()
  local hook, message = client:webhook(webhook_headers, inputs.webhook_body)
  return hook and hook.events[1].data, message
end

function works.trigger()
  local result, message = client:trigger(inputs.channel, inputs.event, inputs.data)
  return result and "ok", message
end

local function run(work, n)
  local wall, cpu = probe.wall_ns(), probe.cpu_ns()
  for _ = 1, n do
    local result, message = work()
    if not result then error(message, 0) end
  end
  return ("%.0f %.0f"):format(probe.wall_ns() - wall, probe.cpu_ns() - cpu)
end

local function answer(line)
  local first, second = line:match("^(%S+) (%S+)$")
  if first == "show" then return works[second] and assert(works[second]()) or "none" end
  return works[first] and run(works[first], tonumber(second)) or "none"
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local ok, text = pcall(answer, line)
  print(ok and text or "error " .. text)
end
