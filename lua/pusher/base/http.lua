--- What every HTTP response has, whoever the server is: headers, dates, Retry-After, the meaning of a status. Pure.

local http = {}

local SHOWN_BYTES = 200

local CODE_BY_STATUS = {
  [400] = "invalid", [401] = "unauthorized", [403] = "forbidden", [404] = "not_found",
  [408] = "timeout", [413] = "too_large", [422] = "invalid", [429] = "rate_limited",
}

local MONTHS = {
  Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12,
}

-- Days since 1970-01-01 in the Gregorian calendar; os.time would read local time.
local function days(year, month, day)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local year_of_era = y - era * 400
  local day_of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
  local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year
  return era * 146097 + day_of_era - 719468
end

--- Unix seconds of a date and time in UTC, given as digits.
-- @treturn number|nil nil without a month
function http.seconds(year, month, day, hour, minute, second)
  if not month then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  return days(year, month, day) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

--- Unix seconds of an HTTP date (RFC 9110 5.6.7, preferred form).
-- @tparam string text "Sun, 06 Nov 1994 08:49:37 GMT"
-- @treturn number|nil
function http.date(text)
  local day, month, year, hour, minute, second =
    text:match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT")
  return day and http.seconds(year, MONTHS[month], day, hour, minute, second) or nil
end

-- In linear time, where a pattern such as "%s+$" would look at a run of spaces again from each of them.
local function trim(text)
  local first = text:find("%S")
  return first and text:match(".*%S", first) or ""
end

--- One header's value.
-- @tparam string headers raw header lines
-- @tparam string name in lower case
-- @treturn string|nil
function http.header(headers, name)
  for line in (headers or ""):gmatch("[^\r\n]+") do
    local colon = line:find(":", 1, true)
    if colon == #name + 1 and line:sub(1, #name):lower() == name then
      return trim(line:sub(colon + 1))
    end
  end
end

--- The seconds of a Retry-After header (RFC 9110 10.2.3).
-- @tparam string headers raw header lines
-- @tparam number now Unix seconds
-- @treturn number|nil
function http.retry_after(headers, now)
  local value = http.header(headers, "retry-after")
  if not value then
    return nil
  end
  local date = http.date(value)
  return tonumber(value:match("^%d+$")) or (date and math.max(0, math.floor(date - now))) or nil
end

--- The code of a failure that a status stands for.
-- @tparam number status
-- @treturn string one of errors.CODES
function http.code(status)
  return CODE_BY_STATUS[status] or (status >= 500 and "server") or (status >= 400 and "invalid") or "response"
end

--- A server's text as one line of a message: no control characters, and not long.
-- @tparam string text
-- @treturn string
function http.one_line(text)
  text = trim((text:gsub("[%c\127]+", " ")))
  return #text > SHOWN_BYTES and text:sub(1, SHOWN_BYTES) .. "…" or text
end

return http
