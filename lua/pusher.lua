--- The entry point: makes clients from options, a URL or the environment (pusher.client).
--
-- A function whose page has "Fails with" returns nil, message, details when it fails: a line of text, and a fresh table
-- with `code`, one of those listed there, `retryable`, and more where it applies. An argument of a wrong type raises.
-- The codes of every call to a server are network, timeout, tls, full, closed, config (in a phase of nginx without
-- network, when libcurl cannot be loaded, or when the option clock gives no time), and those of a response: invalid
-- (400, 422), unauthorized (401), clock (401 for the timestamp), forbidden (403), not_found (404), too_large (413),
-- rate_limited (429), server (5xx), response.

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
-- @tparam table given see docs/options.md
-- @treturn client|nil client
-- @fails config, network
-- @source pusher-http-go: Client
function pusher.new(given)
  arguments.check("new", 1, given, "table")
  return open(given)
end

--- Makes a client from `http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID`.
-- @tparam string url
-- @tparam[opt] table extra more options, which take precedence over the URL
-- @treturn client|nil client
-- @fails config, network
-- @source pusher-http-go: ClientFromURL
function pusher.from_url(url, extra)
  arguments.check("from_url", 1, url, "string")
  arguments.check("from_url", 2, extra, "table or nil")
  return open(settings.from_url(url, extra))
end

--- Makes a client from such a URL in an environment variable.
-- @tparam[opt="PUSHER_URL"] string name
-- @tparam[opt] table extra more options, which take precedence over the URL
-- @treturn client|nil client
-- @fails config, network
-- @source pusher-http-go: ClientFromEnv
function pusher.from_env(name, extra)
  arguments.check("from_env", 1, name, "string or nil")
  arguments.check("from_env", 2, extra, "table or nil")
  return open(settings.from_env(name, extra))
end

return pusher
