--- Access modes of the tinode chat server: a set of permissions, as bits or as letters. Pure.

local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"

local access_mode = {}

-- In the order in which they are printed.
local LETTERS = { "J", "R", "W", "P", "A", "S", "D", "O" }
local BIT = { J = 1, R = 2, W = 4, P = 8, A = 16, S = 32, D = 64, O = 128 }
local ALL = 255

local fail = errors.fail

local function is_bits(value)
  return type(value) == "number" and value % 1 == 0 and value >= 0 and value <= ALL
end

--- The letters of a mode.
-- @tparam number bits 0 to 255
-- @treturn string|nil letters such as "JRWPS", "N" for none
-- @fails invalid
-- @source tinode: types.AccessMode.MarshalText
function access_mode.format(bits)
  if not is_bits(bits) then
    return fail("invalid", "access mode must be bits from 0 to 255", { field = "access_mode" })
  elseif bits == 0 then
    return "N"
  end
  local letters = {}
  for _, letter in ipairs(LETTERS) do
    if bits % (BIT[letter] * 2) >= BIT[letter] then
      letters[#letters + 1] = letter
    end
  end
  return table.concat(letters)
end

--- The bits of letters. Case is ignored; "N" clears everything and ends the text.
-- @tparam string letters "" changes nothing
-- @tparam[opt=0] number bits the mode before
-- @treturn number|nil bits
-- @fails invalid
-- @source tinode: types.AccessMode.UnmarshalText
function access_mode.parse(letters, bits)
  if type(letters) ~= "string" then
    return fail("invalid", "access mode must be letters or bits from 0 to 255, got " .. type(letters),
      { field = "access_mode" })
  elseif bits ~= nil and not is_bits(bits) then
    return access_mode.format(bits) -- fails
  elseif letters == "" then
    return bits or 0
  end
  local sum, seen = 0, {}
  for letter in ascii.upper(letters):gmatch(".") do
    if letter == "N" then
      return 0
    elseif not BIT[letter] then
      return fail("invalid", ("AccessMode: invalid character '%s'"):format(letter:gsub("[^!-~]", "?")),
        { field = "access_mode" })
    elseif not seen[letter] then
      seen[letter], sum = true, sum + BIT[letter]
    end
  end
  return sum
end

--- Reads a mode that may be bits or letters.
-- @tparam number|string value
-- @treturn number|nil bits
-- @fails invalid
-- @source tinode: types.AccessMode.UnmarshalText
function access_mode.check(value)
  if is_bits(value) then
    return math.floor(value)
  end
  return access_mode.parse(value)
end

return access_mode
