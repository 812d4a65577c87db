local core = require "pusher.core"

describe("pusher.core's encrypted channels", function()
  it("give the shared secret as the channel's key in base64", function()
    local master = ("m"):rep(32)
    assert.equal(core.base64_encode(core.channel_key("private-encrypted-a", master)),
      core.shared_secret("private-encrypted-a", master))
  end)
end)
