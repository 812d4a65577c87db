--- Calls of the caller's own functions: what one raises is caught and reported, and it is known who is inside one.

local callback = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.callback" }

--- The text of any value; never raises, though a `__tostring` may.
-- @param value
-- @treturn string
function callback.text(value)
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or "an error that cannot be shown"
end

--- Where messages go when the caller has given no `log`.
-- @tparam string level
-- @tparam string message
function callback.log_to_stderr(level, message)
  if io and io.stderr then
    io.stderr:write("pusher: ", level, ": ", message, "\n")
  end
end

--- Hands a message to a log function; one that raises changes nothing.
-- @tparam function log function(level, message, fields)
-- @tparam string level
-- @tparam string message
-- @tparam[opt] table fields
function callback.log(log, level, message, fields)
  pcall(log, level, message, fields or {})
end

local function current()
  return (coroutine.running()) or "main" -- Lua 5.1 has no object for the main one
end

--- Makes a caller of functions.
-- @tparam function log function(level, message, fields)
-- @treturn table
function callback.new(log)
  return setmetatable({
    log = log,
    inside = {}, -- how many calls each coroutine is inside of: the functions may yield
    depth = 0,
  }, metatable)
end

--- Calls a function. What it raises is logged as an error.
-- @tparam string name of the function, for the log
-- @tparam[opt] table fields for the log
-- @tparam function f
-- @return true and what it returns, or false and the text of what it raised
function methods:call(name, fields, f, ...)
  local here = current()
  self.inside[here], self.depth = (self.inside[here] or 0) + 1, self.depth + 1
  local ok, result, message = pcall(f, ...)
  local rest = self.inside[here] - 1
  self.inside[here], self.depth = rest > 0 and rest or nil, self.depth - 1
  if not ok then
    result = callback.text(result)
    callback.log(self.log, "error", ("%s raised: %s"):format(name, result), fields)
  end
  return ok, result, message
end

--- Whether the caller has been called from one of the functions.
-- @treturn boolean
function methods:is_inside()
  return self.depth > 0 and self.inside[current()] ~= nil
end

--- Whether another coroutine than the caller's is inside one of the functions.
-- @treturn boolean
function methods:others_inside()
  return self.depth > (self.inside[current()] or 0)
end

return callback
