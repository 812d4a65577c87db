--- Checks of arguments, and how a value is shown in a message. Pure.

local ascii = require "pusher.base.ascii"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local arguments = {}

local MAX_SHOWN_BYTES = 60

local rawlen = rawget(_G, "rawlen") or function(list) -- Lua 5.1, where no metatable has a say
  return #list
end

local function index(object, name)
  return object[name]
end

--- Shows a value in a message: a string quoted, shortened, and without bytes that could break a log line.
-- @param value
-- @treturn string the quoted string, or the name of the value's type
function arguments.show(value)
  if type(value) ~= "string" then
    return type(value)
  end
  local text = ascii.shorten(value, MAX_SHOWN_BYTES) .. (#value > MAX_SHOWN_BYTES and "…" or "")
  return '"' .. text:gsub(ascii.CONTROL, "?") .. '"'
end

-- Raises at the line of the caller of the public function: the first one outside the file that checks its arguments.
-- `level` is the first that may be it. Lua 5.1 counts tail calls as levels.
local function raise(message, level)
  local getinfo = debug and debug.getinfo
  local own = getinfo and getinfo(level - 1, "S")
  local outer, info = level, own
  while info and (info.what == "tail" or info.source == own.source) do
    info, outer = getinfo(outer, "S"), outer + 1
  end
  error(message, info and outer - 1 or level)
end

--- Raises at the line of the caller of the public function that calls this.
-- @tparam string message
function arguments.raise(message)
  raise(message, 4)
end

--- The same, as Lua's own functions do for an argument.
-- @tparam string call the function's name
-- @tparam number position of the argument, the object itself not counted
-- @tparam string expected
-- @tparam string got
function arguments.refuse(call, position, expected, got)
  raise(("bad argument #%d to '%s' (%s expected, got %s)"):format(position, call, expected, got), 4)
end

--- Raises when an argument has the wrong type.
-- @tparam string call the function's name
-- @tparam number position of the argument, the object itself not counted
-- @param value the argument
-- @tparam string expected a type name, or several with " or " between
function arguments.check(call, position, value, expected)
  local actual = type(value)
  if actual == expected or expected:find(actual, 1, true) then
    return
  end
  local got = value == nil and "no value" or actual
  raise(("bad argument #%d to '%s' (%s expected, got %s)"):format(position, call, expected, got), 4)
end

--- A function of an object that the caller made. Its metatable counts, for it may have a class.
-- @tparam table object
-- @tparam string name
-- @treturn function|nil nil, too, when the look-up raises, as objects do that refuse unknown names. Raises only when
--   memory is short
function arguments.method(object, name)
  local ok, found = pcall(index, object, name)
  if not ok then
    callback.raise_out_of_memory(found)
  end
  return ok and type(found) == "function" and found or nil
end

--- The text of a name, for a failure's details: of text its beginning, of anything but text and numbers the type.
-- @param name a key of a table
-- @treturn string
function arguments.name(name)
  local kind = type(name)
  return kind == "number" and tostring(name) or kind == "string" and ascii.shorten(name, MAX_SHOWN_BYTES) or kind
end

--- The failure of a table with a member that is not known.
-- @tparam string what e.g. "trigger parameter"
-- @param name the member's
-- @return nil, message, details with the code `invalid`
function arguments.unknown(what, name)
  return errors.fail("invalid", ("unknown %s %s"):format(what, arguments.show(name)), { field = arguments.name(name) })
end

--- Copies an argument table, and refuses unknown members. Its metatable does not count.
-- @tparam table given
-- @tparam table known set of names
-- @tparam string what e.g. "trigger parameter"
-- @treturn table|nil a fresh table; failures have the code `invalid`
function arguments.read(given, known, what)
  local copy = {}
  for name, value in next, given do
    if not known[name] then
      return arguments.unknown(what, name)
    end
    copy[name] = value
  end
  return copy
end

--- The length of a table as a list; its metatable does not count.
-- @tparam table list
-- @treturn number
function arguments.length(list)
  return rawlen(list)
end

--- Whether a value is a table that JSON writes as an object: it has no list in it.
-- @param value
-- @treturn boolean
function arguments.is_map(value)
  return type(value) == "table" and rawget(value, 1) == nil
end

--- Copies a plain list: its keys are 1 to n and nothing else. Its metatable does not count.
-- @tparam table list
-- @treturn table|nil a fresh list, or nil when it is no plain list
-- @treturn number how many members the table has
function arguments.list(list)
  local copy, count = {}, 0
  for key, value in next, list do
    copy[key], count = value, count + 1
  end
  for position = 1, count do
    if copy[position] == nil then
      return nil, count
    end
  end
  return copy, count
end

--- Checks a time to wait: 0 or more, in seconds; infinity is no limit.
-- @tparam string call the method's name as the caller wrote it
-- @tparam number|nil seconds
-- @tparam[opt] number default
-- @treturn number|nil
function arguments.seconds(call, seconds, default)
  if seconds == nil then
    return default
  elseif seconds >= 0 then -- which NaN is not
    return seconds
  end
  return errors.fail("invalid", ("%s: seconds must be 0 or more, got %s"):format(call, seconds), { field = "seconds" })
end

--- Copies a list, which must have 1 to `max` entries and no other keys.
-- @tparam table list
-- @tparam number max
-- @tparam string field name of the list in the message and in the failure's details
-- @tparam string entries what they are, e.g. "names"
-- @treturn table|nil a fresh list
function arguments.entries(list, max, field, entries)
  local copy, count = arguments.list(list)
  if not copy or count == 0 or count > max then
    return errors.fail("invalid", ("%s must be a list of 1 to %d %s, got %s"):format(
      field, max, entries, copy and count or "a table with other keys"), { field = field, limit = max })
  end
  return copy
end

return arguments
