--- Who a Beams notification is for: interests or users, within the service's limits. Pure.
--
-- Rule: Beams docs, "Publish API". Names and ids are counted in bytes.

local arguments = require "pusher.base.arguments"
local core = require "pusher.core"
local errors = require "pusher.base.errors"

local audience = {}

local MAX_ENTRY_BYTES = 164

local fail, show = errors.fail, arguments.show

local function is_interest(text)
  return text:find("^[A-Za-z0-9_%-=@,.;]+$")
end

local AUDIENCES = {
  interests = {
    entry = "interest", entries = "names", max = 100, max_body_bytes = 10 * 1024,
    is_valid = is_interest, not_valid = "interest %s has a character outside A-Za-z0-9_-=@,.;",
  },
  users = {
    entry = "user id", entries = "ids", max = 1000, max_body_bytes = 200 * 1024,
    is_valid = core.utf8_valid, not_valid = "user id is not valid UTF-8",
  },
}

local function check_entry(rules, text, field)
  local message
  if type(text) ~= "string" then
    message = ("%s must be a string, got %s"):format(rules.entry, type(text))
  elseif #text == 0 or #text > MAX_ENTRY_BYTES then
    message = ("%s %s must have 1 to %d bytes, got %d"):format(rules.entry, show(text), MAX_ENTRY_BYTES, #text)
  elseif not rules.is_valid(text) then
    message = rules.not_valid:format(show(text))
  else
    return true
  end
  return fail("invalid", message, { field = field })
end

--- Checks a user id: 1 to 164 bytes of UTF-8.
-- @treturn true|nil
function audience.check_user(user_id)
  return check_entry(AUDIENCES.users, user_id, "user_id")
end

--- Checks a list of interests or of users.
-- @tparam string name "interests" or "users"
-- @tparam table list
-- @treturn table|nil a fresh list
-- @return the limit of a request to such an audience, in bytes; or message, details
function audience.check(name, list)
  local rules = AUDIENCES[name]
  local copy, message, details = arguments.entries(list, rules.max, name, rules.entries)
  for index, entry in ipairs(copy or {}) do
    local ok
    ok, message, details = check_entry(rules, entry, name)
    if not ok then
      details.index = index
      return nil, message, details
    end
  end
  return copy, message or rules.max_body_bytes, details
end

return audience
