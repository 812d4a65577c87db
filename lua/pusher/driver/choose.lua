--- Moves the items of a source over any transport: chooses the driver, sends, and has the default log.
--
-- A source (the publisher's delivery, the FCM sender) has these methods; times are of the clock `now`, in seconds:
--   next()              the next item to send now; nil when there is none
--   send(item [, max])  sends the item, in `max` seconds at most. Its outcome is known when this returns, or later
--   due()               when `next` will return an item, if nothing else happens; nil for never
--   due_when_added()    when an item that is added now will be due
--   hurry()             makes items due that wait for others to be sent with
--   unsettled()         how many items are not settled, those that wait included
--   abandon(message, details, keep_in_flight)  ends all items as failed with code `details.code`; with
--                       `keep_in_flight`, those whose call is in flight are left alone
-- and these fields: `max_in_flight`, how many items may be in flight; `judged`, how many outcomes of calls are known
-- (only grows).
--
-- A driver has these methods:
--   advance(seconds [, bounded])  does what can be done now, then waits up to `seconds` for something to happen; with
--                       `bounded`, a call that blocks ends within that time, too. Returns how many items are not
--                       settled, or nil, message, details
--   prepare()           only where it is needed: before an item is added, makes sure that it will be sent. Returns
--                       true, or nil, message, details

local arguments = require "pusher.base.arguments"
local blocking = require "pusher.driver.blocking"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local stepped = require "pusher.driver.stepped"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local choose = {}

-- The driver for nginx, which takes memory that others do not need; nil elsewhere.
local function nginx_driver()
  local api = rawget(_G, "ngx")
  return type(api) == "table" and type(api.timer) == "table" and require "pusher.driver.nginx" or nil
end

nginx_driver() -- loaded with this file

--- Makes the driver that fits a transport.
-- @tparam table parts `source`; `transport`; `now` = function() -> seconds of a monotonic clock; `sleep` =
--   function(seconds); `timeout`: how long an exiting nginx worker tries to send what is left, in seconds
-- @treturn table driver
-- @treturn boolean whether a call of the transport blocks
function choose.new(parts)
  local kind = arguments.method(parts.transport, "step") and stepped or nginx_driver() or blocking
  return kind.new(parts), kind == blocking
end

--- Where messages go when the caller has given no `log`: nginx's error log, else standard error.
function choose.log(level, message)
  local nginx = nginx_driver()
  local log = nginx and nginx.log or callback.log_to_stderr
  log(level, message)
end

--- The same, for what no caller learns otherwise: only errors are logged, such as a callback that raises.
function choose.log_errors(level, message)
  if level == "error" then
    choose.log(level, message)
  end
end

-- A custom transport need not know the library's failure shape.
local function well_formed(result, message, details)
  if result or (type(message) == "string" and type(details) == "table" and getmetatable(details) == nil
    and type(details.code) == "string")
  then
    return result, message, details
  end
  return errors.fail("network", "transport error: " .. callback.text(message), { retryable = false })
end

--- Sends through any transport and calls done(owner, item, result, message, details) once, now or later. It may raise
-- when memory is short.
-- @tparam table transport
-- @tparam table request
-- @tparam function parse function(status, body, headers) -> result or nil, message, details
-- @treturn table|nil the pending, when the transport returned one that is not done
function choose.send(transport, request, parse, done, owner, item)
  local function finish(...) -- made first: once the request is sent, its outcome must not be lost
    return done(owner, item, well_formed(...))
  end
  local ok, result, message, details = pcall(transport.send, transport, request, parse)
  if not ok then
    result, message = nil, result
  elseif type(result) == "table" and arguments.method(result, "on_done") then
    result:on_done(finish)
    return not result.done and result or nil
  end
  finish(result, message, details)
end

--- Cancels a pending, where the transport's pendings can be cancelled.
-- @tparam table|nil pending as `send` returned it
function choose.cancel(pending)
  if pending and type(pending.cancel) == "function" then
    pending:cancel()
  end
end

return choose
