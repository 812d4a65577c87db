local core = require "pusher.core"
local idempotency = require "pusher.channels.idempotency"
local process = require "pusher_test.process"

describe("pusher.channels.idempotency", function()
  it("makes keys of 128 random bits and a serial number", function()
    local asked
    local keys = idempotency.new(function(count)
      asked = count
      return ("\255"):rep(count)
    end)
    local base = ("_"):rep(21) .. "w"
    assert.same({ base .. ":1", base .. ":2" }, { keys:next(), keys:next() })
    assert.equal(16, asked)
  end)

  it("makes other keys for each client", function()
    local one, other = idempotency.new(core.random):next(), idempotency.new(core.random):next()
    assert.not_equal(one, other)
    assert.equal(24, #one)
  end)

  it("makes other keys in a forked child, and goes on in the parent", function()
    local keys = idempotency.new(core.random)
    local base = keys:next():match("^(.*):1$")
    assert.equal(0, process.run(function()
      local own = keys:next():match("^(.*):1$")
      assert(own and own ~= base, "the child repeats its parent's base")
    end, 30))
    assert.equal(base .. ":2", keys:next())
  end)
end)
