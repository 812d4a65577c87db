--- Holds what was measured against the targets.

local stats = require "bench.stats"

local judge = {}

-- What misses its target by more than this factor is no noise any more.
local ABSURD = 2

--- One target, for one of our sides.
-- @tparam table target an entry of works.lua
-- @tparam table ours `wall` and `cpu`: nanoseconds for each round
-- @tparam ?table other the side compared with, likewise
-- @treturn ?table `value`, `limit` (text), `reached`, `absurd`; nil when the other side was not measured
function judge.one(target, ours, other)
  local of = target.of
  if target.us then
    local us = stats.median(ours[of]) / 1000
    return { value = us, limit = "<= " .. target.us .. " us", reached = us <= target.us,
      absurd = not target.noisy and us > ABSURD * target.us }
  end
  if not other then return nil end
  if target.at_least then
    local faster = stats.ratio(other[of], ours[of])
    return { value = faster, limit = ">= " .. target.at_least, reached = faster >= target.at_least,
      absurd = faster * ABSURD < target.at_least }
  end
  local slower = stats.ratio(ours[of], other[of])
  return { value = slower, limit = "<= " .. target.at_most, reached = slower <= target.at_most,
    absurd = slower > ABSURD * target.at_most }
end

--- Bytes against the most they may be; likewise.
function judge.weight(bytes, at_most)
  return { reached = bytes <= at_most, absurd = bytes > ABSURD * at_most }
end

return judge
