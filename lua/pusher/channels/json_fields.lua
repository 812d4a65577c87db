--- The fields of a JSON object, which some clients send in place of a url-encoded form. Pure, linear.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json = require "pusher.base.json"

local json_fields = {}

local find = string.find

local function refuse(message, name)
  return errors.fail("invalid", message, { field = name or "form" })
end

-- RFC 8259: tabs and line breaks may stand between tokens, no other control character anywhere, and none in strings.
-- Some readers end at a NUL; lua-cjson is one.
local CONTROL = "[%z\1-\8\11\12\14-\31]"

local function refuse_control()
  return refuse("the form must not contain control characters, nor tabs or line breaks inside strings")
end

-- Counts the members and looks for repeated ones: readers differ in which of two values they take, and one could be
-- checked and the other one signed.
local function check_names(text, codec, count)
  local seen, ok, message, details = {}, true, nil, nil
  if find(text, CONTROL) then
    return refuse_control()
  end
  json.each_name(text, function(quoted)
    if not quoted then
      ok, message, details = refuse_control()
      return
    end
    local name = json.unquote(quoted, codec.decode)
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
