--- The fields of a JSON object, which some clients send in place of a url-encoded form. Pure, linear.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"

local json_fields = {}

local find, sub = string.find, string.sub

local function refuse(message, name)
  return errors.fail("invalid", message, { field = name or "form" })
end

-- RFC 8259: tabs and line breaks may stand between tokens, no other control character anywhere, and none in strings.
-- Some readers end at a NUL; lua-cjson is one.
local CONTROL, END = "[%z\1-\8\11\12\14-\31]", '["\\\t\r\n]'

local function refuse_control()
  return refuse("the form must have no control characters, and inside strings no tabs and line breaks, either")
end

-- The place of the quote that ends the string whose first quote is at `start`; nil when it has a tab or a line break.
local function end_of_string(text, start)
  local at = find(text, END, start + 1)
  while at and sub(text, at, at) == "\\" do
    at = find(text, END, find(text, '^["\\]', at + 1) and at + 2 or at + 1)
  end
  return (not at and #text) or (sub(text, at, at) == '"' and at) or nil
end

-- Calls f with the name of each member of the object, as it stands in the text, and without a name when a string is
-- malformed; ends when f returns false.
local function each_name(text, f)
  local depth, at = 0, find(text, '["{}%[%]]')
  while at do
    local char, last = sub(text, at, at), at
    if char == '"' then
      last = end_of_string(text, at)
      if not last then
        return f()
      elseif depth == 1 and find(text, "^[ \t\r\n]*:", last + 1) and not f(sub(text, at, last)) then
        return
      end
    else
      depth = depth + ((char == "{" or char == "[") and 1 or -1)
    end
    at = find(text, '["{}%[%]]', last + 1)
  end
end

-- A name without its quotes and escapes.
local function unquote(quoted, codec)
  if find(quoted, "\\", 1, true) then
    local list = codec.decode("[" .. quoted .. "]")
    quoted = type(list) == "table" and list[1]
    return type(quoted) == "string" and quoted or ""
  end
  return sub(quoted, 2, -2)
end

-- Counts the members and looks for repeated ones: readers differ in which of two values they take, and one could be
-- checked and the other one signed.
local function check_names(text, codec, count)
  local seen, ok, message, details = {}, true, nil, nil
  if find(text, CONTROL) then
    return refuse_control()
  end
  each_name(text, function(quoted)
    if not quoted then
      ok, message, details = refuse_control()
      return
    end
    local name = unquote(quoted, codec)
    ok, message, details = count()
    if ok and seen[name] then
      ok, message, details = refuse(("the member %s must be given once"):format(arguments.show(name)),
        arguments.name(name))
    end
    seen[name] = true
    return ok
  end)
  return ok, message, details
end

--- Reads an object.
-- @tparam string text
-- @tparam table codec as json.new returns
-- @tparam function count called for each member -> true | nil, message, details
-- @treturn table|nil names to values, of any type
function json_fields.read(text, codec, count)
  if not core.utf8_valid(text) then
    return refuse("the form must be UTF-8")
  elseif not find(text, "^[ \t\r\n]*{") then
    return refuse("the form must be a JSON object")
  end
  local fields = codec.decode(text)
  if type(fields) ~= "table" then
    return refuse("the form is not valid JSON")
  end
  local ok, message, details = check_names(text, codec, count)
  return ok and fields, message, details
end

return json_fields
