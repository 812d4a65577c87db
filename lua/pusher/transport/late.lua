--- A transport that is made by its first call: libcurl takes as long to load as all else together, and a program that
-- only signs never needs it.

local errors = require "pusher.base.errors"

local late = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.late" }

--- Makes one.
-- @tparam string name of the transport
-- @tparam table options of it, checked
-- @tparam function make function(name, options) -> the transport; nil, message, details otherwise
function late.new(name, options, make)
  return setmetatable({ name = name, options = options, make = make, inner = false, closed = false }, metatable)
end

-- While the modules are loaded, a finalizer may use or close the transport.
local function open(self)
  if self.inner then
    return self.inner
  elseif self.closed then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local made, message, details = self.make(self.name, self.options)
  if not made then
    details.sent = false
    return nil, message, details
  end
  self.inner = self.inner or made
  if self.closed or self.inner ~= made then
    made:close()
  end
  return self.inner
end

--- Sends a request, see pusher.transport.
function methods:send(request, parse)
  local inner, message, details = open(self)
  if not inner then
    return nil, message, details
  end
  return inner:send(request, parse)
end

--- Closes it, also before its first call.
function methods:close()
  self.closed = true
  if self.inner then
    self.inner:close()
  end
end

return late
