local retry = require "pusher.publisher.retry"

local SETTINGS = { base = 0.2, max = 10 }

describe("pusher.publisher.retry", function()
  it("doubles up to the maximum, the second half left to chance", function()
    local shortest, longest = {}, {}
    for attempt = 1, 8 do
      shortest[attempt] = retry.delay(SETTINGS, attempt, nil, 0)
      longest[attempt] = retry.delay(SETTINGS, attempt, nil, 1)
    end
    assert.same({ 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10 }, longest)
    for attempt = 1, 8 do
      assert.is_true(math.abs(shortest[attempt] - longest[attempt] / 2) < 1e-9)
    end
  end)

  it("stays finite however often it is asked", function()
    assert.equal(10, retry.delay(SETTINGS, 1e9, nil, 1))
  end)

  it("waits as long as the server asked, and a little more by chance", function()
    assert.equal(30, retry.delay(SETTINGS, 1, 30, 0))
    assert.is_true(retry.delay(SETTINGS, 1, 30, 0.5) > 30)
    assert.is_true(retry.delay(SETTINGS, 1, 30, 0.999) <= 30.2)
  end)

  it("keeps its own delay when the server asks for less", function()
    assert.equal(5, retry.delay(SETTINGS, 9, 1, 0))
    assert.equal(5, retry.delay(SETTINGS, 9, -1, 0))
  end)

  it("does not wait for ever", function()
    assert.equal(retry.LONGEST, retry.delay(SETTINGS, 1, 1e12, 0))
    assert.equal(retry.LONGEST, retry.delay(SETTINGS, 1, math.huge, 0))
  end)
end)
