--- Checks of arguments, and how a value is shown in a message. Pure.

local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local arguments = {}

local MAX_SHOWN_BYTES = 60

--- Shows a value in a message: a string quoted, shortened, and without bytes that could break a log line.
-- @param value
-- @treturn string the quoted string, or the name of the value's type
function arguments.show(value)
  if type(value) ~= "string" then
    return type(value)
  end
  local text = #value > MAX_SHOWN_BYTES and value:sub(1, MAX_SHOWN_BYTES) .. "…" or value
  return '"' .. text:gsub("[%c\127]", "?") .. '"'
end

--- Raises as Lua's own functions do, at the line of the method's caller, when an argument has the wrong type.
-- @tparam string call the method's name
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

--- Refuses unknown members of an argument table.
-- @tparam table given
-- @tparam table known set of names
-- @tparam string what e.g. "trigger parameter"
-- @treturn true|nil failures have the code `invalid`
function arguments.members(given, known, what)
  for name in pairs(given) do
    if not known[name] then
      return errors.fail("invalid", ("unknown %s %s"):format(what, arguments.show(name)),
        { field = callback.text(name) })
    end
  end
  return true
end

--- The length of a plain list: its keys are 1 to n and nothing else.
-- @tparam table list
-- @treturn number|nil n, or nil when it is no plain list
function arguments.list_length(list)
  local count = 0
  for _ in pairs(list) do
    count = count + 1
  end
  for index = 1, count do
    if list[index] == nil then
      return nil
    end
  end
  return count
end

--- Checks a time to wait.
-- @tparam string call the method's name as the caller wrote it
-- @tparam number seconds
-- @treturn number|nil
function arguments.seconds(call, seconds)
  if seconds >= 0 then -- which NaN is not
    return seconds
  end
  return errors.fail("invalid", ("%s: seconds must be 0 or more, got %s"):format(call, seconds))
end

--- Checks that a list has 1 to `max` entries and no other keys.
-- @tparam table list
-- @tparam number max
-- @tparam string field name of the list in the message and in the failure's details
-- @tparam string entries what they are, e.g. "names"
-- @treturn number|nil how many there are
function arguments.count(list, max, field, entries)
  local count = arguments.list_length(list)
  if not count or count == 0 or count > max then
    return errors.fail("invalid", ("%s must be a list of 1 to %d %s, got %s"):format(
      field, max, entries, count or "a table with other keys"), { field = field, limit = max })
  end
  return count
end

return arguments
