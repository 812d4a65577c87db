local core = require "pusher.core"
local settings = require "pusher.publisher.settings"

local function refused(given)
  local value, message, details = settings.check(given)
  assert.is_nil(value)
  assert.equal("config", details.code)
  return message
end

describe("pusher.publisher.settings", function()
  it("has the defaults of the reference", function()
    local checked = settings.check()
    assert.same({
      now = core.now, sleep = core.sleep, max_queue = 10000, overflow = "reject", linger = 0.005, max_in_flight = 8,
      retry = { attempts = 6, base = 0.1, max = 10 },
    }, checked)
  end)

  it("completes what is given and leaves it as it was", function()
    local given = { linger = 0, retry = { attempts = 1 } }
    local checked = settings.check(given)
    assert.same({ attempts = 1, base = 0.1, max = 10 }, checked.retry)
    assert.equal(0, checked.linger)
    assert.same({ linger = 0, retry = { attempts = 1 } }, given)
  end)

  it("knows two ways to handle a full queue", function()
    for _, overflow in ipairs { "reject", "drop_oldest" } do
      assert.equal(overflow, settings.check({ overflow = overflow }).overflow)
    end
    assert.equal('option "overflow" must be "reject" or "drop_oldest", got "drop"', refused { overflow = "drop" })
  end)

  it("refuses what cannot be meant, by name", function()
    for _, case in ipairs {
      { "max_queue", { max_queue = 0 } }, { "max_queue", { max_queue = 1.5 } }, { "max_queue", { max_queue = 0 / 0 } },
      { "overflow", { overflow = "drop" } }, { "linger", { linger = -1 } }, { "linger", { linger = 0 / 0 } },
      { "linger", { linger = math.huge } }, { "max_in_flight", { max_in_flight = 0 } },
      { "attempts", { retry = { attempts = 0 } } }, { "attempts", { retry = { attempts = -1 } } },
      { "attempts", { retry = { attempts = 0.5 } } },
      { "base", { retry = { base = -1 } } }, { "max", { retry = { max = math.huge } } },
      { "on_result", { on_result = true } }, { "max_queue", { max_queue = "10" } },
    } do
      assert.is_truthy(refused(case[2]):find(case[1], 1, true), case[1])
    end
  end)

  it("names the nearest option for an unknown one", function()
    assert.is_truthy(refused({ max_que = 1 }):find('"max_queue"', 1, true))
    assert.is_truthy(refused({ retry = { atempts = 1 } }):find('"retry.attempts"', 1, true))
  end)
end)
