local core = require "pusher.core"
local timeouts = require "pusher.transport.ngx.timeouts"

describe("pusher.transport.ngx.timeouts", function()
  local real_now, now, given

  before_each(function()
    real_now, now, given = core.now, 1000, nil
    core.now = function() return now end
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
      assert.is_true(timeouts.set({ socket = socket }, case[1], case[2]))
      assert.same({ case[3], case[3], case[3] }, given)
    end
  end)

  it("are not set when no time is left: 0 would mean nginx's default", function()
    for _, deadline in ipairs { 1000, 999, -math.huge } do
      local link = { socket = socket }
      assert.is_false(timeouts.set(link, deadline))
      assert.is_false(timeouts.update(link, deadline))
      assert.is_false(timeouts.set_both(link, deadline, 1005))
      assert.is_nil(given)
    end
  end)

  it("of connecting and of what follows are set at once", function()
    local link = { socket = socket }
    assert.is_true(timeouts.set_both(link, 1002, 1005))
    assert.same({ 2000, 5000, 5000 }, given)
  end)

  it("are not set again while they are the same", function()
    local link = { socket = socket }
    for _, before in ipairs { { "set_both", 1002, 1005 }, { "set", 1005 }, { "update", 1005 } } do
      now = 1000
      timeouts[before[1]](link, before[2], before[3])
      given = nil
      assert.is_true(timeouts.update(link, 1005))
      assert.is_nil(given)
      now = 1000.0015
      assert.is_true(timeouts.update(link, 1005))
      assert.same({ 4999, 4999, 4999 }, given)
    end
  end)

  it("are set again after those of a single wait", function()
    local link = { socket = socket }
    timeouts.set(link, 1005, 5)
    given = nil
    timeouts.update(link, 1005)
    assert.same({ 5000, 5000, 5000 }, given)
  end)
end)
