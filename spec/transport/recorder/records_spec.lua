local json = require("pusher.base.json").new()
local records = require "pusher.transport.recorder.records"

describe("transport.recorder.records", function()
  local made

  local function request(target)
    return { method = "GET", scheme = "http", host = "h", port = 80, target = target, headers = {} }
  end

  local function text(status, body, headers)
    return ("%d %s %s"):format(status, body, headers)
  end

  before_each(function()
    made = records.new(json)
  end)

  it("keep requests with their outcomes, and number them", function()
    local first, second = made:add(request("/a")), made:add(request("/b"))
    assert.is_true(made:respond { code = "timeout", path = "/b" })
    assert.equal("200 {} ", made:outcome(first, text))
    assert.equal("timeout", select(3, made:outcome(second, text)).code)
    local list = made:list()
    assert.same({ "/a", 200, "/b", "timeout" }, { list[1].path, list[1].status, list[2].path, list[2].code })
    made:reset()
    assert.same({}, made:list())
    assert.equal(3, made:add(request("/c")).number)
    assert.equal(3, made.count)
  end)

  it("have a body without a set one on success only", function()
    made:respond { status = 299 }
    made:respond { status = 300 }
    assert.equal("299 {} ", made:outcome(made:add(request("/a")), text))
    assert.equal("300  ", made:outcome(made:add(request("/a")), text))
  end)

  it("copy what a transport is given, and refuse it once closed", function()
    local given = request("/a")
    local read = made:read(given)
    assert.same(given, read)
    assert.are_not.equal(given, read)
    assert.equal("invalid", select(3, made:read({})).code)
    made:close()
    assert.same({ code = "closed", retryable = false, sent = false }, select(3, made:read(given)))
  end)

  it("copy the request of a further attempt, when there is one", function()
    local attempts = { request = function() return request("/again") end }
    function attempts.delay(_, details)
      return details.again and 0 or nil
    end
    assert.equal("/again", records.next_request(attempts, { again = true }).target)
    assert.is_nil(records.next_request(attempts, {}))
    function attempts.request()
      return nil, "closed", {}
    end
    assert.is_nil(records.next_request(attempts, { again = true }))
  end)
end)
