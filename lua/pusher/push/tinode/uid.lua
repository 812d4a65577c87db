--- User ids: unsigned 64-bit numbers that never become a Lua number. Pure.
--
-- A double keeps 53 bits, so an id travels as text: base64url without padding of
-- its 8 little-endian bytes, always 11 characters, and the empty string for zero.
-- Decimal digits (as databases print them) are converted digit by digit.

local core = require "pusher.core"
local errors = require "pusher.base.errors"

local uid = {}

uid.BYTES = 8
uid.TEXT_BYTES = 11

local fail = errors.fail

local ZERO = ("\0"):rep(uid.BYTES)
local MAX_DECIMAL = "18446744073709551615"
local BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
local BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

local function refuse(value, expected)
  local got = type(value)
  if got == "number" then
    got = "number, which cannot hold 64 bits; give its digits as a string to uid.from_decimal"
  elseif got == "string" then
    got = ("string of %d bytes that is none"):format(#value)
  end
  return fail("invalid", ("user id: %s expected, got %s"):format(expected, got), { field = "uid" })
end

--- The text of an id.
-- @tparam string bytes 8 bytes, little-endian
-- @treturn string 11 characters, or "" for zero
function uid.encode(bytes)
  if type(bytes) ~= "string" or #bytes ~= uid.BYTES then
    return refuse(bytes, "8 bytes")
  elseif bytes == ZERO then
    return ""
  end
  return core.base64url_encode(bytes)
end

-- 11 characters carry 66 bits. The two spare ones are ignored, as the chat
-- server does, which a strict decoder must not see.
local function clear_spare_bits(text)
  local last = BASE64URL:find(text:sub(-1), 1, true)
  if not last then
    return nil
  end
  local index = last - 1
  index = index - index % 4
  return text:sub(1, -2) .. BASE64URL:sub(index + 1, index + 1)
end

--- The bytes of an id's text. Zero is no user, so its text (of 11 times "A") is refused.
-- @tparam string text 11 characters, without "usr"
-- @treturn string|nil 8 bytes, little-endian; nil, message, details otherwise
function uid.decode(text)
  local canonical = type(text) == "string" and #text == uid.TEXT_BYTES and clear_spare_bits(text)
  local bytes = canonical and core.base64url_decode(canonical)
  if not bytes or bytes == ZERO then
    return refuse(text, "11 characters of base64url")
  end
  return bytes
end

--- An id's text as this library writes it: the spare bits cleared.
-- @tparam string text
-- @treturn string|nil 11 characters; nil, message, details otherwise
function uid.canonical(text)
  local bytes, message, details = uid.decode(text)
  if not bytes then
    return nil, message, details
  end
  return core.base64url_encode(bytes)
end

-- bytes * 10 + digit, in place; bytes are numbers, least significant first.
local function append_digit(bytes, digit)
  local carry = digit
  for index = 1, uid.BYTES do
    local sum = bytes[index] * 10 + carry
    bytes[index] = sum % 256
    carry = (sum - bytes[index]) / 256
  end
end

--- The text of an id given as decimal digits.
-- @tparam string digits "0" to "18446744073709551615"; a number is refused
-- @treturn string|nil 11 characters, or "" for zero; nil, message, details otherwise
function uid.from_decimal(digits)
  local significant = type(digits) == "string" and digits:match("^0*(%d+)$")
  if not significant or #significant > #MAX_DECIMAL
    or (#significant == #MAX_DECIMAL and significant > MAX_DECIMAL) then
    return refuse(digits, "the decimal digits of an unsigned 64-bit number")
  end
  local bytes = { 0, 0, 0, 0, 0, 0, 0, 0 }
  for digit in significant:gmatch("%d") do
    append_digit(bytes, tonumber(digit))
  end
  for index = 1, uid.BYTES do
    bytes[index] = string.char(bytes[index])
  end
  return uid.encode(table.concat(bytes))
end

-- Divides by ten, in place; bytes are numbers, least significant first.
local function take_digit(bytes)
  local rest = 0
  for index = uid.BYTES, 1, -1 do
    local value = rest * 256 + bytes[index]
    rest = value % 10
    bytes[index] = (value - rest) / 10
  end
  return rest
end

--- The decimal digits of an id.
-- @tparam string text 11 characters, or "" for zero
-- @treturn string|nil digits; nil, message, details otherwise
function uid.to_decimal(text)
  if text == "" then
    return "0"
  end
  local raw, message, details = uid.decode(text)
  if not raw then
    return nil, message, details
  end
  local bytes, digits = { raw:byte(1, uid.BYTES) }, {}
  for index = #MAX_DECIMAL, 1, -1 do
    digits[index] = ("%d"):format(take_digit(bytes))
  end
  return (table.concat(digits):gsub("^0+", ""))
end

--- The text of an id in base32, as some file names have it.
-- @tparam string text 11 characters
-- @treturn string|nil 13 characters in lower case; nil, message, details otherwise
function uid.base32(text)
  local raw, message, details = uid.decode(text)
  if not raw then
    return nil, message, details
  end
  local out, value, bits = {}, 0, 0
  for index = 1, uid.BYTES do
    value, bits = value * 256 + raw:byte(index), bits + 8
    while bits >= 5 do
      bits = bits - 5
      local digit = math.floor(value / 2 ^ bits)
      value = value - digit * 2 ^ bits
      out[#out + 1] = BASE32:sub(digit + 1, digit + 1)
    end
  end
  local digit = value * 2 ^ (5 - bits)
  out[#out + 1] = BASE32:sub(digit + 1, digit + 1)
  return table.concat(out)
end

--- The name a user has in topics: "usr" and the id.
-- @tparam string text 11 characters, or "" for zero
-- @treturn string|nil "" for zero; nil, message, details otherwise
function uid.user_id(text)
  if text == "" then
    return ""
  end
  local canonical, message, details = uid.canonical(text)
  if not canonical then
    return nil, message, details
  end
  return "usr" .. canonical
end

--- The id of a user's name.
-- @tparam string name "usr" and 11 characters
-- @treturn string|nil 11 characters; nil, message, details otherwise
function uid.parse_user_id(name)
  if type(name) ~= "string" or name:sub(1, 3) ~= "usr" then
    return refuse(name, '"usr" and 11 characters of base64url')
  end
  return uid.canonical(name:sub(4))
end

--- The topic of a conversation of two.
-- @tparam string a 11 characters
-- @tparam string b 11 characters
-- @treturn string|nil "p2p" and 22 characters; nil, message, details for one and
--   the same user or for what is no id
function uid.p2p_name(a, b)
  local left, message, details = uid.decode(a)
  if not left then
    return nil, message, details
  end
  local right
  right, message, details = uid.decode(b)
  if not right then
    return nil, message, details
  elseif left == right then
    return fail("invalid", "a conversation of two needs two users", { field = "uid" })
  elseif right:reverse() < left:reverse() then
    left, right = right, left
  end
  return "p2p" .. core.base64url_encode(left .. right)
end

return uid
