-- Run with same_port.so preloaded: of two connections with the same ports, the one that has input waiting is ended.
-- Prints "good".

local contract = require "spec.helpers.wire_contract"
local form = require "spec.helpers.wire_cases.form"
local local_server = require "tools.local_server"

local first = local_server.start { program = contract.SERVER }
local second = local_server.start { program = contract.SERVER, host = "127.0.0.2", port = first.port }

local function status_and_body(status, body)
  return status .. " " .. body
end

local function run(name, other, stale)
  local transport = assert(require("pusher.transport." .. name).new(contract.options(first)))
  local function send(server, target)
    local result, message = transport:send(contract.request(server, "http", target), status_and_body)
    return assert(name == "async" and result:wait() or result, message)
  end
  stale:play { bytes = form.sized(), after = "late", late = form.FORGED }
  send(other, "/own")
  assert(send(stale, "/case") == "200 " .. form.BODY)
  assert(stale:settle().late == 1)
  local text = send(stale, "/own")
  assert(text:find('"/own"', 1, true) or text:find('"\\/own"', 1, true), text)
  transport:close()
end

for _, name in ipairs { "curl", "async" } do
  run(name, first, second)
  run(name, second, first)
end
first:stop()
second:stop()
print("good")
