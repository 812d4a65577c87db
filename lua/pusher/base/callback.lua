--- Calls the caller's own functions: what one raises is caught and logged.
--
-- `callback.run` does that alone; an object of `callback.new` also knows which coroutines are inside a call. Its field
-- to read: `depth`, how many calls run.

local stack = require "pusher.base.stack"

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

local WEAK = { __mode = "k" }

--- What Lua raises when it has no memory, in every version.
callback.OUT_OF_MEMORY = "not enough memory"

--- Whether a text ends with that: some functions put a file's name before it.
-- @tparam string text
-- @treturn boolean
function callback.is_out_of_memory(text)
  return text:sub(-#callback.OUT_OF_MEMORY) == callback.OUT_OF_MEMORY
end

--- Raises again what a function raised, if it is Lua's lack of memory: that says nothing about the function's
-- arguments.
-- @param raised
function callback.raise_out_of_memory(raised)
  if raised == callback.OUT_OF_MEMORY then
    error(raised, 0)
  end
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

local function write_raised(log, name, fields, text)
  callback.log(log, "error", name .. " raised: " .. text, fields or { code = "callback" })
end

--- Logs what a function raised, and returns its text. Never raises.
-- @tparam function log
-- @tparam string name of the function
-- @tparam table|nil fields for the log; default `{ code = "callback" }`
-- @param raised
function callback.log_raised(log, name, fields, raised)
  local text = callback.text(raised)
  if not pcall(write_raised, log, name, fields, text) then -- not even memory for a message
    pcall(callback.log_to_stderr, "error", text)
  end
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
    -- Set of the coroutines that are inside a call: a function may yield. Weak, for it may never go on.
    inside = setmetatable({}, WEAK),
    depth = 0, -- calls of all of them
    unknown = 0, -- of these, calls of coroutines that could not be added to the set for lack of memory
  }, metatable)
end

local function mark(inside, here)
  inside[here] = true
end

--- Calls a function with up to six arguments (not `...`, which LuaJIT does not compile here); results as of
-- `callback.run`. May raise when memory is short, before it calls the function.
function methods:call(name, fields, f, a, b, c, d, e, g)
  local here = current()
  local outer = self.inside[here]
  local unknown = (outer or pcall(mark, self.inside, here)) and 0 or 1
  stack.reserve()
  self.depth, self.unknown = self.depth + 1, self.unknown + unknown
  local ok, result, message, details = callback.run(self.log, name, fields, f, a, b, c, d, e, g)
  self.inside[here], self.depth, self.unknown = outer, self.depth - 1, self.unknown - unknown
  return ok, result, message, details
end

--- Whether the current coroutine is inside one of the functions.
function methods:is_inside()
  return self.depth > 0 and (self.unknown > 0 or self.inside[current()]) or false
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
