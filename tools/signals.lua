--- For programs that run until Ctrl-C or TERM. Needs cqueues.

local signal = require "cqueues.signal"

local signals = {}

--- Takes INT and TERM instead of ending by them. Call it after the other processes are started: they inherit what is
-- blocked here.
-- @treturn function(seconds) -> boolean; waits at most that long for one of them, and says whether one came
function signals.catch()
  local listener = signal.listen(signal.SIGINT, signal.SIGTERM)
  signal.block(signal.SIGINT, signal.SIGTERM)
  return function(seconds)
    return listener:wait(seconds) ~= nil
  end
end

return signals
