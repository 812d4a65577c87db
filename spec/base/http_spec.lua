local errors = require "pusher.base.errors"
local fails = require "spec.helpers.fails"
local http = require "pusher.base.http"

describe("pusher.base.http", function()
  it("reads HTTP dates", function()
    assert.equal(784111777, http.date("Sun, 06 Nov 1994 08:49:37 GMT"))
    assert.equal(951782400, http.date("Tue, 29 Feb 2000 00:00:00 GMT"))
    assert.equal(4102444799, http.date("Thu, 31 Dec 2099 23:59:59 GMT"))
    assert.equal(0, http.date("Thu, 01 Jan 1970 00:00:00 GMT"))
    for _, text in ipairs { "", "x", "Sun, 06 Foo 1994 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT", " Sun, 06 Nov 1994 08:49:37 GMT" } do
      assert.is_nil(http.date(text))
    end
  end)

  it("knows the length of every month, in a leap year as well", function()
    local before = { Jan = 0, Feb = 31, Mar = 59, Apr = 90, May = 120, Jun = 151, Jul = 181, Aug = 212, Sep = 243,
      Oct = 273, Nov = 304, Dec = 334 } -- days of the year
    for month, days in pairs(before) do
      local leap_day = (month == "Jan" or month == "Feb") and 0 or 1
      assert.equal(1293840000 + days * 86400, http.date("Sat, 01 " .. month .. " 2011 00:00:00 GMT"), month)
      assert.equal(1325376000 + (days + leap_day) * 86400, http.date("Sun, 01 " .. month .. " 2012 00:00:00 GMT"), month)
    end
  end)

  it("turns the digits of a UTC time into Unix seconds", function()
    assert.equal(1353088179, http.seconds("2012", "11", "16", "17", "49", "39"))
    assert.equal(951868800, http.seconds("2000", 3, "01", "00", "00", "00"))
    assert.is_nil(http.seconds("2012", nil, "16", "17", "49", "39"))
  end)

  it("finds a header by its name in any case", function()
    local headers = "Date: today\r\nX-Retry-After: 1\r\nRETRY-after:\t 7 \t\r\nEmpty:\r\nRetry-After: 9\r\nno colon\r\n"
    assert.equal("today", http.header(headers, "date"))
    assert.equal("7", http.header(headers, "retry-after"))
    assert.equal("", http.header(headers, "empty"))
    assert.is_nil(http.header(headers, "after"))
    assert.is_nil(http.header(headers, "no colon"))
    assert.is_nil(http.header("", "date"))
    assert.is_nil(http.header(nil, "date"))
  end)

  it("takes headers from other HTTP clients in each form that they have", function()
    local function is_read(headers)
      local lines = http.header_lines(headers)
      assert.equal("7", http.header(lines, "retry-after"))
      assert.equal("gzip", http.header(lines, "content-encoding"))
      assert.equal("x Retry-After: 1", http.header(lines, "date"))
    end
    is_read { ["RETRY-after"] = "7", ["content-encoding"] = { "gzip", "br" }, Date = "x\nRetry-After: 1", { "Age", "1" }, Age = 5 }
    local asked = {}
    is_read(function(name)
      asked[name] = true
      return ({ ["Retry-After"] = { "7", "8" }, ["Content-Encoding"] = "gzip", Date = "x\rRetry-After: 1" })[name]
    end)
    assert.same({ ["Retry-After"] = true, ["Content-Encoding"] = true, Date = true }, asked)
    is_read(function(name) -- lua-http's headers have lower-case names only
      return ({ ["retry-after"] = 7, ["content-encoding"] = "gzip", date = "x\rRetry-After: 1" })[name]
    end)
    for value, expected in pairs { [7] = 7, [6.5] = 7, [1e300] = 3600, [-1] = false, [math.huge] = false } do
      for _, given in ipairs { value, { value, 1 } } do
        assert.equal(expected or nil, http.retry_after(http.header_lines { ["retry-after"] = given }, 0))
      end
    end
    assert.is_nil(http.retry_after(http.header_lines { ["retry-after"] = 0 / 0 }, 0))
    assert.equal("A: b\r\n", http.header_lines("A: b\r\n"))
    assert.is_nil(http.header_lines(nil))
    for _, value in ipairs { true, {}, { {} }, setmetatable({}, { __index = { "7" } }), print } do
      assert.equal("", http.header_lines { Date = value })
    end
    assert.equal("Date: 7\r\nDate: 8", http.header_lines { Date = { 7, true, "8" } })
    assert.equal("", http.header_lines(function() end))
    assert.equal("", http.header_lines(setmetatable({}, { __index = { Date = "x" } })))
  end)

  it("lets no parser see a response that is none, from whatever transport", function()
    local parse = http.check_encoding(function() return "parsed" end)
    assert.equal("parsed", parse(200, "x", ""))
    assert.equal("parsed", parse(200, "x", nil))
    for _, response in ipairs { { 0.5, "", "" },
      { 0 / 0, "", "" }, { math.huge, "", "" }, { "200", "", "" }, { 200, {}, "" }, { 99, "", "" }, { 1000, "", "" },
      { 200, nil, "" }, { 200, "", { ["Content-Encoding"] = "gzip" } }, { nil, "", "" } } do
      local result, message, details = parse(response[1], response[2], response[3])
      assert.is_nil(result)
      assert.truthy(message:find("must have a whole number from 100 to 999 as its status", 1, true))
      assert.equal("response", details.code)
    end
  end)

  it("waits an hour at most, whatever a server says", function()
    assert.equal(3600, http.MAX_RETRY_AFTER)
    for given, expected in pairs { [0] = 0, [7] = 7, [0.5] = 0.5, [3600] = 3600, [3601] = 3600, [1e308] = 3600,
      [math.huge] = 3600, [-1] = 0, [-math.huge] = 0, ["7"] = 7, ["1e9"] = 3600 } do
      assert.equal(expected, http.clamp_wait(given))
    end
    for _, given in ipairs { 0 / 0, "soon", {}, true } do
      assert.is_nil(http.clamp_wait(given))
    end
    assert.is_nil(http.clamp_wait(nil))
    assert.equal(3600, http.retry_after("Retry-After: 99999999999\r\n", 0))
    assert.equal(3600, http.retry_after("Retry-After: " .. ("9"):rep(400) .. "\r\n", 0))
    assert.equal(3600, http.retry_after("Retry-After: Fri, 16 Nov 2012 17:49:49 GMT\r\n", 0))
  end)

  it("reads Retry-After in both forms", function()
    local now = http.date("Fri, 16 Nov 2012 17:49:39 GMT")
    assert.equal(7, http.retry_after("Retry-After: 7\r\n", now))
    assert.equal(0, http.retry_after("Retry-After: 0\r\n", now))
    assert.equal(10, http.retry_after("retry-after: Fri, 16 Nov 2012 17:49:49 GMT\r\n", now))
    assert.equal(9, http.retry_after("retry-after: Fri, 16 Nov 2012 17:49:49 GMT\r\n", now + 0.5))
    assert.equal(0, http.retry_after("Retry-After: Fri, 16 Nov 2012 17:49:29 GMT\r\n", now))
    for _, value in ipairs { "soon", "-1", "1.5", "7 s", "", "0x10" } do
      assert.is_nil(http.retry_after("Retry-After: " .. value .. "\r\n", now))
    end
    assert.is_nil(http.retry_after("", now))
    assert.is_nil(http.retry_after(nil, now))
  end)

  it("has a known code for each status", function()
    local expected = {
      [301] = "response", [304] = "response", [400] = "invalid", [401] = "unauthorized", [403] = "forbidden",
      [404] = "not_found", [408] = "timeout", [413] = "too_large", [418] = "invalid", [422] = "invalid",
      [429] = "rate_limited", [500] = "server", [502] = "server", [599] = "server",
    }
    for status, code in pairs(expected) do
      assert.equal(code, http.code(status))
      assert.is_not_nil(errors.CODES[code])
    end
  end)

  describe("check_encoding", function()
    local given

    local parse = http.check_encoding(function(status, body, headers)
      given = { status, body, headers }
      if status ~= 200 then
        return errors.fail("server", "status " .. status)
      elseif body:find("^[\31x]") and headers then
        return errors.fail("response", "not JSON")
      end
      return "result", nil, nil
    end)

    before_each(function()
      given = nil
    end)

    it("passes a response without a content encoding on", function()
      for _, headers in ipairs { "", "Date: x\r\n", "Content-Encoding: identity\r\n", "CONTENT-encoding:  Identity \r\n",
        "Content-Encoding:\r\n", "Content-Encoding: identity\r\nContent-Encoding: identity, ,\r\n",
        "X-Content-Encoding: gzip\r\n", "X: content-encoding\r\n" } do
        assert.equal("result", parse(200, "[1]", headers))
        assert.same({ 200, "[1]", headers }, given)
        assert.equal("not JSON", (select(2, parse(200, "x", headers))))
      end
      assert.equal("result", parse(200, "x", nil))
    end)

    it("reads nothing into a body that is empty all the same", function()
      for _, body in ipairs { "", "{}" } do
        assert.equal("result", parse(200, body, "Content-Encoding: gzip\r\n"))
      end
    end)

    it("refuses an encoded one, and says where to look", function()
      for _, encoding in ipairs { "gzip", "br", "zstd", "identity, gzip" } do
        local result, message, details = parse(200, "\31\139\8\0", "Content-Type: x\r\ncontent-encoding: " .. encoding .. "\r\n")
        assert.is_nil(result)
        assert.same({ "response", 200, false }, { details.code, details.status, details.retryable })
        local hint = "switch compression off in the server or in the proxy before it"
        assert.equal(hint, details.hint)
        assert.equal(("the response has the content encoding %s, although the request asked for none: %s"):format(
          encoding, hint), message)
      end
      assert.is_true(#select(2, parse(200, "x", "Content-Encoding: " .. ("x"):rep(10000) .. "\r\n")) < 500)
    end)

    it("reads several such headers as one list", function()
      for _, headers in ipairs { "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
        "content-encoding:\r\nContent-Encoding: identity,gzip\r\n", "Content-Encoding: identity ,, gzip\r\nDate: x\r\n" } do
        local result, message = parse(200, "\31\139\8\0", headers)
        assert.is_nil(result)
        assert.is_truthy(message:find("content encoding identity, gzip,", 1, true), message)
      end
    end)

    it("accepts a body that can be read, whatever the server calls it", function()
      assert.equal("result", parse(200, "[1]", "Content-Encoding: UTF-8\r\n"))
    end)

    it("keeps the meaning of an error's status", function()
      local result, message, details = parse(503, "\31\139\8\0", "Content-Encoding: gzip\r\n")
      assert.is_nil(result)
      assert.same({ 503, "", "Content-Encoding: gzip\r\n" }, given)
      assert.same({ "server", true }, { details.code, details.retryable })
      assert.is_truthy(message:find("^status 503 %(the response has the content encoding gzip,"), message)
    end)
  end)

  it("makes one short line of a server's text", function()
    assert.equal("no such app", http.one_line("  no such\r\n\tapp \0\n"))
    assert.equal("", http.one_line(" \n \t"))
    assert.equal("", http.one_line(""))
    assert.equal(("x"):rep(200), http.one_line(("x"):rep(200)))
    assert.equal(("x"):rep(200) .. "…", http.one_line(("x"):rep(201)))
    assert.is_nil(http.one_line(("x\r\n\27[31m"):rep(1000)):find("%c"))
    assert.equal("a" .. (" "):rep(199) .. "…", http.one_line("a" .. (" "):rep(4096) .. "b"))
    assert.equal("", http.one_line((" "):rep(4096)))
    assert.equal(("\195\188"):rep(99) .. "x…", http.one_line(("\195\188"):rep(99) .. "x\195\188\195\188"):gsub("\195\188…", "…"))
    assert.equal("??", http.one_line("\255\254"))
  end)

  it("finds a request's header by its exact name first", function()
    for _, name in ipairs { "X-A", "x-a" } do
      assert.equal("1", http.request_header({ [name] = "1", ["X-a"] = "2", ["x-A"] = "3" }, "x-a", "X-A"))
    end
    assert.equal("3", http.request_header({ ["x-A"] = "3", ["x-B"] = "4", ["x-Aa"] = "5" }, "x-a", "X-A"))
  end)

  it("hides what stands behind Bearer", function()
    assert.equal('a Bearer … b "bearer …" <p>BEARER …</p>', http.without_tokens('a Bearer x.y-z b "bearer q==" <p>BEARER q</p>'))
    assert.equal("Bearer", http.without_tokens("Bearer"))
  end)

  it("reads an encoded body of a success only", function()
    for status, expected in pairs { [199] = "", [200] = "x", [299] = "x", [300] = "" } do
      local seen
      http.check_encoding(function(_, body)
        seen = body
        return {}
      end)(status, "x", "Content-Encoding: gzip\r\n")
      assert.equal(expected, seen)
    end
  end)

  it("says what is wrong with a response or a header", function()
    local parse = http.check_encoding(function() return errors.fail("response", "bad") end)
    fails("the response must have a whole number from 100 to 999 as its status, and strings as its body and header lines",
      { code = "response" }, parse("200", "", ""))
    local hint = "switch compression off in the server or in the proxy before it"
    local text = "the response has the content encoding gzip, br, although the request asked for none: " .. hint
    fails(text, { code = "response", status = 200, hint = hint },
      parse(200, "x", "Content-Encoding: gzip\r\ncontent-encoding:br\r\n"))
    fails("bad (" .. text .. ")", { code = "response" }, parse(500, "x", "Content-Encoding: gzip, br"))
    fails("the header X-A is missing", { code = "unauthorized", field = "X-A" }, http.request_header({}, "x-a", "X-A"))
    fails("the header X-A is missing", { code = "unauthorized", field = "X-A" }, http.request_header({ ["x-A"] = "" }, "x-a", "X-A"))
    fails("the header X-A is given more than once", { code = "unauthorized", field = "X-A" },
      http.request_header({ ["x-a"] = { "1", "2" } }, "x-a", "X-A"))
    fails("the header X-A is missing", { code = "unauthorized", field = "X-A" },
      http.request_header({ ["x-a"] = {} }, "x-a", "X-A"))
  end)
end)
