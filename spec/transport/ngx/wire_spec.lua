local fails = require "spec.helpers.fails"
local wire = require "pusher.transport.ngx.wire"

local function request(over)
  local full = { method = "POST", scheme = "http", host = "api.test", port = 80, target = "/apps/3/events?x=%2f",
    headers = { { "Content-Type", "application/json" }, { "X-Empty", "" } }, body = "{}" }
  for name, value in pairs(over or {}) do
    full[name] = value or nil
  end
  return full
end

describe("pusher.transport.ngx.wire", function()
  it("sends the signed request unchanged", function()
    assert.equal("POST /apps/3/events?x=%2f HTTP/1.1\r\nHost: api.test\r\nContent-Type: application/json\r\nX-Empty: \r\n"
      .. "Content-Length: 2\r\n\r\n{}", wire.request(request(), { authority = "api.test" }, true))
  end)

  it("gives a GET no length, and a POST without a body one", function()
    local plan = { authority = "api.test" }
    local get = wire.request(request { method = "GET", body = false, headers = false }, plan, true)
    assert.equal("GET /apps/3/events?x=%2f HTTP/1.1\r\nHost: api.test\r\n\r\n", get)
    local post = wire.request(request { body = false }, plan, true)
    assert.is_truthy(post:find("\r\nContent-Length: 0\r\n\r\n", 1, true))
  end)

  it("says so when the connection will not be kept", function()
    local text = wire.request(request(), { authority = "api.test" }, false)
    assert.is_truthy(text:find("\r\nConnection: close\r\n\r\n{}", 1, true))
  end)

  it("addresses a proxy", function()
    local plan = { authority = "api.test", origin = "http://api.test", credentials = "bWU6eA==", tunnel = "api.test:443" }
    local text = wire.request(request(), plan, true)
    assert.is_truthy(text:find("^POST http://api%.test/apps/3/events%?x=%%2f HTTP/1%.1\r\nHost: api%.test\r\n"))
    assert.is_truthy(text:find("\r\nProxy-Authorization: Basic bWU6eA==\r\n", 1, true))
    assert.equal("CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\nProxy-Authorization: Basic bWU6eA==\r\n\r\n",
      wire.connect(plan))
  end)

  it("keeps the proxy's credentials from the server behind a tunnel", function()
    local plan = { authority = "api.test", tunnel = "api.test:443", credentials = "bWU6eA==" }
    assert.is_nil(wire.request(request(), plan, true):find("Proxy-Authorization", 1, true))
  end)

  it("accepts what stays in its place", function()
    for _, over in ipairs { {}, { headers = false }, { host = "::1", headers = { { "X-Tab", "a\tb \228" } } } } do
      assert.is_string(wire.request(request(over), { authority = "api.test" }, true))
    end
  end)

  it("refuses what would break out of its place", function()
    for _, over in ipairs {
      { method = "POST / HTTP/1.1\r\nX: y" }, { method = "" }, { method = "get" },
      { host = "a b" }, { host = "a\r\nb" }, { host = "user@a" }, { host = "" }, { host = "a/b" },
      { target = "" }, { target = "x" }, { target = "/a b" }, { target = "/a\r\nX: y" }, { target = "/\0" }, { target = "/\127" },
      { headers = { { "A", "b\r\nC: d" } } }, { headers = { { "A", "\0" } } }, { headers = { { "A B", "c" } } },
      { headers = { { "A:", "c" } } }, { headers = { { "", "c" } } }, { headers = { { "A\n", "c" } } },
    } do
      local bytes, message, details = wire.request(request(over), { authority = "api.test" }, true)
      assert.is_nil(bytes)
      assert.equal("invalid", details.code)
      assert.is_false(details.sent)
      assert.equal(("the request's %s contains characters that cannot be sent"):format(details.field), message)
    end
  end)

  it("says which part cannot be sent", function()
    for part, value in pairs { method = "get", host = "a b", target = "x", header = "" } do
      local over = part == "header" and { headers = { { value, "x" } } } or { [part] = value }
      fails(("the request's %s contains characters that cannot be sent"):format(part),
        { code = "invalid", field = part, sent = false }, wire.request(request(over), { authority = "api.test" }, true))
    end
  end)
end)
