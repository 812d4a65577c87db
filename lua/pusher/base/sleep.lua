--- Waits between two attempts. In an nginx worker other requests run meanwhile; anywhere else the thread sleeps.

local core = require "pusher.core"

local sleep = {}

--- Waits.
-- @tparam number seconds
-- @treturn boolean false in nginx phases that cannot wait
function sleep.wait(seconds)
  local api = rawget(_G, "ngx")
  local wait = type(api) == "table" and api.sleep
  if wait then
    return (pcall(wait, seconds))
  end
  local deadline = core.now() + seconds
  repeat -- a signal ends core.sleep; if it was Ctrl-C, the interpreter raises here
    core.sleep(math.max(0, deadline - core.now()))
  until core.now() >= deadline
  return true
end

return sleep
