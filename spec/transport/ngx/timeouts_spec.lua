local core = require "pusher.core"
local timeouts = require "pusher.transport.ngx.timeouts"

describe("pusher.transport.ngx.timeouts", function()
  local real_now, given

  before_each(function()
    real_now, given = core.now, nil
    core.now = function() return 1000 end
  end)

  after_each(function()
    core.now = real_now
  end)

  local socket = {
    settimeouts = function(_, ...)
      given = { ... }
    end,
  }

  it("end at the deadline, or earlier", function()
    for _, case in ipairs {
      { 1005, nil, 5000 }, { 1005, 2, 2000 }, { 1001, 2, 1000 }, { 1000.0001, nil, 1 }, { 1000 + 2 ^ 31, nil, 2147483647 },
      { math.huge, nil, 2147483647 },
    } do
      assert.is_true(timeouts.set(socket, case[1], case[2]))
      assert.same({ case[3], case[3], case[3] }, given)
    end
  end)

  it("are not set when no time is left: 0 would mean nginx's default", function()
    for _, deadline in ipairs { 1000, 999, -math.huge } do
      assert.is_false(timeouts.set(socket, deadline))
      assert.is_nil(given)
    end
  end)
end)
