--- Chooses a transport. What every transport does, the caller's own included:
--
-- `send(request, parse)` sends one request and returns what `parse(status, body, headers)` returns, or nil, message,
-- details; a transport that does not block returns a pending instead. `headers` are the final response's header lines.
-- `parse` may get a fourth argument: whether the connection was a kept one.
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
local errors = require "pusher.base.errors"
local late = require "pusher.base.late"
local late_transport = require "pusher.transport.late"
local options = require "pusher.base.options"

local transport = {}

local NAMES = { curl = true, async = true, ngx = true }

-- Fails where libcurl is missing, and where no descriptor is left.
local function make(name, own)
  local module, message, details =
    late.load("pusher.transport." .. name, ('the transport "%s"'):format(name), "transport")
  if not module then
    return nil, message, details
  end
  return module.new(own)
end

local function is_inside_nginx()
  local api = rawget(_G, "ngx")
  return type(api) == "table" and type(api.socket) == "table"
end

--- Whether the transport is loaded by its first call. Only the default is late: a program that names its transport may
-- call it from a tick, or where nothing can be loaded. With `proxy`, `no_proxy` or `ca_file` it is loaded now, so that
-- `new` reports a wrong value.
-- @local
-- @tparam table given as for `resolve`
-- @treturn boolean
function transport.is_late(given)
  return given.transport == nil and given.proxy == nil and given.no_proxy == nil and given.ca_file == nil
    and not is_inside_nginx()
end

--- Makes the transport that an option `transport` asks for.
-- Loads that transport's module and no other, so that nginx never loads libcurl.
-- @tparam table given `transport` = "curl", "async", "ngx", an object with a `send` method, or nil ("ngx" inside nginx,
--   otherwise "curl", which its first call loads), and options for a transport that is made here; others are ignored
-- @treturn table|nil transport
-- @fails config, network
function transport.resolve(given)
  local wanted = given.transport
  if wanted == nil then
    wanted = is_inside_nginx() and "ngx" or "curl"
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
  if not transport.is_late(given) then
    return make(wanted, own)
  end
  local checked, message, details = options.transport(own)
  if not checked then
    return nil, message, details
  end
  return late_transport.new("curl", checked, make)
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
