--- Whether the time of a call grows with the length of its input, or faster.

local growth = {}

local ATTEMPTS = 3 -- the collector and other programs disturb a measurement

local function cpu_seconds(call, n)
  collectgarbage()
  local start = os.clock()
  call(n)
  return os.clock() - start
end

--- Raises when input that is four times as long takes more than six times as long.
-- @tparam function call function(n), which makes input of about n bytes and reads it
-- @tparam number n
function growth.assert_linear(call, n)
  local small, large
  for _ = 1, ATTEMPTS do
    small, large = cpu_seconds(call, n), cpu_seconds(call, 4 * n)
    -- Times below a floor say nothing about growth.
    if large < 0.05 or large / math.max(small, 0.001) < 6 then
      return
    end
  end
  error(("not linear: %.4f s for n, %.4f s for 4n"):format(small, large), 2)
end

return growth
