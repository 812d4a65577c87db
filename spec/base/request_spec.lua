local requests = require "pusher.base.request"

local function valid(changes)
  local request = { method = "POST", scheme = "https", host = "h", port = 1, target = "/", headers = { { "A", "b" } }, body = "c",
    timeout = 5, once = true }
  for name, value in pairs(changes or {}) do
    request[name] = value
  end
  return request
end

describe("pusher.base.request", function()
  it("copies a request", function()
    local given = valid()
    local read = assert(requests.read(given))
    assert.same(given, read)
    assert.is_false(rawequal(given, read) or rawequal(given.headers, read.headers))
  end)

  it("has the headers of an earlier copy when they are the same", function()
    local copy = assert(requests.read(valid { headers = { { "A", "b" }, { "C", "d" } } })).headers
    local function read(headers)
      return (requests.read(valid { headers = headers }, copy) or {}).headers
    end
    assert.is_true(rawequal(copy, read { { "A", "b" }, { "C", "d" } }))
    for _, headers in ipairs { {}, { { "A", "b" } }, { { "A", "b" }, { "C", "e" } }, { { "A", "b" }, { "c", "d" } },
      { { "A", "b" }, { "C", "d" }, { "E", "f" } } } do
      assert.same(headers, read(headers))
    end
    for _, last in ipairs { { "C", 5 }, { 5, "d" }, "C: d", false } do
      assert.is_nil(read { { "A", "b" }, last })
    end
    assert.same({}, requests.read(valid { headers = {} }, {}).headers)
  end)

  it("fills in the port and the headers", function()
    local least = { method = "GET", scheme = "http", host = "h", target = "/" }
    assert.same({ 80, {} }, { requests.read(least).port, requests.read(least).headers })
    least.scheme = "https"
    assert.equal(443, requests.read(least).port)
  end)

  it("refuses fields of wrong types, and values that no request has", function()
    for _, case in ipairs {
      { "method", 5, "bad request field 'method' (string expected, got number)" },
      { "method", false, "bad request field 'method' (string expected, got boolean)" },
      { "port", "80", "bad request field 'port' (number expected, got string)" },
      { "body", {}, "bad request field 'body' (string expected, got table)" },
      { "once", 1, "bad request field 'once' (boolean expected, got number)" },
      { "headers", { "A: b" }, "bad request field 'headers' (list of {name, value} expected)" },
      { "headers", { { "A", 5 } }, "bad request field 'headers' (list of {name, value} expected)" },
      { "scheme", "ftp", "the scheme must be http or https" },
      { "host", ("h"):rep(256), "the host must be a name or an IP address" },
      { "port", 0, "the port must be a whole number from 1 to 65535" },
      { "port", 65536, "the port must be a whole number from 1 to 65535" },
      { "port", 1.5, "the port must be a whole number from 1 to 65535" },
      { "timeout", 0, "the timeout must be above zero" },
      { "timeout", 0 / 0, "the timeout must be above zero" },
    } do
      local read, message, details = requests.read(valid { [case[1]] = case[2] })
      assert.is_nil(read)
      assert.equal(case[3], message)
      assert.same({ code = "invalid", retryable = false, field = case[1], sent = false }, details)
    end
  end)

  it("does not look at metatables", function()
    local raising = { __index = function() error("looked at") end, __len = function() error("looked at") end }
    local given = setmetatable(valid { headers = setmetatable({ setmetatable({ "A", "b" }, raising) }, raising) }, raising)
    given.body = nil
    assert.is_truthy(requests.read(given))
  end)

  it("makes a failure of what C raises, but not of a lack of memory", function()
    local result, message, details = requests.failure("bad request field 'body' (string expected, got table)")
    assert.is_nil(result)
    assert.equal("bad request field 'body' (string expected, got table)", message)
    assert.same({ code = "invalid", retryable = false, sent = false }, details)
    assert.has_error(function() requests.failure("not enough memory") end, "not enough memory")
  end)
end)
