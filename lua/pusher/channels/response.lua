--- Status, body and headers of an answer in; a result or a failure out. Pure.
--
-- Answers differ between servers: 200 and 202, `{}`, `{"ok":true}`, `[]` for an
-- empty object, an error object under HTTP 200 (soketi), plain-text errors
-- (pusher.com). All of them end in a right result or a right error.

local errors = require "pusher.base.errors"
local http = require "pusher.base.http"

local response = {}

local fail = errors.fail

local BODY_SHOWN = 2048

local function iso_times(text)
  local times = {}
  for year, month, day, hour, minute, second in
    text:gmatch("(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d):(%d%d)")
  do
    times[#times + 1] = http.seconds(year, month, day, hour, minute, second)
  end
  return times
end

-- How far our clock is behind the server's, in seconds. The text of the 401
-- holds both times ("Given timestamp (…) not within 600s of server time (…)"),
-- else the Date header tells the server's.
local function clock_skew(text, headers, now)
  local times = iso_times(text)
  if #times >= 2 then
    return times[2] - times[1]
  end
  local date = http.date(http.header(headers, "date") or "")
  return date and math.floor(date - now) or nil
end

-- A 401 of pusher.com repeats the signature we sent; nobody needs it in a log.
local function without_signatures(text)
  return (text:gsub(("%x"):rep(64), "<signature>"))
end

local function hint(status, text)
  local lower = text:lower()
  if status == 401 and lower:find("signature", 1, true) then
    return "check the secret; behind a path prefix also sign_path_prefix"
  elseif lower:find("cluster", 1, true) or status == 404
    or (status == 401 and lower:find("key", 1, true)) or (status == 401 and lower:find("app", 1, true)) then
    return "check app_id, key and cluster (or host and path_prefix): the app is not known there"
  elseif status == 413 then
    return "the server's limit is below this event's size; see max_payload_kb"
  end
end

local function code_of(status, text)
  if status == 401 and text:lower():find("timestamp", 1, true) and not text:lower():find("signature") then
    return "clock"
  end
  return http.code(status)
end

--- The failure that a status and the server's words stand for.
-- @tparam number status
-- @tparam string text the server's words
-- @tparam string body the body as received
-- @tparam string headers raw header lines
-- @tparam number now Unix seconds
-- @return nil, message, details
function response.failure(status, text, body, headers, now)
  local code = code_of(status, text)
  local words = http.one_line(without_signatures(text))
  local details = {
    status = status,
    body = without_signatures(body:sub(1, BODY_SHOWN)),
    hint = hint(status, text),
    retry_after = http.retry_after(headers, now),
  }
  if code == "clock" then
    details.skew = clock_skew(text, headers, now)
    details.hint = "set this machine's clock (NTP); servers accept 600 seconds either way"
  end
  if code == "response" and status >= 300 and status < 400 then
    words = "redirects are not followed"
  end
  return fail(code, ("server answered %d%s"):format(status, words ~= "" and ": " .. words or ""), details)
end

-- The error text of an object such as {"error":"…","code":401}, else the body itself.
local function error_text(decoded, body)
  local text = type(decoded) == "table" and (decoded.error or decoded.message)
  return type(text) == "string" and text or body
end

-- soketi puts {"error":"…","code":401} under HTTP 200.
local function hidden_status(decoded)
  if type(decoded.error) ~= "string" then
    return nil
  end
  local code = tonumber(decoded.code)
  return code and code >= 400 and code < 600 and math.floor(code) or 500
end

--- Makes the parser of one kind of answer.
-- @tparam table json as json.new returns
-- @tparam function clock Unix seconds
-- @tparam[opt] function shape function(decoded) -> result | nil, message;
--   default: the decoded answer itself
-- @treturn function parse(status, body, headers) -> result | nil, message, details
function response.parser(json, clock, shape)
  return function(status, body, headers)
    local ok = status >= 200 and status < 300
    -- The usual answer to a trigger, needing no decoder.
    local decoded = (body == "{}" or body == "") and {} or json.decode(body)
    if not ok then
      return response.failure(status, error_text(decoded, body), body, headers, clock())
    elseif type(decoded) ~= "table" then
      if status == 202 then
        return {} -- "202 ACCEPTED" of older servers: the event is taken
      end
      return fail("response", "the server's answer is not a JSON object",
        { status = status, body = body:sub(1, BODY_SHOWN) })
    end
    local hidden = decoded.error and hidden_status(decoded)
    if hidden then
      return response.failure(hidden, decoded.error, body, headers, clock())
    end
    if not shape then
      return decoded
    end
    local result, message = shape(decoded)
    if result == nil then
      return fail("response", message, { status = status, body = body:sub(1, BODY_SHOWN) })
    end
    return result
  end
end

local function member_table(decoded, name)
  local value = decoded[name]
  return type(value) == "table" and value or nil
end

--- Result of trigger and of calls answered by `{}`: `channels` with counts when asked for.
function response.published(decoded)
  if next(decoded) == nil then
    return decoded
  end
  return { channels = member_table(decoded, "channels"), event_ids = member_table(decoded, "event_ids") }
end

--- Result of trigger_batch: `batch`, a list in the order of the events.
-- Reverb answers `{"batch":{}}` where there is nothing to say.
function response.batch(decoded)
  return { batch = member_table(decoded, "batch") }
end

--- Result of channels: `channels`, names to attributes.
function response.channels(decoded)
  local given = decoded.channels
  if type(given) ~= "table" then
    return nil, "the server's answer has no channels"
  end
  local channels = {}
  for name, attributes in pairs(given) do
    if type(name) == "string" then
      channels[name] = type(attributes) == "table" and attributes or {}
    end
  end
  return { channels = channels }
end

--- Result of channel_users: `users`, a list of `{ id = string }`.
function response.users(decoded)
  local given = decoded.users
  if type(given) ~= "table" then
    return nil, "the server's answer has no users"
  end
  local users = {}
  for index, user in ipairs(given) do
    if type(user) ~= "table" or (type(user.id) ~= "string" and type(user.id) ~= "number") then
      return nil, "the server's answer has a user without an id"
    end
    local copy = {}
    for name, value in pairs(user) do
      copy[name] = value
    end
    copy.id = type(user.id) == "number" and ("%.0f"):format(user.id) or user.id
    users[index] = copy
  end
  return { users = users }
end

return response
