--- Integers of more than 15 digits in JSON text: codecs that read numbers as doubles make other integers of them. They
-- are put in quotes before the text is read, and made exact after it.

local core = require "pusher.core"

local long_integers = {}

local find = string.find
local math_type = math.type

local EXACT_DIGITS = 15
local EXACT = 2 ^ 53

-- Where the string that begins at `first` ends; the end of the text for one that does not.
local function end_of_string(text, first)
  local at = first + 1
  while true do
    local place = find(text, '["\\]', at)
    if not place then
      return #text
    elseif text:byte(place) == 34 then -- the quote
      return place
    end
    at = place + 2 -- past the escaped character
  end
end

--- Puts the text's long integers in quotes, after a mark that no string of the text has.
-- @tparam string text JSON
-- @treturn string text
-- @treturn string mark
function long_integers.quote(text)
  local mark = core.base64_encode(core.random(12))
  local parts, copied, at = {}, 1, 1
  while true do
    local first = find(text, '["0-9-]', at)
    if not first then
      break
    elseif text:byte(first) == 34 then -- a quote
      at = end_of_string(text, first) + 1
    else
      local _, last, digits = find(text, "^-?([0-9]*)", first)
      local _, number = find(text, "^[0-9.eE+-]*", first)
      local is_integer = number == last and digits:byte() ~= 48 -- no number begins with a zero
      if is_integer and #digits > EXACT_DIGITS and not find(text, "^[ \t\r\n]*:", last + 1) then
        parts[#parts + 1] = text:sub(copied, first - 1) .. '"' .. mark .. text:sub(first, last) .. '"'
        copied = last + 1
      end
      at = math.max(number, first) + 1
    end
  end
  parts[#parts + 1] = text:sub(copied)
  return table.concat(parts), mark
end

-- The number itself where it is exact, else its digits.
local function exact(digits)
  local number = tonumber(digits)
  if math_type and math_type(number) == "integer" then
    return number
  end
  return number > -EXACT and number < EXACT and number or digits
end

--- Makes the marked strings of a value integers where this Lua has them, else strings of digits. The value is changed.
-- @param value as read from the text
-- @tparam string mark
-- @tparam number depth how many levels of tables are looked at
-- @return value
function long_integers.restore(value, mark, depth)
  local kind = type(value)
  if kind == "string" and value:sub(1, #mark) == mark then
    return exact(value:sub(#mark + 1))
  elseif kind == "table" and depth > 0 then
    for key, member in next, value do
      value[key] = long_integers.restore(member, mark, depth - 1)
    end
  end
  return value
end

return long_integers
