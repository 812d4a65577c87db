--- What HTTP messages share, whoever sent them: headers, dates, Retry-After, the meaning of a status. Pure.

local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"

local http = {}

-- The longest wait that a server can ask for, in seconds.
http.MAX_RETRY_AFTER = 3600

local MAX_SHOWN_BYTES = 200

local rawget = rawget

local CODE_BY_STATUS = {
  [400] = "invalid", [401] = "unauthorized", [403] = "forbidden", [404] = "not_found",
  [408] = "timeout", [413] = "too_large", [422] = "invalid", [429] = "rate_limited",
}

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

-- Days since 1970-01-01 in the Gregorian calendar; os.time would read local time. A year begins in March here, so that
-- a leap day is its last.
local function days(year, month, day)
  if month <= 2 then
    year, month = year - 1, month + 12
  end
  local leap_days = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  return 365 * year + leap_days + math.floor((153 * month - 457) / 5) + day - 719469
end

--- Unix seconds of a date and time in UTC, each part a number or its digits.
-- @treturn number|nil nil when the month is nil
function http.seconds(year, month, day, hour, minute, second)
  if not month then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  return days(year, month, day) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

--- Unix seconds of an HTTP date (RFC 9110 5.6.7, preferred form).
-- @tparam string text "Sun, 06 Nov 1994 08:49:37 GMT"
-- @treturn number|nil nil when the text is no such date
function http.date(text)
  local day, month, year, hour, minute, second =
    text:match("^[A-Za-z][A-Za-z][A-Za-z], (%d%d) ([A-Za-z][A-Za-z][A-Za-z]) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT")
  return day and http.seconds(year, MONTHS[month], day, hour, minute, second) or nil
end

-- Linear, where a pattern such as "%s+$" scans a run of spaces again from each of them.
local function trim(text)
  local first = text:find(ascii.NOT_SPACE)
  return first and text:match(".*" .. ascii.NOT_SPACE, first) or ""
end

-- Iterates over the values of the headers called `name` (in lower case), without surrounding spaces.
local function each_value(headers, name)
  local next_line = (headers or ""):gmatch("[^\r\n]+")
  return function()
    for line in next_line do
      if ascii.lower(line:sub(1, #name + 1)) == name .. ":" then
        return trim(line:sub(#name + 2))
      end
    end
  end
end

--- One header's value.
-- @tparam string|nil headers raw header lines
-- @tparam string name in lower case
-- @treturn string|nil the value of the first such header, without surrounding spaces
function http.header(headers, name)
  return each_value(headers, name)()
end

-- The headers of a response that the library reads.
local READ = { ["content-encoding"] = "Content-Encoding", date = "Date", ["retry-after"] = "Retry-After" }

local function add_lines(lines, name, value)
  local values = type(value) == "table" and value or { value }
  local index, text = 1, rawget(values, 1)
  while text ~= nil do
    if type(text) == "number" then
      text = ("%.0f"):format(math.ceil(text)) -- some clients give the seconds of Retry-After so
    end
    if type(text) == "string" then
      lines[#lines + 1] = name .. ": " .. text:gsub(ascii.CONTROL, " ") -- a value ends no line
    end
    index = index + 1
    text = rawget(values, index)
  end
end

--- Those headers that the library reads as raw lines, from what another HTTP client has.
-- @tparam string|table|function|nil headers raw header lines; names in any case to values, each a string, a number or a
--   list of them; or function(name) -> such a value, which is asked for a name in lower case, too, as some clients need
-- @treturn string|nil
function http.header_lines(headers)
  local lines = {}
  if type(headers) == "table" then
    for name, value in next, headers do
      local read = type(name) == "string" and READ[ascii.lower(name)]
      if read then
        add_lines(lines, read, value)
      end
    end
  elseif type(headers) == "function" then
    for lower, name in pairs(READ) do
      local value = headers(name)
      if value == nil then
        value = headers(lower)
      end
      add_lines(lines, name, value)
    end
  else
    return headers
  end
  return table.concat(lines, "\r\n")
end

-- What Content-Encoding lists, in one header or several; nil when it is nothing but identity.
local function content_encoding(headers)
  local listed, encoded = {}, false
  for value in each_value(headers, "content-encoding") do
    for part in value:gmatch("[^,]+") do
      local coding = trim(part)
      if coding ~= "" then
        listed[#listed + 1] = coding
        encoded = encoded or ascii.lower(coding) ~= "identity"
      end
    end
  end
  return encoded and table.concat(listed, ", ") or nil
end

local ENCODED = "the response has the content encoding %s, although the request asked for none: %s"
local ENCODED_HINT = "switch compression off in the server or in the proxy before it"

--- Makes a parser that names the content encoding (RFC 9110 8.4) of a body which it cannot read.
-- @tparam function parse function(status, body, headers) -> result | nil, message, details
-- @treturn function the same; a 2xx response that cannot be read because of it fails with the code `response`, any
--   other is parsed with an empty body, since its status says enough
function http.check_encoding(parse)
  return function(status, body, headers)
    -- A custom transport, or another HTTP client, may pass anything.
    if type(status) ~= "number" or status % 1 ~= 0 or status < 100 or status > 999 or type(body) ~= "string"
      or (headers ~= nil and type(headers) ~= "string")
    then
      return errors.fail("response", "the response must have a whole number from 100 to 999 as its status, and "
        .. "strings as its body and header lines")
    end
    -- The headers of the common responses are not searched.
    local encoding = body ~= "{}" and body ~= "" and headers and ascii.lower(headers):find("content-encoding", 1, true)
      and content_encoding(headers)
    if not encoding then
      return parse(status, body, headers)
    end
    local text = ENCODED:format(http.one_line(encoding), ENCODED_HINT)
    local success = status >= 200 and status < 300
    local result, message, details = parse(status, success and body or "", headers)
    if success and not result then -- some servers name an encoding that they have not applied
      return errors.fail("response", text, { status = status, hint = ENCODED_HINT })
    end
    return result, message and message .. " (" .. text .. ")", details
  end
end

--- One header of a request that was received, such as a webhook's. Frameworks give names in any case.
-- @tparam table|function headers names to values, or function(canonical name)
-- @tparam string name in lower case
-- @tparam string canonical the name as in documentation
-- @treturn string|nil value; a failure has the code `unauthorized`: missing, or given more than once
function http.request_header(headers, name, canonical)
  local value
  if type(headers) == "function" then
    value = headers(canonical)
  else
    value = rawget(headers, canonical) or rawget(headers, name)
    if type(value) == "string" and value ~= "" then
      return value -- the common case
    elseif value == nil then
      for key, found in next, headers do
        if type(key) == "string" and #key == #name and ascii.lower(key) == name then
          value = found
        end
      end
    end
  end
  if type(value) == "table" and rawget(value, 2) == nil then
    value = rawget(value, 1) -- some frameworks give lists
  end
  if type(value) == "string" and value ~= "" then
    return value
  end
  return errors.fail("unauthorized", ("the header %s is %s"):format(canonical,
    (value == nil or value == "") and "missing" or "given more than once"), { field = canonical })
end

--- The seconds of a Retry-After header (RFC 9110 10.2.3).
-- @tparam string|nil headers raw header lines
-- @tparam number now Unix seconds
-- @treturn number|nil whole seconds from now, at most an hour; nil without a valid header
function http.retry_after(headers, now)
  local value = http.header(headers, "retry-after") or ""
  local date = http.date(value)
  return http.clamp_wait(tonumber(value:match("^%d+$")) or date and math.floor(date - now))
end

--- A wait that a server asked for, within bounds. Nothing in the library waits longer for a server's word.
-- @param seconds what the server, or a custom transport, said
-- @treturn number|nil seconds from 0 to an hour; nil when they are no number
function http.clamp_wait(seconds)
  seconds = tonumber(seconds)
  if not seconds or seconds ~= seconds then
    return nil
  end
  return math.max(0, math.min(seconds, http.MAX_RETRY_AFTER))
end

--- The failure code that an HTTP status stands for.
-- @tparam number status
-- @treturn string one of errors.CODES
function http.code(status)
  return CODE_BY_STATUS[status] or (status >= 500 and "server") or (status >= 400 and "invalid") or "response"
end

--- A server's text without the tokens of an Authorization header, which some servers and proxies repeat.
-- @tparam string text
-- @treturn string
function http.without_tokens(text)
  return (text:gsub("([Bb][Ee][Aa][Rr][Ee][Rr] )[^ \t\r\n\"'<]+", "%1…"))
end

--- A server's text as one line of a message: no control characters, and not long.
-- @tparam string text
-- @treturn string
function http.one_line(text)
  -- Cut first, since a message may come with a megabyte.
  local long = #text > 4 * MAX_SHOWN_BYTES
  text = ascii.shorten(text, 4 * MAX_SHOWN_BYTES):gsub(ascii.CONTROL .. "+", " ")
  text = long and text:sub(text:find(ascii.NOT_SPACE) or #text + 1) or trim(text)
  return ascii.shorten(text, MAX_SHOWN_BYTES) .. (#text > MAX_SHOWN_BYTES and "…" or "")
end

return http
