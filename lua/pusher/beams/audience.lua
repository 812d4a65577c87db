--- Who a Beams notification is for: interests or users, within the service's limits. Pure.
--
-- Rule: Beams docs, "Publish API". Names and ids are counted in bytes.

local core = require "pusher.core"
local errors = require "pusher.base.errors"
local arguments = require "pusher.base.arguments"

local audience = {}

audience.MAX_INTERESTS = 100
audience.MAX_INTEREST_BYTES = 164
audience.MAX_USERS = 1000
audience.MAX_USER_ID_BYTES = 164
audience.MAX_INTERESTS_BODY = 10 * 1024 -- bytes
audience.MAX_USERS_BODY = 200 * 1024 -- bytes

local fail, show = errors.fail, arguments.show

local function check_interest(interest)
  if type(interest) ~= "string" or interest == "" then
    return fail("invalid", "An empty interest name is not valid", { field = "interests" })
  elseif #interest > audience.MAX_INTEREST_BYTES then
    return fail("invalid", ("interest %s has %d bytes, at most %d are allowed"):format(
      show(interest), #interest, audience.MAX_INTEREST_BYTES), { field = "interests" })
  elseif not interest:find("^[A-Za-z0-9_%-=@,.;]+$") then
    return fail("invalid", ("interest %s has a character outside A-Za-z0-9_-=@,.;"):format(show(interest)),
      { field = "interests" })
  end
  return true
end

--- Checks a user id.
-- @tparam string user_id 1 to 164 bytes of UTF-8
-- @tparam string field for the failure's details
-- @treturn true|nil
function audience.check_user(user_id, field)
  if type(user_id) ~= "string" or user_id == "" then
    return fail("invalid", "an empty user id is not valid", { field = field })
  elseif #user_id > audience.MAX_USER_ID_BYTES then
    return fail("invalid", ("user id %s has %d bytes, at most %d are allowed"):format(
      show(user_id), #user_id, audience.MAX_USER_ID_BYTES), { field = field })
  elseif not core.utf8_valid(user_id) then
    return fail("invalid", "user id is not valid UTF-8", { field = field })
  end
  return true
end

local RULES = {
  interests = { check = check_interest, most = audience.MAX_INTERESTS, most_bytes = audience.MAX_INTERESTS_BODY },
  users = { check = audience.check_user, most = audience.MAX_USERS, most_bytes = audience.MAX_USERS_BODY },
}

--- Checks a list of interests or of users.
-- @tparam string name "interests" or "users"
-- @tparam table list
-- @treturn number|nil how many bytes a request to such an audience may have; nil, message, details otherwise
function audience.check(name, list)
  local rules = RULES[name]
  local count = arguments.list_length(list)
  if not count or count == 0 or count > rules.most then
    return fail("invalid", ("%s must be a list of 1 to %d, got %s"):format(name, rules.most,
      count and ("%d"):format(count) or "something else"), { field = name, limit = rules.most })
  end
  for index = 1, count do
    local ok, message, details = rules.check(list[index], name)
    if not ok then
      details.index = index
      return nil, message, details
    end
  end
  return rules.most_bytes
end

return audience
