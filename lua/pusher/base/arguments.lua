--- Checks of arguments, and how a value is shown in a message. Pure.

local errors = require "pusher.base.errors"

local arguments = {}

local SHOWN_BYTES = 60

--- Shows a value in a message: strings in quotes, cut, and without bytes that could break a log line.
-- @param value
-- @treturn string
function arguments.show(value)
  if type(value) ~= "string" then
    return type(value)
  end
  local text = #value > SHOWN_BYTES and value:sub(1, SHOWN_BYTES) .. "…" or value
  return '"' .. text:gsub("[%c\127]", "?") .. '"'
end

--- Raises in Lua's own words when an argument has the wrong type.
-- @tparam string call the method's name as the caller wrote it
-- @tparam number position of the argument, the object itself not counted
-- @param value the argument
-- @tparam string expected a type name, or several with " or " between
function arguments.check(call, position, value, expected)
  local actual = type(value)
  if actual == expected or expected:find(actual, 1, true) then
    return
  end
  local got = value == nil and "no value" or actual
  error(("bad argument #%d to '%s' (%s expected, got %s)"):format(position, call, expected, got), 3)
end

--- Refuses members of an argument table that nothing would read.
-- @tparam table given
-- @tparam table known set of names
-- @tparam string what e.g. "trigger parameter"
-- @treturn true|nil
function arguments.members(given, known, what)
  for name in pairs(given) do
    if not known[name] then
      return errors.fail("invalid", ("unknown %s %s"):format(what, arguments.show(name)), { field = tostring(name) })
    end
  end
  return true
end

--- The length of a plain list: keys 1..n and nothing else.
-- @tparam table list
-- @treturn number|nil n, or nil when it is not a list
function arguments.list_length(list)
  local count = 0
  for _ in pairs(list) do
    count = count + 1
  end
  return count == #list and count or nil
end

return arguments
