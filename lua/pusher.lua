--- The entry point: makes clients from options, a URL or the environment (pusher.client).

local arguments = require "pusher.base.arguments"
local client = require "pusher.client"
local standard_headers = require "pusher.base.headers"
local settings = require "pusher.channels.settings"

local pusher = {
  _VERSION = standard_headers.VERSION,
}

local function open(given, message, details)
  if given then
    given, message, details = settings.check(given)
  end
  if not given then
    return nil, message, details
  end
  return client.new(given)
end

--- Makes a client.
-- @tparam table given see README "Options"
-- @treturn client|nil client; nil, message, details (code `config`) otherwise
function pusher.new(given)
  arguments.check("new", 1, given, "table")
  return open(given)
end

--- Makes a client from `http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID`.
-- @tparam string url
-- @tparam[opt] table extra more options, which take precedence over the URL
-- @treturn client|nil client; nil, message, details (code `config`) otherwise
function pusher.from_url(url, extra)
  arguments.check("from_url", 1, url, "string")
  arguments.check("from_url", 2, extra, "table or nil")
  return open(settings.from_url(url, extra))
end

--- Makes a client from such a URL in an environment variable.
-- @tparam[opt="PUSHER_URL"] string name
-- @tparam[opt] table extra more options, which take precedence over the URL
-- @treturn client|nil client; nil, message, details (code `config`) otherwise
function pusher.from_env(name, extra)
  arguments.check("from_env", 1, name, "string or nil")
  arguments.check("from_env", 2, extra, "table or nil")
  return open(settings.from_env(name, extra))
end

return pusher
