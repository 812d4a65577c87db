--- Case, order and display of bytes, independent of the locale, which string.lower and the operator < follow (tolower,
-- strcoll).

local core = require "pusher.core"

local ascii = {}

local byte = string.byte

--- Patterns for string.find and its like: `%c`, `%s`, `%w` and others follow the locale, too; `%d` and `%x` do not.
ascii.CONTROL = "[%z\1-\31\127]"
ascii.CONTROL_OR_SPACE = "[%z\1-\32\127]"
ascii.SPACE, ascii.NOT_SPACE = "[ \t-\r]", "[^ \t-\r]"

local LOWER, UPPER = {}, {}
for code = byte "A", byte "Z" do
  local upper, lower = string.char(code), string.char(code + 32)
  LOWER[upper], UPPER[lower] = lower, upper
end

--- The text with A-Z in lower case; all other bytes stay.
-- @tparam string text
-- @treturn string
function ascii.lower(text)
  return (text:gsub("[A-Z]", LOWER))
end

--- The text with a-z in upper case; all other bytes stay.
-- @tparam string text
-- @treturn string
function ascii.upper(text)
  return (text:gsub("[a-z]", UPPER))
end

--- The beginning of a text, in valid UTF-8: no character is cut, and what is no UTF-8 has "?" in place of bytes above
-- 127.
-- @tparam string text
-- @tparam number max bytes
-- @treturn string
function ascii.shorten(text, max)
  if #text > max then
    local last = max
    while last > max - 3 and byte(text, last + 1) >= 0x80 and byte(text, last + 1) < 0xC0 do -- within a character
      last = last - 1
    end
    text = text:sub(1, last)
  end
  return core.utf8_valid(text) and text or (text:gsub("[\128-\255]", "?"))
end

--- Whether `a` comes before `b` in the order of their bytes; for table.sort.
-- @tparam string a
-- @tparam string b
-- @treturn boolean
function ascii.less(a, b)
  for index = 1, math.min(#a, #b) do
    local left, right = byte(a, index), byte(b, index)
    if left ~= right then
      return left < right
    end
  end
  return #a < #b
end

return ascii
