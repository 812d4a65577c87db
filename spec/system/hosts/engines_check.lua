-- The examples of docs/hosts.md and docs/metrics.md for engines, in LÖVE and in a Luanti server.

local luanti = require "spec.system.game.luanti"
local page = require "spec.system.hosts.page"
local player = require "spec.system.game.luanti_player"
local program = require "spec.system.hosts.program"
local text_file = require "tools.text_file"
local time_scale = require "spec.helpers.time_scale"

-- A program without a screen; LÖVE would look for one.
local LOVE_CONFIGURATION = [[
function love.conf(t)
  for _, name in ipairs { "audio", "graphics", "sound", "window" } do
    t.modules[name] = false
  end
end
]]

-- Of the example's own names. It counts the ticks in which the server has the event and has not responded.
local LOVE_END = [[
local update, ticks = love.update, 0
function love.update()
  update()
  ticks = ticks + publisher:stats().in_flight
  if publisher:stats().sent == 1 then
    print(ticks)
    love.event.quit()
  end
end
]]

describe("in its engine", function()
  local beside = program.beside(setup, teardown, before_each)
  local game, bob

  after_each(function()
    if bob then
      bob:leave()
    end
    if game then
      game:stop()
    end
    bob, game = nil, nil
  end)

  local function names()
    return beside.events("channel", "name")
  end

  it("LÖVE publishes, and goes on while the server takes its time", function()
    text_file.write(beside.folder .. "/conf.lua", LOVE_CONFIGURATION)
    text_file.write(beside.folder .. "/main.lua", page.example("love") .. LOVE_END)
    beside.server:misbehave { mode = "delay", ms = 1000 * time_scale, path = "/apps/", times = 1 }
    local command = "env SDL_VIDEODRIVER=dummy love " .. beside.folder
    local output = program.finish(program.start(beside.server, "jit", command))
    assert.is_true(tonumber(output:match("%d+")) > 10, output)
    assert.same({ "my-channel started" }, names())
  end)

  -- Runs a mod until a player has joined; returns the log of the server.
  local function play(example)
    text_file.write(beside.folder .. "/init.lua", page.example(example))
    text_file.write(beside.folder .. "/mod.conf", "name = example\n")
    game = luanti.start {
      mods = { example = beside.folder },
      settings = { ["secure.trusted_mods"] = "example", pusher_url = beside.server:url() },
    }
    bob = player.join(game.port, "bob")
    local arrived = bob:wait(function() return #names() == 1 end, 30)
    game:shut_down()
    local log = game:log()
    assert.is_true(arrived, log)
    assert.same({ "my-channel joined" }, names())
    assert.is_nil(log:find("ERROR", 1, true), log)
    return log
  end

  it("Luanti publishes the joins of players", function()
    play("luanti")
  end)

  it("Luanti counts the calls", function()
    local log = play("metrics_luanti")
    assert.is_truthy(log:find("[pusher] calls: ok 1", 1, true), log)
  end)
end)
