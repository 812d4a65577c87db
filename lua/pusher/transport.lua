--- Chooses a transport. What every transport does, the caller's own included:
--
-- `send(request, parse)` sends one request and returns what `parse(status, body, headers)` returns, or nil, message,
-- details; a transport that does not block returns a pending instead. `headers` are the final response's header lines.
-- A fourth argument may say whether the connection was a kept one.
--
-- The request is `{ method =, scheme =, host = without brackets, port =, target = path and query, headers = list of
-- { name, value }, body = string or nil, timeout = seconds for the whole call or nil, once = boolean, attempt = number,
-- 1 when nil }`. It is signed: it is sent unchanged, with Host and Content-Length added. It may be sent again when a
-- kept connection breaks before any byte of a response; not when it has a body and `once` is set, unless the server
-- surely refused it unread. Redirects are not followed.
--
-- Failures have the codes `network`, `timeout`, `tls`, `too_large`, `invalid`, `full`, `closed` or `config`.
-- `details.sent` is false when certainly nothing of the request reached the server.
--
-- Optional:
--   `repeats`: true in the object itself when the transport makes the attempts of a call by itself, as one has to whose
--     `send` returns a pending. `send` then gets a third argument for a call that may be repeated: `attempts` with the
--     methods `delay(details)`, called with the details of each failure, which returns the seconds to wait, or nil when
--     the failure is the outcome; and `request()`, which returns the next request, or nil, message, details.
--   `fail(message, details)`: makes the result of a call that is refused before it is sent, such as a pending.
--   `step([seconds])`: moves all calls, waits up to `seconds` for one to end; returns the number of calls in flight.
--   `pollfd()`, `events()`, `timeout()`: a descriptor, "r", and the seconds, or nil, after which `step` is due.
--   `close()`: closes connections and fails calls in flight with `closed`; may be called again.
-- @module pusher.transport

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"

local transport = {}

local NAMES = { curl = true, async = true, ngx = true }
local MAX_MESSAGE = 300 -- bytes of the loader's, which lists all paths that it tried

-- Loading fails where libcurl is missing, and where no descriptor is left.
local function load(name)
  local ok, module = pcall(require, "pusher.transport." .. name)
  if ok then
    return module
  end
  callback.raise_out_of_memory(module)
  return errors.fail("config", ('the transport "%s" cannot be loaded: %s'):format(name,
    tostring(module):sub(1, MAX_MESSAGE):gsub(ascii.SPACE .. "+", " ")), { field = "transport" })
end

--- Makes the transport that an option `transport` asks for.
-- Loads that transport's module and no other, so that nginx never loads libcurl.
-- @tparam table given `transport` = "curl", "async", "ngx", an object with a `send` method, or nil ("ngx" inside nginx,
--   otherwise "curl"), and the options for a transport that is made here; others are ignored
-- @treturn table|nil transport
-- @fails config
function transport.resolve(given)
  local wanted = given.transport
  if wanted == nil then
    local api = rawget(_G, "ngx")
    wanted = type(api) == "table" and type(api.socket) == "table" and "ngx" or "curl"
  end
  if type(wanted) == "table" and arguments.method(wanted, "send") then
    return wanted
  elseif not NAMES[wanted] then
    return errors.fail("config", ('option "transport" must be "curl", "async", "ngx" or an object with a send method, '
      .. "got %s"):format(arguments.show(wanted)), { field = "transport" })
  end
  local own = {}
  for name in pairs(options.TRANSPORT) do
    own[name] = given[name]
  end
  local module, message, details = load(wanted)
  if not module then
    return nil, message, details
  end
  return module.new(own)
end

--- Makes the result of a call that is refused before it is sent.
-- @tparam table chosen transport
-- @tparam string message
-- @tparam table details
-- @return nil; over async a pending that is done, and no more
-- @treturn string message
-- @treturn table details
function transport.refuse(chosen, message, details)
  local fail = arguments.method(chosen, "fail")
  if fail then
    return fail(chosen, message, details)
  end
  return nil, message, details
end

return transport
