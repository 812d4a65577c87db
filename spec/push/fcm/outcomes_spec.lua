local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local outcomes = require "pusher.push.fcm.outcomes"

local DEVICE = { uid = "CAcGBQQDAgE", device_id = "secret-device-token", platform = "android" }

local function recorder(changes)
  local seen = { reported = {}, removed = {}, logged = {} }
  local options = {
    on_result = function(...)
      seen.reported[#seen.reported + 1] = { ... }
    end,
    remove = function(...)
      seen.removed[#seen.removed + 1] = { ... }
      return true
    end,
    log = function(level, message, fields)
      seen.logged[#seen.logged + 1] = { level = level, message = message, fields = fields }
    end,
  }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  options.callbacks = callback.new(options.log)
  return outcomes.new(options, options.validate_only), seen
end

local function gone(dead)
  return errors.fail("not_found", "FCM responded with status 404", { dead = dead, status = 404 })
end

describe("pusher.push.fcm.outcomes", function()
  it("counts and reports a message that was sent", function()
    local made, seen = recorder()
    local entry = { receipt = {}, device = DEVICE }
    made:judge(entry, { name = "m1" })
    assert.are.equal(1, made.counts.sent)
    assert.are.equal(entry.receipt, seen.reported[1][1])
    assert.are.equal(DEVICE, seen.reported[1][2])
    assert.are.equal("sent", seen.reported[1][3])
    assert.is_nil(seen.reported[1][4])
    assert.are.same({ name = "m1" }, seen.reported[1][5])
    assert.are.same({}, seen.logged)
  end)

  local cases = {
    { "unregistered", { gone(true) } },
    { "failed", { gone() } },
    { "invalid", { errors.fail("invalid", "bad") } },
    { "invalid", { errors.fail("too_large", "big", { status = 413 }) } },
    { "failed", { errors.fail("too_large", "the response is larger than max_response_bytes") } },
    { "closed", { errors.fail("closed", "stopped") } },
    { "failed", { errors.fail("network", "refused") } },
    { "failed", { errors.fail("unauthorized", "no") } },
  }
  for index, case in ipairs(cases) do
    it(("decides (%d) %s"):format(index, case[1]), function()
      local made, seen = recorder()
      made:judge({ device = DEVICE }, nil, case[2][2], case[2][3])
      assert.are.equal(1, made.counts[case[1]])
      assert.are.equal(case[1], seen.reported[1][3])
      assert.are.equal(case[2][2], seen.reported[1][4])
      assert.are.equal(case[1] == "unregistered" and 1 or 0, #seen.removed)
    end)
  end

  it("removes a dead device by user and id", function()
    local made, seen = recorder()
    made:judge({ device = DEVICE }, gone(true))
    assert.are.same({ { DEVICE.uid, DEVICE.device_id } }, seen.removed)
  end)

  it("removes nothing in a trial run, nor what belongs to no user", function()
    local made, seen = recorder { validate_only = true }
    made:judge({ device = DEVICE }, gone(true))
    assert.are.equal(1, made.counts.unregistered)
    made = recorder()
    made:judge({ device = { device_id = "t" } }, gone(true))
    assert.are.same({}, seen.removed)
  end)

  it("counts removals that fail, however they do", function()
    for _, remove in ipairs {
      function()
        error("boom")
      end,
      function()
        return nil, "boom"
      end,
    } do
      local made, seen = recorder { remove = remove }
      made:judge({ device = DEVICE }, gone(true))
      assert.are.equal(1, made.counts.removals_failed)
      assert.are.equal(1, #seen.reported)
      assert.are.equal("error", seen.logged[2].level)
      assert.matches("boom", seen.logged[2].message)
    end
    local made = recorder { remove = function() end }
    made:judge({ device = DEVICE }, gone(true))
    assert.are.equal(0, made.counts.removals_failed)
  end)

  it("survives an on_result and a logger that raise", function()
    local made, seen = recorder { on_result = function()
      error("boom")
    end }
    made:judge({ device = DEVICE }, { name = "m" })
    assert.matches("on_result raised: .*boom", seen.logged[1].message)
    made = recorder { log = function()
      error("boom")
    end }
    made:judge({ device = DEVICE }, gone())
    assert.are.equal(1, made.counts.failed)
  end)

  it("works without on_result and remove", function()
    local log = function() end
    local made = outcomes.new { log = log, callbacks = callback.new(log) }
    made:judge({ device = DEVICE }, gone(true))
    made:record_receipt({}, "failed", "text", { code = "response" })
    assert.are.equal(1, made.counts.unregistered)
    assert.are.equal(1, made.counts.receipts_failed)
  end)

  it("reports a receipt without devices", function()
    local made, seen = recorder()
    local receipt = {}
    made:record_receipt(receipt, "closed", "stopped", { code = "closed" })
    assert.are.equal(1, made.counts.receipts_closed)
    assert.are.equal(receipt, seen.reported[1][1])
    assert.is_nil(seen.reported[1][2])
    assert.are.equal("closed", seen.reported[1][3])
  end)

  it("reports a receipt although memory is short for the log", function()
    local made, seen = recorder()
    local text = setmetatable({}, { __concat = function() error("not enough memory", 0) end })
    made:record_receipt({}, "failed", text, { code = "response" })
    assert.are.equal(1, #seen.reported)
  end)

  it("adds its counts", function()
    local made = recorder()
    made:count_receipt()
    made:judge({ device = DEVICE }, { name = "m" })
    local stats = { other = 1 }
    made:add_stats(stats)
    assert.are.same({ other = 1, sent = 1, skipped = 0, unregistered = 0, invalid = 0, failed = 0, closed = 0, receipts = 1,
      receipts_failed = 0, receipts_closed = 0, removals_failed = 0 }, stats)
  end)

  it("logs no device's token", function()
    local made, seen = recorder()
    for _, dead in ipairs { true, false } do
      made:judge({ device = DEVICE }, gone(dead))
    end
    assert.are.equal(2, #seen.logged)
    for _, line in ipairs(seen.logged) do
      local text = line.message
      for _, value in pairs(line.fields) do
        text = text .. " " .. tostring(value)
      end
      assert.is_nil(text:find("secret-device-token", 1, true))
    end
  end)

  it("says what was not delivered or removed", function()
    local made, seen = recorder { remove = function() return nil, "no" end }
    made:judge({ device = DEVICE }, gone(true))
    assert.same({ { "info", "push not delivered: FCM responded with status 404" },
      { "error", "a dead device could not be removed: no" } },
      { { seen.logged[1].level, seen.logged[1].message }, { seen.logged[2].level, seen.logged[2].message } })
    made:judge({ device = DEVICE }, gone())
    made:record_receipt({}, "failed", "the store failed", { code = "response" })
    assert.same({ "warn", "error", "push not delivered: the store failed" },
      { seen.logged[3].level, seen.logged[4].level, seen.logged[4].message })
  end)
end)
