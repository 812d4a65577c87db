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

  it("names the library", function()
    assert.same({ "X-Pusher-Library", "pusher-http-lua " .. headers.VERSION }, headers.LIBRARY)
    assert.equal(require("pusher")._VERSION, headers.VERSION)
  end)
end)
