--- Whether the work of a call grows with the length of its input, or faster: the instructions that Lua runs, which are
-- the same each time, and the CPU time, of which patterns and C need theirs.

local growth = {}

growth.FACTOR, growth.MAX_RATIO = 4, 6 -- input so many times as long may take so much more work

-- Work below both says nothing about growth. With 8 KiB anything quadratic is far above.
local MIN_SECONDS, MIN_INSTRUCTIONS = 0.005, 300000
local INSTRUCTIONS = 1000 -- between two calls of the hook
local RUNS, ATTEMPTS = 3, 5 -- other programs disturb a measurement
local CLEAR_SECONDS, CLEAR_RATIO = 0.1, 12 -- what takes as long, and grows so fast, is no disturbance

-- Calls f(input); without the collector, whose work depends on everything else.
local function measure(f, input)
  local hook, mask, count = debug.gethook()
  local ticks = 0
  collectgarbage("stop")
  debug.sethook(function() ticks = ticks + 1 end, "", INSTRUCTIONS)
  local start = os.clock()
  f(input)
  local seconds = os.clock() - start
  debug.sethook(hook, mask, count)
  collectgarbage("restart")
  return seconds, ticks * INSTRUCTIONS
end

local function fastest(f, input)
  local least, instructions = math.huge, nil
  for _ = 1, RUNS do
    local seconds
    collectgarbage()
    seconds, instructions = measure(f, input)
    least = math.min(least, seconds)
  end
  return least, instructions
end

--- What is wrong with the growth of f's work.
-- @tparam function f function(input)
-- @tparam function make function(n), which makes input of about n bytes or members
-- @tparam number n
-- @treturn string|nil nil when nothing is wrong
function growth.fault(f, make, n)
  local large = make(growth.FACTOR * n)
  local large_seconds, large_instructions = measure(f, large)
  if large_seconds < MIN_SECONDS and large_instructions < MIN_INSTRUCTIONS then
    return nil
  end
  local small = make(n)
  local seconds, instructions
  for _ = 1, ATTEMPTS do
    seconds, instructions = fastest(f, small)
    large_seconds = fastest(f, large)
    if large_instructions >= MIN_INSTRUCTIONS and large_instructions > growth.MAX_RATIO * instructions then
      return ("%d instructions for n, %d for 4n"):format(instructions, large_instructions)
    elseif large_seconds < MIN_SECONDS or large_seconds < growth.MAX_RATIO * seconds then
      return nil
    elseif large_seconds > CLEAR_SECONDS and large_seconds > CLEAR_RATIO * seconds then
      break
    end
  end
  return ("%.4f s for n, %.4f s for 4n"):format(seconds, large_seconds)
end

return growth
