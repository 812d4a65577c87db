--- Measures how long a thread is busy or blocked. The time that it is ready and waits for a processor does not count, so
-- that other programs do not matter: the kernel counts it in /proc/thread-self/schedstat, second number, in ns.

local FILE = "/proc/thread-self/schedstat"

--- Makes a meter.
-- @tparam function open `io.open`
-- @tparam function now microseconds, of a clock that never stops
-- @treturn table `start()`, `stop()`: microseconds since start
return function(open, now)
  local waited_before, before

  local function waited()
    local file = assert(open(FILE))
    local ns = file:read("*l"):match("^%d+ (%d+)")
    file:close()
    return tonumber(ns) / 1000
  end

  local meter = {}

  function meter.start()
    waited_before, before = waited(), now()
  end

  function meter.stop()
    local wall = now() - before
    return math.max(0, wall - (waited() - waited_before))
  end

  return meter
end
