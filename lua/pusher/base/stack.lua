--- Lua's own stack, which takes memory when calls go deeper than any before.

local stack = {}

-- Functions with many variables, as deep as a step of a list or a queue goes.
local function third()
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p -- luacheck: ignore
end

local function second()
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p -- luacheck: ignore
  third()
end

local function first()
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p -- luacheck: ignore
  second()
end

--- Makes sure that a few calls, one inside the other, take no memory until something else does: what is changed by
-- several of them is then changed as a whole. Raises when memory is short.
function stack.reserve()
  first()
end

return stack
