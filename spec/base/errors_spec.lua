local errors = require "pusher.base.errors"

describe("pusher.base.errors", function()
  it("makes the failure triple", function()
    local value, message, details = errors.fail("timeout", "too slow", { field = "x" })
    assert.is_nil(value)
    assert.equal("too slow", message)
    assert.same({ code = "timeout", retryable = true, field = "x" }, details)
  end)

  it("gives fresh details each time and does not change the caller's table", function()
    local given = { field = "x" }
    local _, _, first = errors.fail("invalid", "a", given)
    local _, _, second = errors.fail("invalid", "a", given)
    assert.not_equal(first, second)
    assert.same({ field = "x" }, given)
  end)

  -- Whether the same call may succeed later, as the table of docs/errors.md has it.
  it("knows of each code whether it is retryable", function()
    local expected = {
      invalid = false, config = false, encryption = false, network = true, timeout = true, tls = false,
      unauthorized = false, clock = false, forbidden = false, not_found = false, too_large = false, rate_limited = true,
      server = true, response = false, full = true, pending = false, closed = false,
    }
    assert.same(expected, errors.CODES)
    for code, retryable in pairs(expected) do
      assert.equal(retryable, select(3, errors.fail(code, "a")).retryable)
    end
    assert.is_false(select(3, errors.fail("of a custom transport", "a")).retryable)
  end)

  it("lets the caller say whether a failure is retryable", function()
    local _, _, details = errors.fail("network", "a", { retryable = false })
    assert.is_false(details.retryable)
  end)
end)
