-- The examples of docs/hosts.md for skynet, in a stand-in for it.

local page = require "spec.system.hosts.page"
local program = require "spec.system.hosts.program"
local text_file = require "tools.text_file"
local time_scale = require "spec.helpers.time_scale"

-- `%s`: the folder of the examples. The events are sent after the calls; the check ends the program.
local SERVICE = [[
local stand_in = require "spec.system.hosts.skynet"
dofile "%s/service.lua"
stand_in.run(function(skynet)
  skynet.sleep(1)
  for number = 1, 12 do
    assert(true == stand_in.call("lua", "my-channel", "event " .. number, "data"))
  end
  local ok, message = stand_in.call("lua", "my channel", "event", "data")
  assert(ok == nil and message:find("channel name", 1, true), message)
  while true do
    skynet.sleep(1)
  end
end)
]]

-- The service must go on while the Channels server takes its time.
local HTTPC = [[
local stand_in = require "spec.system.hosts.skynet"
local publish = dofile "%s/publish.lua"
local ticks = 0
stand_in.run(function(skynet)
  skynet.fork(function()
    while true do
      ticks = ticks + 1
      skynet.sleep(1)
    end
  end)
  assert(publish("my-channel", "delayed", "data"))
  assert(ticks > 2, "the call blocked the service")
  local result, _, details = publish("my-channel", "refused", "data")
  assert(result == nil and details.code == "server")
  require("http.httpc").timeout = 10
  result = publish("my-channel", "late", "data")
  assert(result == nil)
end)
]]

describe("in skynet", function()
  local beside = program.beside(setup, teardown, before_each)

  local function start(text)
    text_file.write(beside.folder .. "/main.lua", text:format(beside.folder))
    return program.start(beside.server, "5.4", "lua5.4 " .. beside.folder .. "/main.lua")
  end

  local function names()
    return beside.events("name")
  end

  it("a service publishes for the others", function()
    text_file.write(beside.folder .. "/service.lua", page.example("skynet_service"))
    program.watch(start(SERVICE), function()
      program.wait_for(function() return #names() == 12 end)
    end)
    local expected = {}
    for number = 1, 12 do
      expected[number] = "event " .. number
    end
    assert.same(expected, names())
  end)

  it("httpc sends what build_request returns, and the service goes on meanwhile", function()
    text_file.write(beside.folder .. "/publish.lua", page.example("skynet_httpc"))
    beside.server:misbehave { mode = "delay", ms = 1000 * time_scale, path = "/apps/", times = 1 }
    beside.server:misbehave { mode = "status", status = 503, path = "/apps/", times = 1 }
    beside.server:misbehave { mode = "hang", path = "/apps/", times = 1 }
    program.finish(start(HTTPC))
    assert.equal("delayed", names()[1])
  end)
end)
