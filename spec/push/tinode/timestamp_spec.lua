local fails = require "spec.helpers.fails"
local timestamp = require "pusher.push.tinode.timestamp"

describe("pusher.push.tinode.timestamp", function()
  local kept = {
    "2020-03-13T06:48:18.123Z", "2020-03-13T06:48:18.12Z", "2020-03-13T06:48:18.123456789Z",
    "2020-03-13T06:48:18Z", "2020-03-13T06:48:18+03:00", "2020-02-29T23:59:59.5-11:30", "0001-01-01T00:00:00Z",
  }
  for _, text in ipairs(kept) do
    it("keeps " .. text, function()
      assert.are.equal(text, timestamp.format(text))
    end)
  end

  local changed = {
    ["2020-03-13T06:48:18.120Z"] = "2020-03-13T06:48:18.12Z",
    ["2020-03-13T06:48:18.000Z"] = "2020-03-13T06:48:18Z",
    ["2020-03-13T06:48:18.1234567891Z"] = "2020-03-13T06:48:18.123456789Z",
    ["2020-03-13T06:48:18+00:00"] = "2020-03-13T06:48:18Z",
  }
  for given, expected in pairs(changed) do
    it("writes " .. given .. " as " .. expected, function()
      assert.are.equal(expected, timestamp.format(given))
    end)
  end

  it("writes Unix seconds in UTC, to the millisecond", function()
    assert.are.equal("1970-01-01T00:00:00Z", timestamp.format(0))
    assert.are.equal("2020-03-13T06:48:18.123Z", timestamp.format(1584082098.123))
    assert.are.equal("2020-03-13T06:48:18Z", timestamp.format(1584082098))
    assert.are.equal("2020-03-13T06:48:19Z", timestamp.format(1584082098.9996))
    assert.are.equal("9999-12-31T23:59:59Z", timestamp.format(253402300799))
  end)

  -- C's times may have 32 bits: os.date raises then.
  it("writes every day up to 2408, without C's calendar", function()
    local date = os.date
    finally(function() os.date = date end) -- luacheck: ignore 122
    os.date = function() error("time out of bounds") end -- luacheck: ignore 122
    local day, wrong = 0, {}
    for year = 1970, 2408 do
      local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
      for month, length in ipairs { 31, leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 } do
        for number = 1, length do
          local expected = ("%04d-%02d-%02dT23:59:59Z"):format(year, month, number)
          if timestamp.format(day * 86400 + 86399) ~= expected then
            wrong[#wrong + 1] = expected
          end
          day = day + 1
        end
      end
    end
    assert.are.same({}, wrong)
  end)

  local refused = {
    "", "now", "2020-03-13", "2020-03-13 06:48:18Z", "2020-03-13T06:48:18", "2020-13-13T06:48:18Z",
    "2020-02-30T06:48:18Z", "2019-02-29T06:48:18Z", "2020-03-13T24:00:00Z", "2020-03-13T06:60:18Z",
    "2020-03-13T06:48:60Z", "2020-03-13T06:48:18.Z", "2020-03-13T06:48:1812Z", "2020-03-13T06:48:18+3:00",
    "2020-03-13T06:48:18+24:00", "2020-03-13T06:48:18ZZ", "2020-03-13T06:48:18Z\n", -1, 253402300800, 0 / 0,
    1 / 0, {}, true,
  }
  for _, value in ipairs(refused) do
    it("refuses " .. tostring(value):gsub("\n", "\\n"):gsub("^table.*", "a table"), function()
      local text, message, details = timestamp.format(value)
      assert.is_nil(text)
      assert.matches("RFC 3339", message)
      assert.are.equal("ts", details.field)
    end)
  end

  it("writes Go's form", function()
    assert.are.equal("2020-03-13 06:48:18.123 +0000 UTC", timestamp.go("2020-03-13T06:48:18.123Z"))
    assert.are.equal("2020-03-13 06:48:18 +0300 +0300", timestamp.go("2020-03-13T06:48:18+03:00"))
  end)

  it("knows how many days each month has", function()
    for month, days in ipairs { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 } do
      local function on(day)
        return timestamp.format(("2020-%02d-%02dT00:00:00Z"):format(month, day))
      end
      assert.is_string((on(1)))
      assert.is_string((on(days)))
      assert.is_nil((on(0)))
      assert.is_nil((on(days + 1)))
    end
    for year, leap in pairs { ["1900"] = false, ["2000"] = true, ["2004"] = true, ["2001"] = false, ["2100"] = false } do
      assert.equal(leap, timestamp.format(year .. "-02-29T00:00:00Z") ~= nil)
    end
    assert.is_nil((timestamp.format("2020-00-01T00:00:00Z")))
    assert.is_string((timestamp.format("2020-01-01T00:00:00+23:59")))
    assert.is_nil((timestamp.format("2020-01-01T00:00:00+23:60")))
  end)

  it("says what is wrong", function()
    fails('timestamp must be RFC 3339 text or Unix seconds, got "x"', { code = "invalid", field = "ts" }, timestamp.format("x"))
    fails("timestamp must be RFC 3339 text or Unix seconds, got number", { code = "invalid", field = "ts" },
      timestamp.go(-1))
  end)
end)
