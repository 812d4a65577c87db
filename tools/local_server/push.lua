--- Starts the local push server, and makes configurations that send to it.

local account = require "tools.local_server.account"
local server = require "tools.local_server"

local push_server = {}

--- Starts the server.
-- @tparam[opt] table options see tools/local_server/push/main.lua
-- @treturn table as tools.local_server's `start` returns
function push_server.start(options)
  local given = { program = "tools/local_server/push/main.lua" }
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  local known = account.new()
  given.account = {
    client_email = known.client_email, private_key_id = known.private_key_id, project_id = known.project_id,
    token_uri = known.token_uri, public_key = account.public_key,
  }
  return server.start(given)
end

--- A configuration of the FCM handler that sends to the server, with short waits.
-- @tparam table started as `start` returns
-- @tparam[opt] table changes members to add or replace
-- @treturn table
function push_server.config(started, changes)
  local base = ("http://%s:%d"):format(started.host, started.port)
  local config = {
    enabled = true,
    credentials = account.new(),
    fcm_url = base,
    token_url = base .. "/token",
    retry = { base = 0.01, max = 0.05, quota = 0.02 },
  }
  for name, value in pairs(changes or {}) do
    config[name] = value
  end
  return config
end

return push_server
