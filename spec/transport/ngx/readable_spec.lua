-- Without nginx's functions, as in stream {}. With them, spec/system/nginx/wire_check.lua shows what it is for.

local fake = require "spec.helpers.fake_ngx"
local readable = require "pusher.transport.ngx.readable"

describe("pusher.transport.ngx.readable", function()
  local real

  before_each(function()
    real = rawget(_G, "ngx")
    rawset(_G, "ngx", (fake.new { subsystem = "stream" }))
  end)

  after_each(function()
    rawset(_G, "ngx", real)
  end)

  local function socket(...)
    local received, timeouts = { ... }, nil
    return {
      settimeouts = function(_, ...)
        timeouts = { ... }
      end,
      receiveany = function()
        assert.same({ 1, 1, 1 }, timeouts)
        return received[1], received[2], received[3]
      end,
    }
  end

  it("is false while nothing comes", function()
    assert.is_false(readable.check { socket = socket(nil, "timeout") })
    assert.is_false(readable.check { socket = socket(nil, "timeout", "") })
  end)

  it("is true with bytes, an end, or an error", function()
    for _, received in ipairs { { "H" }, { nil, "timeout", "H" }, { nil, "closed" }, { nil, "connection reset by peer" } } do
      assert.is_true(readable.check { socket = socket(received[1], received[2], received[3]) })
    end
  end)
end)
