--- Transports inside an nginx whose location /send runs spec.system.nginx.sending.

local cjson = require "cjson"

local remote = {}

--- Makes the `open` of the contracts: open(options) -> function(request) -> result, message, details; close
-- @tparam function get_web returns the nginx
-- @treturn function open
-- @treturn function command(given) -> what the location returns; the last one that was opened, unless `id` names another
function remote.new(get_web)
  local opened = 0

  local function command(given)
    given.id = given.id or opened
    return cjson.decode(get_web():request { path = "/send", body = cjson.encode(given) }.body)
  end

  -- nginx.conf names the trusted authority, so options cannot.
  local function open(options)
    opened = opened + 1
    local id = opened
    options.ca_file = nil
    return function(request)
      local outcome = command { id = id, options = options, request = request }
      return outcome.result, outcome.message, outcome.details
    end, function()
      command { id = id, options = options, close = true }
    end
  end

  return open, command
end

return remote
