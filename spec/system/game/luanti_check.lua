-- A real Luanti server with the mod of examples/luanti, and players who join over the real protocol.

local cjson = require "cjson"
local local_server = require "tools.local_server"
local luanti = require "spec.system.game.luanti"
local player = require "spec.system.game.luanti_player"
local subscriber = require "tools.local_server.subscriber"
local time_scale = require "spec.helpers.time_scale"

-- Limit for the longest of the mod's globalsteps, in microseconds: far below any wait for the network.
local LONGEST_US = 10000 * time_scale

local HANG_MS = 2000 * time_scale -- the player moves for 1,200 ms and more, and must have arrived before
local WAIT = 10 * time_scale -- seconds

describe("the Luanti mod", function()
  local server, game, bob

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    game = luanti.start {
      mods = { pusher = "examples/luanti", step_timing = "spec/system/game/step_timing" },
      settings = {
        ["secure.trusted_mods"] = "pusher,step_timing",
        pusher_url = server:url(),
        step_timing_of = "pusher",
      },
    }
  end)

  after_each(function()
    if bob then
      bob:leave()
      bob = nil
    end
    game:stop()
  end)

  local function events(channel, name)
    local list = {}
    for _, event in ipairs(server:events {}) do
      if event.channel == "luanti-" .. channel and event.name == name then
        list[#list + 1] = cjson.decode(event.data)
      end
    end
    return list
  end

  local function wait_for(count)
    assert.is_true(bob:wait(function()
      return server:inspect().events >= count
    end, WAIT), cjson.encode(server:events {}))
  end

  local function ask(who, command, reply)
    who.heard = ""
    who:chat(command)
    assert.is_true(who:wait(function()
      return who.heard:find(reply)
    end, WAIT), who.heard)
    return who.heard:match(reply)
  end

  it("publishes joins, chat, positions and leaves", function()
    bob = player.join(game.port, "bob")
    wait_for(2) -- joined, and where
    bob:chat("hello, world")
    wait_for(3)
    bob:move(3, 10, -4)
    wait_for(4)
    bob:leave()
    wait_for(5)
    assert.same({ { name = "bob" } }, events("players", "joined"))
    assert.same({ { name = "bob", text = "hello, world" } }, events("chat", "message"))
    local moved = events("positions", "moved")
    assert.same({ name = "bob", x = 3, y = 10, z = -4 }, moved[#moved])
    assert.same({ { name = "bob", timed_out = false } }, events("players", "left"))
  end)

  it("lists the channels that have subscribers", function()
    local listener = subscriber.start { port = server.port }
    listener:subscribe { channel = "luanti-chat" }
    listener:subscribe { channel = "other" }
    bob = player.join(game.port, "bob")
    assert.equal("luanti-chat", ask(bob, "/channels", "Channels: ([^\n]*)"))
    bob:chat("hello")
    wait_for(3)
    assert.equal("hello", cjson.decode(listener:next_event { event = "message" }.data).text)
    listener:stop()
  end)

  it("keeps ticks short while the Channels server hangs, and sends the newest positions afterwards", function()
    bob = player.join(game.port, "bob")
    wait_for(2)
    server:misbehave { mode = "delay", ms = HANG_MS, path = "/apps/", times = 1 }
    ask(bob, "/timing", "steps=%d+")
    for x = 1, 40 do
      bob:move(x, 10, 0)
      bob:wait(function() end, 0.03)
    end
    local quiet = ask(bob, "/timing", "steps=%d+ longest=%d+")
    io.stdout:write("globalstep of the mod, in microseconds, while the Channels server hangs: ", quiet, "\n")
    assert.is_true(tonumber(quiet:match("steps=(%d+)")) >= 10)
    assert.is_true(tonumber(quiet:match("longest=(%d+)")) <= LONGEST_US, quiet)
    assert.is_true(bob:wait(function()
      local moved = events("positions", "moved")
      return moved[#moved].x == 40
    end, WAIT))
    local moved = events("positions", "moved")
    assert.is_true(#moved < 20, #moved .. " positions were sent")
    for index = 2, #moved do
      assert.is_true(moved[index].x > moved[index - 1].x)
    end
  end)

  it("sends the queued events when the game server shuts down", function()
    bob = player.join(game.port, "bob")
    wait_for(2)
    server:misbehave { mode = "status", status = 503, path = "/apps/", times = 2 }
    bob:chat("last words")
    bob:wait(function() end, 0.1)
    game:shut_down()
    assert.equal("last words", events("chat", "message")[1].text)
    assert.is_nil(game:log():find("ERROR", 1, true), game:log())
  end)
end)
