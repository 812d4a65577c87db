--- User ids of the tinode chat server: unsigned 64-bit numbers that never become a Lua number. Pure.
--
-- A double keeps 53 bits, so an id is text: base64url without padding of its 8 little-endian bytes, always 11
-- characters, and the empty string for zero. Decimal digits (as databases print them) are converted digit by digit.

local ascii = require "pusher.base.ascii"
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
    got = ("string of %d bytes"):format(#value)
  end
  return fail("invalid", ("user id must be %s, got %s"):format(expected, got), { field = "uid" })
end

--- The text of an id given as bytes.
-- @tparam string bytes 8 bytes, little-endian
-- @treturn string|nil 11 characters, or "" for zero
-- @fails invalid
-- @source tinode: types.Uid.MarshalText
function uid.encode(bytes)
  if type(bytes) ~= "string" or #bytes ~= uid.BYTES then
    return refuse(bytes, "8 bytes")
  elseif bytes == ZERO then
    return ""
  end
  return core.base64url_encode(bytes)
end

-- 11 characters have 66 bits. The last two bits are ignored, as the chat server ignores them; a strict decoder refuses
-- them unless they are 0.
local function clear_unused_bits(text)
  local last = BASE64URL:find(text:sub(-1), 1, true)
  if not last then
    return nil
  end
  last = last - (last - 1) % 4
  return text:sub(1, -2) .. BASE64URL:sub(last, last)
end

--- The bytes of an id's text. Zero is no user, so its text (of 11 times "A") is refused.
-- @tparam string text 11 characters, without "usr"
-- @treturn string|nil 8 bytes, little-endian
-- @fails invalid
-- @source tinode: types.Uid.UnmarshalText
function uid.decode(text)
  local canonical = type(text) == "string" and #text == uid.TEXT_BYTES and clear_unused_bits(text)
  local bytes = canonical and core.base64url_decode(canonical)
  if not bytes or bytes == ZERO then
    return refuse(text, "11 characters of base64url")
  end
  return bytes
end

--- An id's text as this library writes it: the unused bits are 0.
-- @tparam string text
-- @treturn string|nil 11 characters
-- @fails invalid
-- @source tinode: types.Uid.MarshalText
function uid.canonical(text)
  local bytes, message, details = uid.decode(text)
  if not bytes then
    return nil, message, details
  end
  return core.base64url_encode(bytes)
end

local function decimal_digit(value)
  return ("%d"):format(value)
end

local function base32_digit(value)
  return BASE32:sub(value + 1, value + 1)
end

-- A number in another base: the digits that `write` makes, the most significant first. `digits`, in the same order, is
-- overwritten; one may exceed its base.
local function convert(digits, from, to, length, write)
  local converted = {}
  for position = length, 1, -1 do
    local rest = 0
    for index = 1, #digits do
      local value = rest * from + digits[index]
      rest = value % to
      digits[index] = (value - rest) / to
    end
    converted[position] = write(rest)
  end
  return table.concat(converted)
end

--- The text of an id given as decimal digits.
-- @tparam string digits "0" to "18446744073709551615"; a number is refused
-- @treturn string|nil 11 characters, or "" for zero
-- @fails invalid
-- @source tinode: types.Uid, as databases keep it
function uid.from_decimal(digits)
  local significant = type(digits) == "string" and digits:find("^%d+$") and digits:gsub("^0+", "")
  if not significant or #significant > #MAX_DECIMAL
    or (#significant == #MAX_DECIMAL and ascii.less(MAX_DECIMAL, significant)) then
    return refuse(digits, "the decimal digits of an unsigned 64-bit number")
  end
  local list = {}
  for digit in significant:gmatch(".") do
    list[#list + 1] = tonumber(digit)
  end
  return uid.encode(convert(list, 10, 256, uid.BYTES, string.char):reverse())
end

--- The decimal digits of an id.
-- @tparam string text 11 characters, or "" for zero
-- @treturn string|nil digits
-- @fails invalid
-- @source tinode: types.Uid, as databases keep it
function uid.to_decimal(text)
  if text == "" then
    return "0"
  end
  local raw, message, details = uid.decode(text)
  if not raw then
    return nil, message, details
  end
  return (convert({ raw:reverse():byte(1, -1) }, 256, 10, #MAX_DECIMAL, decimal_digit):gsub("^0+", ""))
end

--- The text of an id in base32, as some file names have it.
-- @tparam string text 11 characters
-- @treturn string|nil 13 characters in lower case
-- @fails invalid
-- @source tinode: types.Uid.String32
function uid.base32(text)
  local raw, message, details = uid.decode(text)
  if not raw then
    return nil, message, details
  end
  local bytes = { raw:byte(1, -1) }
  for index = 1, uid.BYTES do
    bytes[index] = bytes[index] * 2 -- 13 digits have 65 bits; the last one is 0
  end
  return convert(bytes, 256, 32, 13, base32_digit)
end

--- The name of a user in topics: "usr" and the id.
-- @tparam string text 11 characters, or "" for zero
-- @treturn string|nil "" for zero
-- @fails invalid
-- @source tinode: types.Uid.UserId
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
-- @treturn string|nil 11 characters
-- @fails invalid
-- @source tinode: types.ParseUserId
function uid.parse_user_id(name)
  if type(name) ~= "string" or name:sub(1, 3) ~= "usr" then
    return refuse(name, '"usr" and 11 characters of base64url')
  end
  return uid.canonical(name:sub(4))
end

--- The topic of a conversation of two.
-- @tparam string a 11 characters
-- @tparam string b 11 characters
-- @treturn string|nil "p2p" and 22 characters
-- @fails invalid
-- @source tinode: types.Uid.P2PName
function uid.p2p_name(a, b)
  local right
  local left, message, details = uid.decode(a)
  if left then
    right, message, details = uid.decode(b)
  end
  if not right then
    return nil, message, details
  elseif left == right then
    return fail("invalid", "a conversation of two must have two different users", { field = "uid" })
  elseif ascii.less(right:reverse(), left:reverse()) then
    left, right = right, left
  end
  return "p2p" .. core.base64url_encode(left .. right)
end

return uid
