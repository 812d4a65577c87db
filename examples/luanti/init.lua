-- Publishes joins, leaves, chat and positions of a Luanti (Minetest) server to Pusher Channels.
-- To run it, copy this folder to Luanti's mods/pusher; README.md has the settings.
-- Nothing here waits for the network: events are queued, and globalstep sends them.

local insecure = minetest.request_insecure_environment()
assert(insecure, "pusher: list this mod in secure.trusted_mods")

-- The library's files use `require`, which Luanti hides from mods.
local function with_require(callback)
  local hidden = rawget(_G, "require")
  rawset(_G, "require", insecure.require)
  local ok, result, message = pcall(callback)
  rawset(_G, "require", hidden)
  assert(ok, result)
  return assert(result, message)
end

-- From the library's log levels to Luanti's.
local LEVELS = { error = "error", warn = "warning", info = "info", debug = "verbose" }

local client = with_require(function()
  return insecure.require("pusher").from_url(minetest.settings:get("pusher_url") or "", {
    transport = "async",
    log = function(level, message)
      minetest.log(LEVELS[level], "[pusher] " .. message)
    end,
  })
end)

local prefix = minetest.settings:get("pusher_prefix") or "luanti-"

local publisher = assert(client:publisher {
  overflow = "drop_oldest", -- while the server is down, old positions are lost, not memory
  on_result = function(event, result, message)
    if not result then
      minetest.log("warning", ("[pusher] %s on %s: %s"):format(event.name, event.channel, message))
    end
  end,
})

local function publish(channel, event, data, params)
  local ok, message = publisher:trigger(prefix .. channel, event, data, params)
  if not ok then
    minetest.log("warning", "[pusher] " .. message)
  end
end

minetest.register_on_joinplayer(function(player)
  publish("players", "joined", { name = player:get_player_name() })
end)

local last_seen = {} -- where each player was when it was last published

minetest.register_on_leaveplayer(function(player, timed_out)
  local name = player:get_player_name()
  last_seen[name] = nil
  publish("players", "left", { name = name, timed_out = timed_out or false })
end)

minetest.register_on_chat_message(function(name, message)
  publish("chat", "message", { name = name, text = message })
end)

-- Of a player's queued positions only the newest is sent.
local function publish_positions()
  for _, player in ipairs(minetest.get_connected_players()) do
    local name, position = player:get_player_name(), vector.round(player:get_pos())
    if not last_seen[name] or not vector.equals(last_seen[name], position) then
      last_seen[name] = position
      publish("positions", "moved", { name = name, x = position.x, y = position.y, z = position.z }, { replace = name })
    end
  end
end

minetest.register_globalstep(function()
  publish_positions()
  publisher:step()
end)

-- "/channels": lists the channels that have subscribers. The response arrives in a later step.
minetest.register_chatcommand("channels", {
  description = "Lists the channels that have subscribers",
  func = function(name)
    client:channels({ filter_by_prefix = prefix }):on_done(function(result, message)
      local names = {}
      for channel in pairs(result and result.channels or {}) do
        names[#names + 1] = channel
      end
      table.sort(names)
      minetest.chat_send_player(name, result and "Channels: " .. table.concat(names, ", ") or message)
    end)
    return true
  end,
})

minetest.register_on_shutdown(function()
  publisher:close(3) -- seconds; events that cannot be sent by then are logged
  client:close()
end)

-- For other mods: pusher.publish("channel", "event", data).
pusher = { publish = publish, client = client, publisher = publisher }
