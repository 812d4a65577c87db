--- Medians over rounds, and ratios of figures of the same round.

local stats = {}

function stats.median(list)
  local sorted = {}
  for i, v in ipairs(list) do sorted[i] = v end
  table.sort(sorted)
  local n = #sorted
  if n == 0 then return nil end
  if n % 2 == 1 then return sorted[(n + 1) / 2] end
  return (sorted[n / 2] + sorted[n / 2 + 1]) / 2
end

--- Median of a[i] / b[i]: noise that lasts longer than a round affects both sides and cancels out.
function stats.ratio(a, b)
  local ratios = {}
  for i = 1, math.min(#a, #b) do ratios[i] = a[i] / b[i] end
  return stats.median(ratios)
end

return stats
