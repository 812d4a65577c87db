--- Runs finalizers in the middle of a call, at each allocation of its that may collect garbage. A program with little
-- memory uses this: each allocation runs a whole collection.

local finalizers = {}

-- Sets the collector's pace with what this Lua has: parameters (5.5), or options of their own, and arguments of the mode
-- (5.4). Lua 5.2 has the mode, too, and ignores the arguments.
local function set_pace(pause, multiplier, mode)
  if pcall(collectgarbage, "param", "pause", pause) then
    collectgarbage("incremental")
    collectgarbage("param", "stepmul", multiplier)
    collectgarbage("param", "stepsize", mode.step_bytes)
    return
  end
  pcall(collectgarbage, "incremental", pause, mode.multiplier, mode.step_log2)
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", multiplier)
end

-- Makes garbage whose finalizer calls f.
local function leave(f)
  local newproxy = rawget(_G, "newproxy") -- Lua 5.1 and LuaJIT
  if newproxy then
    getmetatable(newproxy(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end

--- How collections come about, by name: `prepare()` before a call, `finish()` after it. With `again`, each allocation
-- collects; without, only the first one does.
finalizers.MODES = {
  incremental = {
    again = true,
    prepare = function()
      set_pace(0, 1000000, { multiplier = 1000, step_log2 = 30, step_bytes = 2 ^ 30 })
    end,
    finish = function()
      set_pace(200, 200, { multiplier = 100, step_log2 = 13, step_bytes = 2 ^ 13 })
    end,
  },
  generational = {
    prepare = function()
      collectgarbage("generational")
    end,
    finish = function()
      collectgarbage("incremental")
    end,
  },
}

-- Lua 5.1 and LuaJIT have none; that of 5.2 is an experiment that 5.3 has removed.
if not pcall(collectgarbage, "generational") or _VERSION == "Lua 5.2" then
  finalizers.MODES.generational = nil
end
pcall(collectgarbage, "incremental")

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Calls f while finalizers run that call `action`.
-- @tparam table mode one of MODES
-- @tparam function action what it raises goes to the caller
-- @tparam function f
-- @treturn table what pcall(f) returns, with the count `n`
-- @treturn number how often the action was called
function finalizers.call_amid(mode, action, f)
  local armed, inside, calls, raised = true, false, 0, nil
  local function finalizer()
    if armed and mode.again then
      leave(finalizer)
    end
    if inside then
      calls = calls + 1
      local ok, message = pcall(action)
      raised = raised or not ok and message or nil
    end
  end
  local function run()
    inside = true
    return f()
  end
  local function finish(...)
    armed, inside = false, false
    mode.finish()
    return pack(...)
  end
  mode.prepare()
  collectgarbage()
  collectgarbage("stop")
  leave(finalizer)
  collectgarbage("restart") -- the next allocation collects
  local results = finish(pcall(run))
  assert(not raised, raised)
  return results, calls
end

return finalizers
