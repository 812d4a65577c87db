local json = require("pusher.base.json").new()
local view = require "pusher.transport.recorder.view"

describe("transport.recorder.view", function()
  local function of(target, body)
    return view.of({ method = "POST", scheme = "https", host = "h", port = 443, target = target, timeout = 5, body = body,
      headers = { { "Content-Type", "application/json" }, { "X-A", "b" } } }, json)
  end

  it("takes a request apart", function()
    assert.same({
      method = "POST", scheme = "https", host = "h", port = 443, path = "/a%20b", timeout = 5, body = '{"a":[1]}',
      query = { ["a b"] = "c=d&e", f = "", g = "" }, headers = { ["content-type"] = "application/json", ["x-a"] = "b" },
      json = { a = { 1 } },
    }, of("/a%20b?a%20b=c=d%26e&f=&g", '{"a":[1]}'))
  end)

  it("has no json where there is none", function()
    for _, body in ipairs { "", "{" } do
      local seen = of("/", body)
      assert.equal(body, seen.body)
      assert.is_nil(seen.json)
      assert.same({}, seen.query)
    end
    assert.is_nil(of("/").json)
  end)

  it("knows the part of a path after the app", function()
    assert.equal("/events", view.of_app("/apps/3/events"))
    assert.equal("/channels/a/users", view.of_app("/prefix/apps/3/channels/a/users"))
    assert.is_nil(view.of_app("/apps/3"))
    assert.is_nil(view.of_app("/publishes/interests"))
  end)

  it("reads info", function()
    assert.same({ "user_count", "cache" }, view.info("user_count,cache"))
    assert.same({}, view.info(""))
    assert.same({}, view.info({}))
  end)
end)
