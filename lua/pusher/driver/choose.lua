--- Moves what a source has to send over whatever kind of transport there is.
--
-- A source has `next()`, `send(item, seconds)`, `due()`, `due_when_added()`, `hurry()`, `abandon(message, details,
-- keep_in_flight)`, `max_in_flight`, and `judged`, how many outcomes are known. The publisher's delivery is one, the FCM
-- sender is another.

local blocking = require "pusher.driver.blocking"
local errors = require "pusher.base.errors"
local nginx = require "pusher.driver.nginx"
local stepped = require "pusher.driver.stepped"

local choose = {}

--- Makes the driver that fits a transport.
-- @tparam table parts `{ source =, transport =, now =, sleep =, timeout = }`
-- @treturn table driver
-- @treturn boolean whether a call of the transport blocks
function choose.new(parts)
  local kind = type(parts.transport.step) == "function" and stepped or nginx.fits() and nginx or blocking
  return kind.new(parts), kind == blocking
end

--- Where messages go that nobody asked for: nginx's error log, else standard error.
-- @tparam string level
-- @tparam string message
function choose.log(level, message)
  if nginx.fits() then
    return nginx.log(level, message)
  end
  io.stderr:write("pusher: ", level, ": ", message, "\n")
end

-- A caller's own transport need not know the library's failure shape.
local function well_formed(result, message, details)
  if result or (type(message) == "string" and type(details) == "table" and type(details.code) == "string") then
    return result, message, details
  end
  return errors.fail("network", "the transport failed: " .. tostring(message), { retryable = false })
end

--- Sends through any transport and calls done(result, message, details) once, now or later.
-- @tparam table transport
-- @tparam table request
-- @tparam function parse
-- @tparam function done
-- @treturn table|nil the pending, if the transport returned one
function choose.send(transport, request, parse, done)
  local function finish(...)
    return done(well_formed(...))
  end
  local ok, result, message, details = pcall(transport.send, transport, request, parse)
  if not ok then
    finish(nil, "it raised: " .. tostring(result))
  elseif type(result) == "table" and type(result.on_done) == "function" then
    result:on_done(finish)
    return result
  else
    finish(result, message, details)
  end
end

return choose
