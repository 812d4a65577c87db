--- JSON in and out, with any codec; lua-cjson unless the application has set one.
--
-- What codecs would silently corrupt is refused or repaired here: bytes that are not UTF-8, integers with more digits
-- than a codec keeps, and the decimal point, which some write and read as the locale has it.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local cjson = require "pusher.base.cjson"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local long_integers = require "pusher.base.long_integers"

local json = {}

local MAX_DEPTH = cjson.MAX_DEPTH
local EXACT_INTEGER = 2 ^ 53

local type = type
local math_type, tointeger = math.type, math.tointeger
local find, sub = string.find, string.sub
local call_with_dot = cjson.call_with_dot
local is_plain_json, is_final_json = core.is_plain_json, core.is_final_json
local raise_out_of_memory = callback.raise_out_of_memory

--- A finite number by string.format, with a dot in place of the locale's decimal point.
-- @tparam string format
-- @tparam number number
-- @treturn string
function json.format_number(format, number)
  return (format:format(number):gsub("[^0-9eE+-]+", "."))
end

--- A finite number as text: all digits of a whole one, else up to 14.
-- @tparam number number
-- @treturn string
function json.number_text(number)
  if number % 1 == 0 then
    return (math_type and math_type(number) == "integer" and "%d" or "%.0f"):format(number + 0) -- 0 for -0
  end
  return json.format_number("%.14g", number)
end

-- Whether the codec writes an integer in the value with other digits. A number above 64 bits is no id but a measure,
-- which may be rounded. `budget` = { how many values to look at }: the text has no more, unless a table shows the codec
-- something else than what it holds.
local function corrupted_integer(encode, value, depth, budget)
  if type(value) == "number" then
    local size = value < 0 and -(value + 0.0) or value
    return size >= 1e14 and size <= 2 ^ 64 and size % 1 == 0 and encode(value) ~= json.number_text(value)
  end
  budget[1] = budget[1] - 1
  if type(value) ~= "table" or depth > MAX_DEPTH or budget[1] < 0 then
    return false
  end
  for key, member in next, value do
    if corrupted_integer(encode, key, depth + 1, budget) or corrupted_integer(encode, member, depth + 1, budget) then
      return true
    end
  end
  return false
end

-- Whether the codec rounds big integers, and whether it reads integers as floats.
local function probe(raw_encode, raw_decode)
  local ok, text = pcall(raw_encode, EXACT_INTEGER)
  raise_out_of_memory(text)
  local rounds = not ok or text ~= "9007199254740992"
  local floats = false
  if math_type then
    local decoded, list = pcall(raw_decode, "[1]")
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
      value[key] = tointeger(member) or member
    elseif kind == "table" and depth < MAX_DEPTH then
      restore_integers(member, depth + 1)
    end
  end
  return value
end

local function without_position(message)
  return http.one_line((callback.text(message):gsub("^[^:]+:%d+: ", "")))
end

local function not_encodable(cause)
  local text = without_position(cause)
  return errors.fail("invalid", "the value cannot be written as JSON: " .. text
    .. (text:find("sparse", 1, true) and "; keys must be strings, or 1 to n without holes" or ""))
end

-- For a text that is not plain (core.is_plain_json): writes the value again where the decimal point is no dot.
local function encode_carefully(encode, value, text)
  local ok = true
  if core.decimal_point() ~= "." then
    ok, text = call_with_dot(encode, value)
  end
  if not ok or type(text) ~= "string" then
    raise_out_of_memory(text)
    return not_encodable(text)
  elseif not core.utf8_valid(text) then
    return not_encodable("its strings must be UTF-8")
  end
  return text
end

-- Reads a text that may have long integers. `call` is pcall or like it, and so are the results.
local function decode_carefully(call, raw_decode, text)
  local quoted, mark = long_integers.quote(text)
  local ok, value = call(raw_decode, quoted)
  return ok, ok and long_integers.restore(value, mark, MAX_DEPTH) or value
end

--- Whether a value is absent: nil, or a codec's JSON null, which is a userdata.
-- @param value
-- @treturn boolean
function json.is_null(value)
  return value == nil or type(value) == "userdata"
end

--- Whether a decoded value is a list, which may be empty; some codecs keep its length at index 0.
-- @treturn boolean
function json.is_list(value)
  return type(value) == "table" and (value[1] ~= nil or value[0] == 0 or next(value) == nil)
end

-- For a text that is not final (core.is_final_json): what the codec wrote, corrected.
local function fix_text(encode, finish, value, text)
  local message, details
  if not is_plain_json(text) then
    text, message, details = encode_carefully(encode, value, text)
  end
  return text and finish and finish(text) or text, message, details
end

-- encode(value) of a wrapped codec. `rounds`: whether the codec rounds big integers.
local function encoder(raw_encode, finish, rounds)
  return function(value)
    local ok, text = pcall(raw_encode, value)
    if not ok or type(text) ~= "string" then
      raise_out_of_memory(text)
      return not_encodable(text)
    elseif is_final_json(text) then
      return text
    elseif rounds and find(text, "[eE]%+") -- a codec that rounds writes big integers with an exponent
      and corrupted_integer(raw_encode, value, 0, { #text })
    then
      return not_encodable("the codec rounds integers of this size; give them as strings")
    end
    return fix_text(raw_encode, finish, value, text)
  end
end

local function parse_any(raw_decode, repair, text)
  local ok, value
  if is_plain_json(text) then
    ok, value = pcall(raw_decode, text)
  elseif find(text, "\0", 1, true) then
    return errors.fail("response", "the text is not JSON: it has a NUL") -- lua-cjson would end there
  else
    ok, value = decode_carefully(call_with_dot, raw_decode, text)
  end
  local call = not ok and repair and repair()
  if call then
    ok, value = decode_carefully(call, raw_decode, text)
  end
  if not ok then
    raise_out_of_memory(value)
    return errors.fail("response", "the text is not JSON: " .. without_position(value))
  end
  return value
end

-- parse(text) of a wrapped codec. The common text is read by one call of C when the codec is our own.
local function parser(raw_decode, repair)
  local function parse(text)
    return parse_any(raw_decode, repair, text)
  end
  return repair and core.parser(raw_decode, parse) or parse
end

-- restore(value) of a wrapped codec. `floats`: whether the codec reads integers as floats.
local function restorer(floats)
  return function(value)
    local kind = floats and type(value)
    if kind == "table" then
      return restore_integers(value, 1)
    end
    return kind == "number" and tointeger(value) or value
  end
end

local function wrap(codec, repair, finish)
  local raw_encode, raw_decode = arguments.method(codec, "encode"), arguments.method(codec, "decode")
  if not raw_encode or not raw_decode then
    return errors.fail("config", 'option "json" must be { encode = function, decode = function }', { field = "json" })
  end
  local rounds, floats = probe(raw_encode, raw_decode)
  local parse, restore = parser(raw_decode, repair), restorer(floats)
  return {
    quote = core.quote,
    own_encode = repair and raw_encode, own_decode = repair and raw_decode,
    encode = encoder(raw_encode, finish, rounds),
    parse = parse,
    restore = restore,
    decode = function(text)
      local value, message, details = parse(text)
      return restore(value), message, details
    end,
  }
end

local END_OF_STRING = '["\\\t\r\n]' -- or where one cannot go on

-- The place of the quote that ends the string whose first quote is at `start`; nil when it has a tab or a line break.
local function end_of_string(text, start)
  local at = find(text, END_OF_STRING, start + 1)
  while at and sub(text, at, at) == "\\" do
    at = find(text, END_OF_STRING, find(text, '^["\\]', at + 1) and at + 2 or at + 1)
  end
  return (not at and #text) or (sub(text, at, at) == '"' and at) or nil
end

--- Calls f with the name of each member of the object, as it stands in the text, and the place where it ends; without a
-- name when a string is malformed. Ends when f returns false.
-- @tparam string text
-- @tparam function f function(name in its quotes, place)
function json.each_name(text, f)
  local depth, at = 0, find(text, '["{}%[%]]')
  while at do
    local char, last = sub(text, at, at), at
    if char == '"' then
      last = end_of_string(text, at)
      if not last then
        return f()
      elseif depth == 1 and find(text, "^[ \t\r\n]*:", last + 1) and not f(sub(text, at, last), last) then
        return
      end
    else
      depth = depth + ((char == "{" or char == "[") and 1 or -1)
    end
    at = find(text, '["{}%[%]]', last + 1)
  end
end

--- A name without its quotes and escapes.
-- @tparam string quoted as each_name gives it
-- @tparam function decode of a wrapped codec
-- @treturn string
function json.unquote(quoted, decode)
  if find(quoted, "\\", 1, true) then
    local list = decode("[" .. quoted .. "]")
    quoted = type(list) == "table" and list[1]
    return type(quoted) == "string" and quoted or ""
  end
  return sub(quoted, 2, -2)
end

--- Whether a member of an object is an object, too: an empty one is decoded to the same as an empty list.
-- @tparam string text JSON, which has been read
-- @tparam string name of the member; the last one of this name counts
-- @tparam function decode of a wrapped codec
-- @treturn boolean
function json.is_object_at(text, name, decode)
  local found = false
  json.each_name(text, function(quoted, last)
    if quoted and json.unquote(quoted, decode) == name then
      found = find(text, "^[ \t\r\n]*:[ \t\r\n]*{", last + 1) ~= nil
    end
    return quoted ~= nil
  end)
  return found
end

--- Wraps a codec.
-- @tparam[opt] table codec `{ encode = function, decode = function }`, which may raise; default: lua-cjson
-- @treturn table|nil functions that never raise: `encode(value)` -> text, or a failure with code `invalid`;
--   `decode(text)` -> value, or a failure with code `response`; `parse(text)`, `restore(value)`: the halves of `decode`
--   (`parse` may leave integers as floats, `restore` visits every member and turns them back); `quote(string [,
--   front, back])` -> front .. the string as JSON text .. back; `own_encode`, `own_decode`: lua-cjson's functions
--   for pusher.core, nil with another codec
function json.new(codec)
  if codec then
    return wrap(codec)
  end
  local own, message, details = cjson.new()
  if not own then
    return nil, message, details
  end
  return wrap(own, own.repair, own.finish)
end

--- The declaration of an option that is such a codec, see pusher.base.options.
json.OPTION = { "table", make = json.new }

return json
