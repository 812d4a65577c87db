--- lua-cjson as this library needs it, from 2.1.0 to the newest: an instance of our own, since cjson's settings belong
-- to the application.
--
-- 2.1.0 writes and reads numbers by printf and strtod, and keeps, once for the whole process, the decimal point of the
-- locale in which an instance was made last.

local callback = require "pusher.base.callback"
local core = require "pusher.core"
local errors = require "pusher.base.errors"

local cjson = {}

cjson.MAX_DEPTH = 100

--- Calls f(value) under a locale whose decimal point is a dot.
-- @tparam function f
-- @param value
-- @treturn boolean,... as pcall
function cjson.call_with_dot(f, value)
  if core.decimal_point() == "." then
    return pcall(f, value)
  end
  return pcall(core.in_c_locale, f, value)
end

local call_with_dot = cjson.call_with_dot

local function new_instance()
  return require("cjson").new()
end

local function set_up(codec)
  -- Ratio 1 from the first hole: {1, nil, 3} is refused, not padded.
  codec.encode_sparse_array(false, 1, 0)
  codec.encode_max_depth(cjson.MAX_DEPTH)
  codec.decode_max_depth(cjson.MAX_DEPTH)
  codec.encode_invalid_numbers(false)
  codec.decode_invalid_numbers(false) -- NaN, Infinity, 0x1F
  -- 16 digits write both 2^53 and 0.1 exactly; old versions allow 14 at most.
  if not pcall(codec.encode_number_precision, 16) then
    codec.encode_number_precision(14)
  end
end

local function unchanged(text)
  return text
end

-- Makes the encoder write `/`, not `\/`, which would double the size of some data: by a setting of newer versions, or
-- afterwards. Returns what does it afterwards.
local function set_slashes(codec)
  if codec.encode_escape_forward_slash then
    codec.encode_escape_forward_slash(false)
    return unchanged
  end
  return core.plain_slashes
end

local function reads_fractions(call, decode)
  local ok, list = call(decode, "[0.5]")
  return ok and list[1] == 0.5
end

--- Makes a codec.
-- @treturn table|nil `{ encode =, finish =, decode =, repair = }`. encode(value) and decode(text) may raise;
--   finish(text) -> the text that `encode` has written, without `\/`; repair(), for when `decode` has refused a text,
--   returns a function such as pcall by which to call `decode` once more, or nil when the text is at fault
function cjson.new()
  local ok, codec
  if #core.decimal_point() == 1 then
    ok, codec = pcall(new_instance)
  else
    ok, codec = call_with_dot(new_instance) -- it aborts where the decimal point is longer than a byte (Persian)
  end
  if not ok then
    callback.raise_out_of_memory(codec)
    return errors.fail("config", "no JSON codec: install lua-cjson or set the option `json`")
  end
  set_up(codec)
  local decode = codec.decode
  local function repair() -- cjson may take another decimal point for the locale's
    if reads_fractions(call_with_dot, decode) then
      return nil
    elseif reads_fractions(pcall, decode) then
      return pcall
    end
    call_with_dot(new_instance)
    return call_with_dot
  end
  return { encode = codec.encode, finish = set_slashes(codec), decode = decode, repair = repair }
end

return cjson
