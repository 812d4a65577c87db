--- JSON in and out, with the failures a codec leaves to its caller.
--
-- The default codec is lua-cjson. What it would corrupt in silence is refused
-- here: holes in arrays, NaN, integers with more digits than it keeps.

local errors = require "pusher.base.errors"

local json = {}

local MAX_DEPTH = 100
local EXACT_INTEGER = 2 ^ 53

local math_type = math.type
local find = string.find

-- One encoder per codec object, never cjson's global settings: those belong to
-- the application.
local function cjson_codec()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return errors.fail("config", "no JSON codec: install lua-cjson or give the option `json`")
  end
  local codec = cjson.new()
  -- Ratio 1 from the first hole on: {1, nil, 3} is refused, not padded.
  codec.encode_sparse_array(false, 1, 0)
  codec.encode_max_depth(MAX_DEPTH)
  codec.decode_max_depth(MAX_DEPTH)
  codec.encode_invalid_numbers(false)
  -- 16 digits write 2^53 and 0.1 as people do; old lua-cjson stops at 14.
  if not pcall(codec.encode_number_precision, 16) then
    codec.encode_number_precision(14)
  end
  return codec
end

local function is_integral(number)
  return number == math.floor(number) and number - number == 0
end

local function digits(number)
  if math_type and math_type(number) == "integer" then
    return string.format("%d", number)
  end
  return string.format("%.0f", number)
end

-- Finds an integer whose text in the codec differs from its digits. Above 64
-- bits a number is no id any more but a measure, and rounding is usual.
local function corrupted_integer(encode, value, depth)
  if type(value) == "number" then
    local size = value < 0 and -(value + 0.0) or value
    return size >= 1e14 and size <= 2 ^ 64 and is_integral(value) and encode(value) ~= digits(value)
  end
  if type(value) ~= "table" or depth > MAX_DEPTH then
    return false
  end
  for key, member in pairs(value) do
    if corrupted_integer(encode, key, depth + 1) or corrupted_integer(encode, member, depth + 1) then
      return true
    end
  end
  return false
end

-- Says once, when the codec is taken, what it cannot do.
local function probe(codec)
  local ok, text = pcall(codec.encode, EXACT_INTEGER)
  local rounds = not ok or text ~= "9007199254740992"
  local floats = false
  if math_type then
    local decoded, list = pcall(codec.decode, "[1]")
    floats = decoded and type(list) == "table" and math_type(list[1]) == "float"
  end
  return rounds, floats
end

-- Turns 3.0 back into 3 where the Lua has integers and the codec knows only floats.
local function restore_integers(value)
  for key, member in pairs(value) do
    local kind = type(member)
    if kind == "number" then
      value[key] = math.tointeger(member) or member
    elseif kind == "table" then
      restore_integers(member)
    end
  end
  return value
end

local function escape(char)
  return ("\\u%04x"):format(char:byte())
end

-- Strings for a foreign codec's sake, which may fail on bytes that cjson lets pass.
local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', escape) .. '"'
end

local function reason(message)
  return (tostring(message):gsub("^[^:]+:%d+: ", ""))
end

--- Whether a value is absent: nil, or what codecs make of null, which is none of Lua's own values.
-- @param value
-- @treturn boolean
function json.is_null(value)
  return value == nil or type(value) == "userdata"
end

--- Takes a codec and returns the two functions the library uses.
-- @tparam[opt] table codec `{ encode = function, decode = function }` that may
--   raise; default: lua-cjson
-- @treturn table|nil `{ encode = function(value), decode = function(text), quote = function(string),
--   parse = function(text), restore = function(value) }`;
--   `encode` returns text or nil, message, details (code `invalid`);
--   `decode` returns the value or nil, message, details (code `response`): it is `parse`, which may leave
--   integers as floats, and then `restore`, which looks at every member;
--   `quote` writes a string and never fails
function json.new(codec)
  local foreign = codec ~= nil
  if not codec then
    local message, details
    codec, message, details = cjson_codec()
    if not codec then
      return nil, message, details
    end
  elseif type(codec.encode) ~= "function" or type(codec.decode) ~= "function" then
    return errors.fail("config", 'option "json" must be { encode = function, decode = function }', { field = "json" })
  end
  local raw_encode, raw_decode = codec.encode, codec.decode
  local rounds, floats = probe(codec)
  -- cjson writes numbers by printf; plain text is found faster than a pattern.
  local exponent, plain = foreign and "[eE]%+" or "e+", not foreign

  local function encode(value)
    local ok, text = pcall(raw_encode, value)
    if not ok or type(text) ~= "string" then
      return errors.fail("invalid", "cannot be written as JSON: " .. reason(text))
    end
    -- A codec that rounds writes big integers with an exponent, so texts
    -- without one (nearly all) need no second look.
    if rounds and find(text, exponent, 1, plain) and corrupted_integer(raw_encode, value, 0) then
      return errors.fail(
        "invalid",
        "cannot be written as JSON: the JSON codec rounds integers of this size; give them as strings"
      )
    end
    return text
  end

  local function parse(text)
    local ok, value = pcall(raw_decode, text)
    if not ok then
      return errors.fail("response", "not JSON: " .. reason(value))
    end
    return value
  end

  local function restore(value)
    if floats then
      if type(value) == "table" then
        return restore_integers(value)
      elseif type(value) == "number" then
        return math.tointeger(value) or value
      end
    end
    return value
  end

  local function decode(text)
    local value, message, details = parse(text)
    return restore(value), message, details
  end

  return {
    encode = encode, decode = decode, quote = foreign and quote or raw_encode, parse = parse, restore = restore,
  }
end

return json
