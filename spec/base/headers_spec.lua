local headers = require "pusher.base.headers"

describe("pusher.base.headers", function()
  it("adds what every request has to a request's own", function()
    local own = { { "X", "y" } }
    local complete = headers.complete(own)
    assert.equal(own, complete)
    assert.same({ { "X", "y" }, { "Accept", "application/json" }, { "Accept-Encoding", "identity" },
      { "User-Agent", "pusher-http-lua/" .. headers.VERSION } }, complete)
    assert.equal(3, #headers.complete {})
  end)

  it("copies a list of four or more, and gives the values by name", function()
    for count = 4, 6 do
      local list, map = {}, {}
      for index = 1, count do
        list[index], map["name " .. index] = { "name " .. index, index }, index
      end
      local copy, by_name = headers.copy(list)
      assert.same(list, copy)
      assert.same(map, by_name)
      for index = 1, count do
        assert.not_equal(list[index], copy[index])
      end
    end
  end)

  it("names the library", function()
    assert.same({ "X-Pusher-Library", "pusher-http-lua " .. headers.VERSION }, headers.LIBRARY)
    assert.equal(require("pusher")._VERSION, headers.VERSION)
  end)
end)
