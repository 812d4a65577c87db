--- Objects that have been closed: all methods fail, so that no method has to check.

local closed = {}

local function close_again()
end

--- Makes an object closed for good: `close` does nothing more, every other method calls `refuse`.
-- @tparam table object its metatable's `__index` is the table of its methods
-- @tparam function refuse function(object, method's name) -> what the method returns
function closed.set(object, refuse)
  local open = getmetatable(object)
  local methods = { close = close_again }
  for name in pairs(open.__index) do
    methods[name] = methods[name] or function(self)
      return refuse(self, name)
    end
  end
  setmetatable(object, {
    __index = methods,
    __name = open.__name,
    __tostring = function(self)
      return open.__tostring(self):sub(1, -2) .. ", closed)"
    end,
  })
end

return closed
