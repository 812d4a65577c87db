--- Holds what was measured against the targets.

local stats = require "bench.stats"

local judge = {}

-- What misses its target by more than this factor is no noise any more, unless the target says otherwise.
local ABSURD = 2

--- One target, for one of our sides. Wall time depends on who else uses the machine, so only CPU time is ever absurd.
-- @tparam table target an entry of works.lua
-- @tparam table ours `wall` and `cpu`: nanoseconds for each round
-- @tparam ?table other the side compared with, likewise
-- @treturn ?table `value`, `limit` (text), `reached`, `absurd`; nil when the other side was not measured
function judge.one(target, ours, other)
  local of, value = target.of
  if target.us then
    value = stats.median(ours[of]) / 1000
  elseif not other then
    return nil
  elseif target.at_least then
    value = stats.ratio(other[of], ours[of])
  else
    value = stats.ratio(ours[of], other[of])
  end
  local verdict = { value = value }
  local most, least = target.us or target.at_most, target.at_least
  if least then
    verdict.limit, verdict.reached = ">= " .. least, value >= least
    verdict.absurd = value < (target.gate or least / ABSURD)
  else
    verdict.limit, verdict.reached = "<= " .. most .. (target.us and " us" or ""), value <= most
    verdict.absurd = value > (target.gate or most * ABSURD)
  end
  verdict.absurd = verdict.absurd and of == "cpu"
  return verdict
end

--- Bytes against the most they may be; likewise.
function judge.weight(bytes, at_most)
  return { reached = bytes <= at_most, absurd = bytes > ABSURD * at_most }
end

return judge
