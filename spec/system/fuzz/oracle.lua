--- What must hold for whatever a reader gets: the rule of docs/channels.md, a result or `nil, message, details`. A fault is an error.

local core = require "pusher.core"
local errors = require "pusher.base.errors"

local oracle = {}

local MAX_RETRY_AFTER = 3600

local function check_details(details)
  assert(type(details) == "table", "details are no table")
  assert(errors.CODES[details.code] ~= nil, "details have no known code")
  assert(type(details.retryable) == "boolean", "details.retryable is no boolean")
  local wait = details.retry_after
  assert(wait == nil or (wait >= 0 and wait <= MAX_RETRY_AFTER), "details.retry_after is out of range")
  -- 2048 bytes, and what replaces a signature.
  assert(details.body == nil or #details.body <= 4096, "details.body is long")
end

--- Checks the results of a call.
-- @return its first result
function oracle.result(value, message, details)
  if value == nil or value == false then
    assert(type(message) == "string" and message ~= "", "a failure without a message")
    assert(not message:find("[\r\n]"), "a message of several lines: " .. message)
    assert(#message < 2000, "a message of " .. #message .. " bytes")
    check_details(details)
  else
    assert(message == nil and details == nil, "a result and a message: " .. tostring(message))
  end
  return value
end

--- The same for calls that fail with one of these codes only.
-- @tparam string codes separated by spaces
function oracle.result_or(codes, value, message, details)
  oracle.result(value, message, details)
  assert(value or (" " .. codes .. " "):find(" " .. details.code .. " ", 1, true), "code " .. tostring(details and details.code))
  return value
end

--- Checks that two values are equal, number for number up to what JSON keeps.
function oracle.same(a, b, place)
  place = place or "value"
  local kind = type(a)
  assert(kind == type(b), place .. ": " .. kind .. " became " .. type(b))
  if kind == "number" then
    assert(a == b or math.abs(a - b) <= 1e-13 * math.abs(a), ("%s: %.17g became %.17g"):format(place, a, b))
  elseif kind ~= "table" then
    assert(a == b, ("%s: %q became %q"):format(place, tostring(a), tostring(b)))
  else
    for key, member in pairs(a) do
      oracle.same(member, b[key], place .. "." .. tostring(key))
    end
    for key in pairs(b) do
      assert(a[key] ~= nil, place .. "." .. tostring(key) .. " is new")
    end
  end
end

--- Checks that a text is UTF-8.
function oracle.utf8(text)
  assert(core.utf8_valid(text), "not UTF-8")
  return text
end

return oracle
