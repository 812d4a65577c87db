local retry = require "pusher.base.retry"

local SETTINGS = { base = 0.1, max = 10 }

describe("pusher.base.retry", function()
  it("doubles up to the maximum, the second half left to chance", function()
    local shortest, longest = {}, {}
    for attempts = 1, 8 do
      shortest[attempts] = retry.delay(SETTINGS, attempts, nil, 0)
      longest[attempts] = retry.delay(SETTINGS, attempts, nil, 1)
    end
    assert.same({ 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10 }, longest)
    for attempts = 1, 8 do
      assert.is_true(math.abs(shortest[attempts] - longest[attempts] / 2) < 1e-9)
    end
  end)

  it("makes a chance of random bytes", function()
    local function of(bytes)
      return retry.chance(function(count)
        return bytes:sub(1, count)
      end)
    end
    assert.equal(0, of "\0\0")
    assert.equal(0.5, of "\128\0")
    assert.is_true(of "\255\255" < 1)
  end)

  it("stays finite however often it is asked", function()
    assert.equal(10, retry.delay(SETTINGS, 1e9, nil, 1))
    assert.equal(0, retry.delay({ base = 0, max = 10 }, 1e9, nil, 1))
    for _, attempts in ipairs { 30, 31, 1e9 } do
      assert.equal(2 ^ 30, retry.delay({ base = 1, max = 2 ^ 31 }, attempts, nil, 1))
    end
  end)

  it("waits as long as the server asked, and a little more by chance", function()
    assert.equal(30, retry.delay(SETTINGS, 1, 30, 0))
    assert.is_true(retry.delay(SETTINGS, 1, 30, 0.5) > 30)
    assert.is_true(retry.delay(SETTINGS, 1, 30, 0.999) <= 30.1)
  end)

  it("pauses as long as the server asks, an hour at most, and for a second after a 429 that does not say", function()
    assert.equal(7, retry.pause { code = "server", retry_after = 7 })
    assert.equal(3600, retry.pause { code = "server", retry_after = 1e9 })
    assert.equal(0, retry.pause { code = "rate_limited", retry_after = 0 })
    assert.equal(1, retry.pause { code = "rate_limited" })
    assert.is_nil(retry.pause { code = "server" })
  end)

  it("keeps its own delay when the server asks for less", function()
    assert.equal(5, retry.delay(SETTINGS, 9, 1, 0))
    assert.equal(5, retry.delay(SETTINGS, 9, -1, 0))
  end)
end)
