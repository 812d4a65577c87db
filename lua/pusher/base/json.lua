--- JSON in and out.
--
-- The default codec is lua-cjson. What it would silently corrupt is refused here: holes in arrays, NaN, integers with
-- more digits than it keeps.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local json = {}

local MAX_DEPTH = 100
local EXACT_INTEGER = 2 ^ 53

local math_type = math.type
local find = string.find
local raise_out_of_memory = callback.raise_out_of_memory

-- An instance of our own: cjson's global settings belong to the application.
local function cjson_codec()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    raise_out_of_memory(cjson)
    return errors.fail("config", "no JSON codec: install lua-cjson or set the option `json`")
  end
  local codec = cjson.new()
  -- Ratio 1 from the first hole: {1, nil, 3} is refused, not padded.
  codec.encode_sparse_array(false, 1, 0)
  codec.encode_max_depth(MAX_DEPTH)
  codec.decode_max_depth(MAX_DEPTH)
  codec.encode_invalid_numbers(false)
  -- 16 digits write both 2^53 and 0.1 exactly; old versions of lua-cjson allow 14 at most.
  if not pcall(codec.encode_number_precision, 16) then
    codec.encode_number_precision(14)
  end
  return codec
end

local function digits(number)
  return (math_type and math_type(number) == "integer" and "%d" or "%.0f"):format(number)
end

-- Whether the codec writes an integer in the value with other digits. A number above 64 bits is no id but a measure,
-- which may be rounded.
local function corrupted_integer(encode, value, depth)
  if type(value) == "number" then
    local size = value < 0 and -(value + 0.0) or value
    return size >= 1e14 and size <= 2 ^ 64 and size % 1 == 0 and encode(value) ~= digits(value)
  end
  if type(value) ~= "table" or depth > MAX_DEPTH then
    return false
  end
  for key, member in next, value do
    if corrupted_integer(encode, key, depth + 1) or corrupted_integer(encode, member, depth + 1) then
      return true
    end
  end
  return false
end

-- Whether the codec rounds big integers, and whether it reads integers as floats.
local function probe(encode, decode)
  local ok, text = pcall(encode, EXACT_INTEGER)
  raise_out_of_memory(text)
  local rounds = not ok or text ~= "9007199254740992"
  local floats = false
  if math_type then
    local decoded, list = pcall(decode, "[1]")
    raise_out_of_memory(list)
    floats = decoded and type(list) == "table" and math_type(rawget(list, 1)) == "float"
  end
  return rounds, floats
end

-- Turns 3.0 into 3, where Lua has integers and the codec only floats; not below the depth that lua-cjson reads.
local function restore_integers(value, depth)
  for key, member in next, value do
    local kind = type(member)
    if kind == "number" then
      value[key] = math.tointeger(member) or member
    elseif kind == "table" and depth < MAX_DEPTH then
      restore_integers(member, depth + 1)
    end
  end
  return value
end

local function escape(char)
  return ("\\u%04x"):format(char:byte())
end

-- Writes a string in place of a custom codec, which may fail on bytes that cjson accepts.
local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', escape) .. '"'
end

local function without_position(message)
  return (callback.text(message):gsub("^[^:]+:%d+: ", ""))
end

--- Whether a value is absent: nil, or a codec's JSON null, which is a userdata.
-- @param value
-- @treturn boolean
function json.is_null(value)
  return value == nil or type(value) == "userdata"
end

local function wrap(codec, custom)
  local raw_encode, raw_decode = arguments.method(codec, "encode"), arguments.method(codec, "decode")
  if not raw_encode or not raw_decode then
    return errors.fail("config", 'option "json" must be { encode = function, decode = function }', { field = "json" })
  end
  local rounds, floats = probe(raw_encode, raw_decode)
  -- cjson writes numbers with printf; a plain search is faster than a pattern.
  local exponent, plain = custom and "[eE]%+" or "e+", not custom
  local wrapped = { quote = custom and quote or raw_encode }

  function wrapped.encode(value)
    local ok, text = pcall(raw_encode, value)
    if not ok or type(text) ~= "string" then
      raise_out_of_memory(text)
      return errors.fail("invalid", "the value cannot be written as JSON: " .. without_position(text))
    end
    -- A codec that rounds writes big integers with an exponent; a text without one (nearly all) needs no second look.
    if rounds and find(text, exponent, 1, plain) and corrupted_integer(raw_encode, value, 0) then
      return errors.fail("invalid",
        "the value cannot be written as JSON: the codec rounds integers of this size; give them as strings")
    end
    return text
  end

  function wrapped.parse(text)
    local ok, value = pcall(raw_decode, text)
    if not ok then
      raise_out_of_memory(value)
      return errors.fail("response", "the text is not JSON: " .. without_position(value))
    end
    return value
  end

  function wrapped.restore(value)
    local kind = floats and type(value)
    if kind == "table" then
      return restore_integers(value, 1)
    end
    return kind == "number" and math.tointeger(value) or value
  end

  function wrapped.decode(text)
    local value, message, details = wrapped.parse(text)
    return wrapped.restore(value), message, details
  end

  return wrapped
end

--- Wraps a codec.
-- @tparam[opt] table codec `{ encode = function, decode = function }`, which may raise; default: lua-cjson
-- @treturn table|nil functions that never raise: `encode(value)` -> text, or a failure with code `invalid`;
--   `decode(text)` -> value, or a failure with code `response`; `parse(text)`, `restore(value)`: the halves of `decode`
--   (`parse` may leave integers as floats, `restore` visits every member and turns them back); `quote(string)` -> text
function json.new(codec)
  if codec then
    return wrap(codec, true)
  end
  local cjson, message, details = cjson_codec()
  return cjson and wrap(cjson, false), message, details
end

--- The declaration of an option that is such a codec, see pusher.base.options.
json.OPTION = { "table", make = json.new }

return json
