local growth = require "spec.helpers.growth"
local json = require("pusher.base.json").new()
local responses = require "pusher.transport.recorder.responses"

describe("transport.recorder.responses", function()
  local set

  before_each(function()
    set = responses.new(json)
  end)

  local function statuses(...)
    local found = {}
    for index, path in ipairs { ... } do
      found[index] = set:take("POST", path).status or "none"
    end
    return table.concat(found, " ")
  end

  it("are taken in order, each as often as it says", function()
    assert.is_true(set:add { status = 500, times = 2 })
    assert.is_true(set:add { status = 429 })
    assert.equal("500 500 429 none", statuses("/a", "/a", "/a", "/a"))
    set:add { status = 501, times = math.huge }
    assert.equal("501 501 501", statuses("/a", "/a", "/a"))
  end)

  it("may be for one method, and for the end of a path", function()
    set:add { status = 500, path = "/events" }
    set:add { status = 501, method = "GET" }
    set:add { status = 502, path = "" }
    assert.equal("502 none", statuses("/apps/3/batch_events", "/batch_events"))
    assert.equal("none 500", statuses("vents", "/apps/3/events"))
    assert.equal(501, set:take("GET", "/apps/3/events").status)
  end)

  it("copy their tables", function()
    local given = { body = { a = 1 }, headers = { ["retry-after"] = 2 }, status = 200 }
    set:add(given)
    given.body.a, given.headers["retry-after"], given.status = 5, 5, 500
    local response = set:take("GET", "/")
    assert.equal('{"a":1}', response.body)
    assert.equal("Retry-After: 2", response.headers)
    assert.equal(200, response.status)
  end)

  it("take lists of headers, and numbers of requests that are whole", function()
    set:add { headers = { ["Retry-After"] = { 1, "2" }, Date = "x" }, method = "GET", times = 2.0 }
    assert.is_truthy(set:take("GET", "/").headers:find("Retry-After: 1\r\nRetry-After: 2", 1, true))
  end)

  it("fail as transports do", function()
    local retryable = { network = true, timeout = true, full = true }
    local unsent = { closed = true, config = true, full = true, invalid = true, tls = true }
    for _, code in ipairs { "network", "timeout", "too_large", "tls", "invalid", "full", "closed", "config" } do
      assert.is_true(set:add { code = code })
      local result, message, details = responses.fail(set:take("GET", "/"))
      assert.is_nil(result)
      assert.is_string(message)
      local expected = { code = code, retryable = retryable[code] or false }
      if unsent[code] then
        expected.sent = false
      end
      assert.same(expected, details)
    end
    set:add { code = "network", message = "gone", sent = false }
    local _, message, details = responses.fail(set:take("GET", "/"))
    assert.equal("gone", message)
    assert.is_false(details.sent)
  end)

  it("are refused when they are wrong", function()
    for _, case in ipairs {
      { { status = 99 }, "a whole number from 100 to 999, got 99" },
      { { status = 200, code = "network" }, 'headers; got code "network" and status 200' },
      { { code = "network", body = "" }, 'got code "network" and a body' },
      { { code = "network", headers = {} }, 'got code "network" and headers' },
      { { message = "m" }, "message and sent need a code" },
      { { sent = false }, "message and sent need a code" },
      { { code = "server" }, '"closed" or "config"' },
      { { times = 0 }, "a number of 1 or more, got 0" },
      { { times = 1.5 }, 'option "times" must be a whole number or math.huge' },
      { { method = "post" }, 'option "method" must be in capitals' },
      { { path = "/channels?x" }, 'option "path" must be without the query' },
      { { headers = { "Retry-After: 3" } }, 'option "headers" must map names' },
      { { headers = { a = {} } }, 'option "headers" must map names' },
      { { headers = { a = true } }, 'option "headers" must map names' },
      { { headers = { a = { "b", {} } } }, 'option "headers" must map names' },
      { { statsu = 1 }, 'did you mean "status"' },
      { { body = { 1, nil, 3 } }, "body: the value cannot be written as JSON" },
    } do
      local ok, message, details = set:add(case[1])
      assert.is_nil(ok)
      assert.matches(case[2], message, 1, true)
      assert.is_truthy(details.code)
    end
    assert.same({}, set:take("GET", "/"))
  end)

  it("are taken in a time that does not grow with their number", function()
    assert.is_nil(growth.fault(function(count)
      local many = responses.new(json)
      for _ = 1, count do
        many:add { status = 200 }
      end
      for _ = 1, count do
        many:take("GET", "/")
      end
    end, function(n) return n end, 2000))
  end)
end)
