--- Points in time as the tinode chat server writes them: RFC 3339 text, with up to nine digits of a second. Pure.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"

local timestamp = {}

local fail = errors.fail

local LAST_SECOND = 253402300799 -- of the year 9999
local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function days_in(year, month)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month == 2 and leap and 29 or MONTH_DAYS[month]
end

local function trim(fraction)
  return (fraction:sub(1, 10):gsub("0+$", ""):gsub("^%.$", ""))
end

local function valid_zone(zone)
  local hours, minutes = zone:match("^[+-](%d%d):(%d%d)$")
  return zone == "Z" or (hours and tonumber(hours) < 24 and tonumber(minutes) < 60)
end

-- RFC 3339 5.6; the leap second 60 is refused, as Go refuses it.
local function split(text)
  local date, year, month, day, time, hour, minute, second, fraction, zone =
    text:match("^((%d%d%d%d)%-(%d%d)%-(%d%d))T((%d%d):(%d%d):(%d%d))(%.?%d*)([Z+-][%d:]*)$")
  if not date or (fraction ~= "" and not fraction:find("^%.%d")) then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  local in_range = month >= 1 and month <= 12 and day >= 1 and day <= days_in(year, month)
    and tonumber(hour) < 24 and tonumber(minute) < 60 and tonumber(second) < 60
  if in_range and valid_zone(zone) then
    return { date = date, time = time .. trim(fraction), zone = zone }
  end
end

-- Year, month and day of a day counted from 1970-01-01. Not by os.date, which raises beyond 2038 where C has a time of
-- 32 bits. A year begins in March here, so that a leap day is its last.
local function civil(days)
  days = days + 719468 -- from 0000-03-01
  local era = math.floor(days / 146097) -- 400 years
  local day = days - era * 146097
  local year = math.floor((day - math.floor(day / 1460) + math.floor(day / 36524) - math.floor(day / 146096)) / 365)
  day = day - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local month = math.floor((5 * day + 2) / 153)
  day = day - math.floor((153 * month + 2) / 5) + 1
  year = year + era * 400
  if month < 10 then
    return year, month + 3, day
  end
  return year + 1, month - 9, day
end

-- Rounded to milliseconds: a double of the present time has six exact digits of a second.
local function from_seconds(seconds)
  if not (seconds >= 0 and seconds <= LAST_SECOND) then
    return nil
  end
  local ms = math.floor(seconds * 1000 + 0.5)
  local whole = math.floor(ms / 1000)
  local days = math.floor(whole / 86400)
  local year, month, day = civil(days)
  local rest = whole - days * 86400
  return ("%04d-%02d-%02dT%02d:%02d:%02d"):format(year, month, day, math.floor(rest / 3600), math.floor(rest / 60) % 60,
    rest % 60) .. trim((".%03d"):format(ms - whole * 1000)) .. "Z"
end

--- Writes a time as RFC 3339, trailing zeros of the fraction cut, the zone kept.
-- @tparam string|number value RFC 3339 text, or Unix seconds (any fraction is rounded to milliseconds)
-- @treturn string|nil text
-- @fails invalid
-- @source RFC 3339: section 5.6
function timestamp.format(value)
  local text
  if type(value) == "number" then
    text = from_seconds(value)
  elseif type(value) == "string" then
    local parts = split(value)
    local zone = parts and (parts.zone:find("^[+-]00:00$") and "Z" or parts.zone)
    text = parts and parts.date .. "T" .. parts.time .. zone
  end
  if not text then
    return fail("invalid", "timestamp must be RFC 3339 text or Unix seconds, got " .. arguments.show(value),
      { field = "ts" })
  end
  return text
end

--- Writes a time as Go's standard output does: "2020-03-13 06:48:18.123 +0000 UTC".
-- @tparam string|number value as for timestamp.format
-- @treturn string|nil text
-- @fails invalid
-- @source Go time: Time.String
function timestamp.go(value)
  local text, message, details = timestamp.format(value)
  if not text then
    return nil, message, details
  end
  local parts = split(text)
  local offset = parts.zone == "Z" and "+0000" or parts.zone:gsub(":", "")
  local name = parts.zone == "Z" and "UTC" or offset
  return ("%s %s %s %s"):format(parts.date, parts.time, offset, name)
end

return timestamp
