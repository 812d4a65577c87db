--- pusher: Channels server library. This is the door; the rooms are in pusher/.

local arguments = require "pusher.base.arguments"
local client = require "pusher.client"
local settings = require "pusher.channels.settings"

local pusher = {
  _VERSION = "0.1.0",
}

local function open(given, message, details)
  if not given then
    return nil, message, details
  end
  local checked
  checked, message, details = settings.check(given)
  if not checked then
    return nil, message, details
  end
  return client.new(checked, pusher._VERSION)
end

--- Makes a client.
-- @tparam table given options, see README "Options"
-- @treturn client|nil
function pusher.new(given)
  arguments.check("new", 1, given, "table")
  return open(given)
end

--- Makes a client from `http[s]://KEY:SECRET@HOST[:PORT]/apps/APP_ID`.
-- @tparam string url
-- @tparam[opt] table extra more options; they win over the URL
-- @treturn client|nil
function pusher.from_url(url, extra)
  arguments.check("from_url", 1, url, "string")
  arguments.check("from_url", 2, extra, "table or nil")
  return open(settings.from_url(url, extra))
end

--- Makes a client from such a URL in the environment.
-- @tparam[opt="PUSHER_URL"] string name of the variable
-- @tparam[opt] table extra more options; they win over the URL
-- @treturn client|nil
function pusher.from_env(name, extra)
  arguments.check("from_env", 1, name, "string or nil")
  arguments.check("from_env", 2, extra, "table or nil")
  return open(settings.from_env(name, extra))
end

return pusher
