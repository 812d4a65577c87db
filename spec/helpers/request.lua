--- Builds a request to a misbehaving path of the local server (tools/local_server/README.md).

local time_scale = require "spec.helpers.time_scale"

--- @tparam table server `host` and `port`
-- @tparam[opt="none"] string path
-- @tparam[opt] table over replaces fields; `false` removes one
return function(server, path, over)
  local request = { method = "POST", scheme = "http", host = server.host, port = server.port, headers = {}, body = "{}",
    target = "/_misbehave/" .. (path or "none"), timeout = 10 * time_scale }
  for name, value in pairs(over or {}) do
    request[name] = value or nil
  end
  return request
end
