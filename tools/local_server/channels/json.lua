--- JSON beside cjson: cut a member out of a text unchanged, and build arrays. What clients send is forwarded byte for
-- byte: decoding and encoding again would turn `[]` into `{}` and round large numbers.

local cjson = require "cjson"

local json = {}

-- A client that sends 1e999 or NaN gets an error, not a crash.
cjson.decode_invalid_numbers(false)

-- Whether a text is valid UTF-8 (no surrogates, no overlong forms).
local function is_utf8(text)
  local position, size = 1, #text
  while true do
    -- A loop that is compiled is faster than a search by a class of characters.
    while position <= size and text:byte(position) < 0x80 do
      position = position + 1
    end
    if position > size then
      return true
    end
    local a, b = text:byte(position, position + 1)
    local low, high, more = 0x80, 0xBF, 1
    if a < 0xC2 or a > 0xF4 then
      return false
    elseif a >= 0xF0 then
      more, low, high = 3, a == 0xF0 and 0x90 or 0x80, a == 0xF4 and 0x8F or 0xBF
    elseif a >= 0xE0 then
      more, low, high = 2, a == 0xE0 and 0xA0 or 0x80, a == 0xED and 0x9F or 0xBF
    end
    if position + more > size or b < low or b > high
      or text:sub(position + 1, position + more):find("[^\128-\191]")
    then
      return false
    end
    position = position + more + 1
  end
end

--- Decodes a JSON object.
-- @return the table, or nil
function json.decode_object(text)
  local ok, value = pcall(cjson.decode, text)
  if ok and is_utf8(text) and type(value) == "table" and text:find("^%s*{") then
    return value
  end
end

json.encode = cjson.encode
json.null = cjson.null

local function end_of_string(text, position)
  repeat
    position = text:find('["\\]', position + 1)
    local escaped = text:sub(position, position) == "\\"
    if escaped then
      position = position + 1
    end
  until not escaped
  return position
end

local function end_of_value(text, position)
  local first = text:sub(position, position)
  if first == '"' then
    return end_of_string(text, position)
  elseif first ~= "{" and first ~= "[" then
    return text:find("[,}%]%s]", position) - 1
  end
  local depth = 0
  repeat
    local found = text:sub(position, position)
    if found == '"' then
      position = end_of_string(text, position)
    else
      depth = depth + ((found == "{" or found == "[") and 1 or -1)
    end
    if depth > 0 then
      position = text:find('["{}%[%]]', position + 1)
    end
  until depth == 0
  return position
end

--- The text of one member of an object that is known to be valid JSON.
-- @tparam string text the object
-- @tparam string name the member's name, free of characters JSON escapes
-- @return the value's text, unchanged, or nil when there is no such member; the last one when the name repeats, as
--   decoders do
function json.member(text, name)
  local quoted, value = '"' .. name .. '"', nil
  local position = text:find('["}]', text:find("{", 1, true) + 1)
  while text:sub(position, position) == '"' do
    local key_end = end_of_string(text, position)
    local start = text:find("[^%s:]", key_end + 1)
    local stop = end_of_value(text, start)
    if text:sub(position, key_end) == quoted then
      value = text:sub(start, stop)
    end
    position = text:find('["}]', stop + 1)
  end
  return value
end

--- Joins JSON texts to an array, which cjson cannot write when it is empty.
function json.array(texts)
  return "[" .. table.concat(texts, ",") .. "]"
end

--- Joins `{ name = JSON text }` to an object, sorted by name.
function json.object(members)
  local names = {}
  for name in pairs(members) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    names[index] = cjson.encode(name) .. ":" .. members[name]
  end
  return "{" .. table.concat(names, ",") .. "}"
end

return json
