--- Tells when something is thrown away that should not have been.

local leak_guard = {}

--- Calls back when the garbage collector takes `owner`, also at the end of the program.
-- @tparam table owner gets a field `leak_guard`
-- @tparam function callback under pcall; may refer to `owner`
function leak_guard.set(owner, callback)
  local function collected()
    pcall(callback)
  end
  local newproxy = rawget(_G, "newproxy")
  if newproxy then -- Lua 5.1 and LuaJIT, where tables have no __gc
    owner.leak_guard = newproxy(true)
    getmetatable(owner.leak_guard).__gc = collected
  else
    owner.leak_guard = setmetatable({}, { __gc = collected })
  end
end

return leak_guard
