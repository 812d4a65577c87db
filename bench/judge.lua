--- Compares the figures with their targets.

local stats = require "bench.stats"

local judge = {}

-- A figure that misses its target by more than this factor is not noise and fails the gate, unless the target has a
-- `gate` of its own.
local GATE_FACTOR = 2

--- One target, for one of our sides. Wall time depends on who else uses the machine, so only CPU time fails the gate.
-- @tparam table target an entry of works.lua
-- @tparam table ours `wall` and `cpu`: nanoseconds for each round
-- @tparam ?table other the side compared with, likewise
-- @treturn ?table `value`, `limit` (text), `reached`, `gated` (the gate judges it), `failed`; nil when the other side
--   was not measured
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
  local max, min = target.us or target.at_most, target.at_least
  if min then
    verdict.limit, verdict.reached = ">= " .. min, value >= min
    verdict.failed = value < (target.gate or min / GATE_FACTOR)
  else
    verdict.limit, verdict.reached = "<= " .. max .. (target.us and " us" or ""), value <= max
    verdict.failed = value > (target.gate or max * GATE_FACTOR)
  end
  verdict.gated = of == "cpu"
  verdict.failed = verdict.failed and verdict.gated
  return verdict
end

--- Whether one of a case's targets fails the gate for one of our sides.
-- @tparam table case an entry of works.lua
-- @tparam table measured the times of all sides, by name
function judge.fails(case, measured)
  for _, target in ipairs(case.targets) do
    for _, ours in ipairs { "lua", "luajit" } do
      local verdict = measured[ours] and judge.one(target, measured[ours], measured[target.over])
      if verdict and verdict.failed then
        return true
      end
    end
  end
  return false
end

--- A value (bytes, microseconds) and its limit; likewise.
function judge.at_most(value, at_most)
  return { reached = value <= at_most, gated = true, failed = value > GATE_FACTOR * at_most }
end

return judge
