--- Calls the caller's own functions: what one raises is caught and logged.
--
-- `callback.run` does that alone; an object of `callback.new` also knows which coroutines are inside a call.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local callback = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.base.callback" }

--- The text of any value. Never raises, though a `__tostring` may.
function callback.text(value)
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or "an error that cannot be shown"
end

--- Writes to standard error. Where messages go when the caller has given no `log`.
function callback.log_to_stderr(level, message)
  if io and io.stderr then
    io.stderr:write("pusher: ", level, ": ", message, "\n")
  end
end

--- Passes a message to a log function. Standard error gets it when that function raises.
-- @tparam function log function(level, message, fields)
-- @tparam string level "error", "warn", "info" or "debug"
-- @tparam string message
-- @tparam[opt] table fields
function callback.log(log, level, message, fields)
  if not pcall(log, level, message, fields or {}) then
    callback.log_to_stderr(level, message)
  end
end

--- Logs what a function raised, and returns its text.
-- @tparam function log
-- @tparam string name of the function
-- @tparam table|nil fields for the log; default `{ code = "callback" }`
-- @param raised
function callback.log_raised(log, name, fields, raised)
  local text = callback.text(raised)
  callback.log(log, "error", name .. " raised: " .. text, fields or { code = "callback" })
  return text
end

--- Calls a function. What it raises is logged as an error.
-- @tparam function log
-- @tparam string name of the function, for the log
-- @tparam table|nil fields as in `log_raised`
-- @tparam function f
-- @param ... its arguments
-- @treturn boolean whether it returned
-- @return its results, three at most, or the text of what it raised
function callback.run(log, name, fields, f, ...)
  local ok, result, message, details = pcall(f, ...)
  if not ok then
    result = callback.log_raised(log, name, fields, result)
  end
  return ok, result, message, details
end

local function current()
  return (coroutine.running()) or "main" -- Lua 5.1 has no object for the main one
end

--- Makes an object that calls functions, logs what they raise, and knows who is inside one.
-- @tparam function log
function callback.new(log)
  return setmetatable({
    log = log,
    inside = {}, -- set of the coroutines that are inside a call: a function may yield
    depth = 0, -- calls of all of them
  }, metatable)
end

--- Calls a function with up to five arguments (not `...`, which LuaJIT does not compile here); results as of
-- `callback.run`.
function methods:call(name, fields, f, a, b, c, d, e)
  local here = current()
  local outer = self.inside[here]
  self.inside[here], self.depth = true, self.depth + 1
  local ok, result, message, details = callback.run(self.log, name, fields, f, a, b, c, d, e)
  self.inside[here], self.depth = outer, self.depth - 1
  return ok, result, message, details
end

--- Whether the current coroutine is inside one of the functions.
function methods:is_inside()
  return self.depth > 0 and self.inside[current()] or false
end

--- Whether another coroutine is inside one of the functions.
function methods:others_inside()
  local here = current()
  for one in pairs(self.inside) do
    if one ~= here then
      return true
    end
  end
  return false
end

return callback
