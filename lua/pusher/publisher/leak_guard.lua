--- Calls back when an object is collected without having been closed.

local leak_guard = {}

--- Makes a leak guard. Its owner keeps it in a field; both are collected together.
-- @tparam function callback runs when it is collected, also at the end of the program; may use the owner.
--   What it raises is ignored
-- @return the leak guard
function leak_guard.new(callback)
  local function collected()
    pcall(callback)
  end
  local newproxy = rawget(_G, "newproxy")
  if newproxy then -- Lua 5.1 and LuaJIT, where tables have no __gc
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = collected
    return proxy
  end
  return setmetatable({}, { __gc = collected })
end

return leak_guard
