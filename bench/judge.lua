--- Compares the figures with their targets.

local stats = require "bench.stats"

local judge = {}

-- A figure that misses its target by more than this factor is not noise and fails the gate, unless the target has a
-- `gate` of its own.
local GATE_FACTOR = 2

-- Limits may be given for each of our sides.
local function limit_of(limit, side)
  if type(limit) == "table" then
    return limit[side]
  end
  return limit
end

local function value_of(target, ours, other)
  local of = target.of
  if target.us then
    return stats.median(ours[of]) / 1000
  elseif target.at_least then
    return stats.ratio(other[of], ours[of])
  end
  return stats.ratio(ours[of], other[of])
end

--- One target, for one of our sides. Wall time depends on who else uses the machine, so only CPU time fails the gate.
-- @tparam table target an entry of works.lua
-- @tparam string side "lua" or "luajit"
-- @tparam table measured the times of all sides by name: `wall`, `cpu` and `thread` in nanoseconds for each round
-- @treturn ?table `value`, `limit`, `reached`, `gated` (the gate judges it), `failed`; nil when a side was not measured
function judge.one(target, side, measured)
  local ours = measured[side]
  local other = measured[target.over == "parts" and side .. "_parts" or target.over]
  if not ours or target.over and not other then
    return nil
  end
  local value = value_of(target, ours, other)
  local verdict = { value = value, gated = target.of ~= "wall" }
  if target.at_least then
    local min = target.at_least
    verdict.limit, verdict.reached = min, value >= min
    verdict.failed = value < (target.gate or min / GATE_FACTOR)
  else
    local max = limit_of(target.us or target.at_most, side)
    verdict.limit, verdict.reached = max, value <= max
    verdict.failed = value > (target.gate or max * GATE_FACTOR)
  end
  verdict.failed = verdict.failed and verdict.gated
  return verdict
end

--- Whether one of a case's targets fails the gate for one of our sides.
-- @tparam table case an entry of works.lua
-- @tparam table measured the times of all sides, by name
function judge.fails(case, measured)
  for _, target in ipairs(case.targets) do
    for _, side in ipairs { "lua", "luajit" } do
      local verdict = judge.one(target, side, measured)
      if verdict and verdict.failed then
        return true
      end
    end
  end
  return false
end

--- A value (bytes, microseconds) and its limit; likewise. `gated` is false for what others on the machine change.
function judge.at_most(value, at_most, gated)
  local verdict = { reached = value <= at_most, gated = gated ~= false }
  verdict.failed = verdict.gated and value > GATE_FACTOR * at_most
  return verdict
end

return judge
