--- Status, body and headers of a response in; a result or a failure out. Pure.
--
-- Responses differ between servers: 200 and 202, `{}`, `{"ok":true}`, `[]` for an empty object, an error object under
-- HTTP 200 (soketi), plain-text errors (pusher.com). All of these are understood.

local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local json = require "pusher.base.json"
local notify = require "pusher.channels.notify"

local response = {}

local MAX_SHOWN_BYTES = 2048
local SIGNATURE_DIGITS = 64

-- How far our clock is behind the server's, in seconds. The text of the 401 holds both times ("Given timestamp (…) not
-- within 600s of server time (…)"), else the Date header has the server's.
local function clock_skew(text, headers, now)
  local ours
  for year, month, day, hour, minute, second in
    text:gmatch("(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d):(%d%d)")
  do
    local time = http.seconds(year, month, day, hour, minute, second)
    if ours then
      return time - ours
    end
    ours = time
  end
  local date = http.date(http.header(headers, "date") or "")
  return date and now == now and math.floor(date - now) or nil -- now may be NaN
end

local MAX_READ_BYTES = 4096 -- of an error's text

-- A 401 of pusher.com repeats the signature that was sent; nobody needs it in a log.
local function without_signatures(text)
  return (text:gsub(("%x"):rep(SIGNATURE_DIGITS), "<signature>"))
end

local function shown_body(body)
  return without_signatures(body:sub(1, MAX_SHOWN_BYTES + SIGNATURE_DIGITS)):sub(1, MAX_SHOWN_BYTES)
end

-- `text` is in lower case.
local function hint_of(status, text)
  local function has(word)
    return text:find(word, 1, true)
  end
  if status == 401 and (has("signature") or not (has("key") or has("app"))) then
    return "check the secret and, behind a path prefix, sign_path_prefix"
  elseif has("cluster") or ((status == 401 or status == 404) and (has("key") or has("app"))) then
    return "check app_id, key and cluster (or host and path_prefix): the app is not known there"
  elseif status == 404 then
    return "the server knows no such channel, user or path; behind a path prefix, check path_prefix"
  elseif status == 413 then
    return "the server's limit is below this event's size; see max_payload_kb"
  end
end

-- The failure that a status and the server's text stand for; `now` is Unix seconds.
local function failure(status, text, body, headers, now)
  text = text:sub(1, MAX_READ_BYTES)
  local code, shown, lower = http.code(status), http.one_line(without_signatures(text)), ascii.lower(text)
  local details = {
    status = status,
    body = shown_body(body),
    hint = hint_of(status, lower),
    retry_after = http.retry_after(headers, now),
  }
  if status == 401 and lower:find("timestamp", 1, true) and not lower:find("signature", 1, true) then
    code, details.skew = "clock", clock_skew(text, headers, now)
    details.hint = "set this machine's clock (NTP); servers accept 600 seconds either way"
  elseif code == "response" and status >= 300 then
    shown = "redirects are not followed"
  end
  return errors.fail(code,
    ("the server responded with status %.0f%s"):format(status, shown ~= "" and ": " .. shown or ""), details)
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

--- Makes the parser of one kind of response.
-- @tparam table codec as json.new returns
-- @tparam function clock Unix seconds
-- @tparam function shape function(decoded) -> result | nil, message
-- @treturn function parse(status, body, headers) -> result | nil, message, details
function response.parser(codec, clock, shape)
  return http.check_encoding(function(status, body, headers)
    -- The common response to a trigger needs no decoder.
    local decoded = (body == "{}" or body == "") and {} or codec.decode(body)
    local is_object = type(decoded) == "table"
    local failed = (status < 200 or status >= 300) and status
      or is_object and decoded.error and hidden_status(decoded)
    if failed then
      return failure(failed, error_text(decoded, body), body, headers, clock())
    elseif not is_object and status == 202 then
      return {} -- "202 ACCEPTED" of older servers: the event is accepted
    elseif decoded == 1 and shape == response.published then
      return {} -- sockudo's response to a key that it knows from a batch
    end
    local result, message = nil, "the server's response is not a JSON object"
    if is_object then
      result, message = shape(decoded)
    end
    if result == nil then
      return errors.fail("response", message, { status = status, body = shown_body(body) })
    end
    return result
  end)
end

local function member_table(decoded, name)
  local value = decoded[name]
  return type(value) == "table" and value or nil
end

--- Result of get and post: the response unchanged.
function response.plain(decoded)
  return decoded
end

-- Names to attributes.
local function read_channels(given)
  local channels = {}
  for name, attributes in pairs(given) do
    if type(name) == "string" then
      channels[name] = type(attributes) == "table" and attributes or {}
    end
  end
  return channels
end

--- Result of trigger and of calls whose response is `{}`: `channels` with counts when asked for.
function response.published(decoded)
  if next(decoded) == nil then
    return decoded
  end
  local channels = member_table(decoded, "channels")
  return { channels = channels and read_channels(channels), event_ids = member_table(decoded, "event_ids") }
end

--- Result of trigger_batch: `batch`, a list in the order of the events. Reverb sends `{"batch":{}}` without counts.
function response.batch(decoded)
  local given, batch = member_table(decoded, "batch"), {}
  for index, attributes in ipairs(given or {}) do
    batch[index] = type(attributes) == "table" and attributes or {}
  end
  return { batch = given and batch }
end

--- Result of channels: `channels`, names to attributes.
function response.channels(decoded)
  local given = decoded.channels
  if type(given) ~= "table" then
    return nil, "the server's response has no channels"
  end
  return { channels = read_channels(given) }
end

--- Result of channel_users: `users`, a list of `{ id = string }`.
function response.users(decoded)
  local given = decoded.users
  if not json.is_list(given) then
    return nil, "the server's response has no users"
  end
  local users = {}
  for index, user in ipairs(given) do
    local id = type(user) == "table" and user.id
    if type(id) == "number" and id % 1 == 0 then
      user.id = json.number_text(id)
    elseif type(id) ~= "string" then
      return nil, "the server's response has a user without an id"
    end
    users[index] = user
  end
  return { users = users }
end

--- Makes the parser of channel, whose result has the channel's name.
-- @tparam table codec
-- @tparam function clock
-- @tparam string name
function response.channel_parser(codec, clock, name)
  return response.parser(codec, clock, function(decoded)
    decoded.name = name
    return decoded
  end)
end

local SHAPES = {
  plain = response.plain, published = response.published, batch = response.batch, channels = response.channels,
  users = response.users, notified = notify.result,
}

--- Makes the parsers of a client: `plain`, `published`, `batch`, `channels`, `users`, `notified`.
-- @tparam table codec
-- @tparam function clock
function response.parsers(codec, clock)
  local parsers = {}
  for name, shape in pairs(SHAPES) do
    parsers[name] = response.parser(codec, clock, shape)
  end
  return parsers
end

return response
