--- The transport of a client with the option `observe`. Its modules are loaded where that is given: they are a fortieth
-- of the library's memory.

local late = require "pusher.base.late"

local observed = {}

local function is_observing_nothing() return false end

local function watch_nothing(transport)
  return transport, is_observing_nothing
end

--- Loads what reports calls, if they are to be reported.
-- @tparam table settings with `observe` and `log`
-- @tparam function load_driver function() -> pusher.driver.choose; nil, message, details otherwise
-- @treturn function|nil watch(transport, ...) -> the transport whose calls are reported, and a function that says
--   whether `observe` is running; `...` are the arguments of label.new
-- @fails config, network
function observed.watcher(settings, load_driver)
  if not settings.observe then
    return watch_nothing
  end
  local driver, label
  local observer, message, details = late.load("pusher.base.observer", "the observer", "observe")
  if observer then
    label, message, details = late.load("pusher.channels.label", "the observer", "observe")
  end
  if label then
    driver, message, details = load_driver()
  end
  return driver and function(transport, ...)
    local wrapped = observer.wrap(transport, settings.observe, settings.log or driver.log_errors, label.new(...))
    return wrapped, function() return observer.is_inside(wrapped) end
  end, message, details
end

return observed
