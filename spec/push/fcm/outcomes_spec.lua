local errors = require "pusher.base.errors"
local outcomes = require "pusher.push.fcm.outcomes"

local DEVICE = { uid = "CAcGBQQDAgE", device_id = "secret-device-token", platform = "android" }

local function recorder(changes)
  local seen = { told = {}, removed = {}, logged = {} }
  local parts = {
    on_result = function(...)
      seen.told[#seen.told + 1] = { ... }
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
    parts[name] = value
  end
  return outcomes.new(parts), seen
end

local function gone(dead)
  return errors.fail("not_found", "FCM answered 404", { dead = dead, status = 404 })
end

describe("pusher.push.fcm.outcomes", function()
  it("counts and tells a message that was sent", function()
    local book, seen = recorder()
    local entry = { receipt = {}, device = DEVICE }
    book:judge(entry, { name = "m1" })
    assert.are.equal(1, book.counts.sent)
    assert.are.equal(entry.receipt, seen.told[1][1])
    assert.are.equal(DEVICE, seen.told[1][2])
    assert.are.equal("sent", seen.told[1][3])
    assert.is_nil(seen.told[1][4])
    assert.are.same({ name = "m1" }, seen.told[1][5])
    assert.are.same({}, seen.logged)
  end)

  local cases = {
    { "unregistered", { gone(true) } },
    { "failed", { gone() } },
    { "invalid", { errors.fail("invalid", "bad") } },
    { "invalid", { errors.fail("too_large", "big") } },
    { "closed", { errors.fail("closed", "stopped") } },
    { "failed", { errors.fail("network", "refused") } },
    { "failed", { errors.fail("unauthorized", "no") } },
  }
  for index, case in ipairs(cases) do
    it(("decides (%d) %s"):format(index, case[1]), function()
      local book, seen = recorder()
      book:judge({ device = DEVICE }, nil, case[2][2], case[2][3])
      assert.are.equal(1, book.counts[case[1]])
      assert.are.equal(case[1], seen.told[1][3])
      assert.are.equal(case[2][2], seen.told[1][4])
      assert.are.equal(case[1] == "unregistered" and 1 or 0, #seen.removed)
    end)
  end

  it("removes a dead device by user and id", function()
    local book, seen = recorder()
    book:judge({ device = DEVICE }, gone(true))
    assert.are.same({ { DEVICE.uid, DEVICE.device_id } }, seen.removed)
  end)

  it("removes nothing in a trial run, nor what belongs to no user", function()
    local book, seen = recorder { validate_only = true }
    book:judge({ device = DEVICE }, gone(true))
    assert.are.equal(1, book.counts.unregistered)
    book = recorder()
    book:judge({ device = { device_id = "t" } }, gone(true))
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
      local book, seen = recorder { remove = remove }
      book:judge({ device = DEVICE }, gone(true))
      assert.are.equal(1, book.counts.removals_failed)
      assert.are.equal(1, #seen.told)
      assert.are.equal("error", seen.logged[2].level)
      assert.matches("boom", seen.logged[2].message)
    end
    local book = recorder { remove = function() end }
    book:judge({ device = DEVICE }, gone(true))
    assert.are.equal(0, book.counts.removals_failed)
  end)

  it("survives an on_result and a logger that raise", function()
    local book, seen = recorder { on_result = function()
      error("boom")
    end }
    book:judge({ device = DEVICE }, { name = "m" })
    assert.matches("on_result raised: .*boom", seen.logged[1].message)
    book = recorder { log = function()
      error("boom")
    end }
    book:judge({ device = DEVICE }, gone())
    assert.are.equal(1, book.counts.failed)
  end)

  it("works without anybody to tell", function()
    local book = outcomes.new { log = function() end }
    book:judge({ device = DEVICE }, gone(true))
    book:record_receipt({}, "failed", "text", { code = "response" })
    assert.are.equal(1, book.counts.unregistered)
    assert.are.equal(1, book.counts.receipts_failed)
  end)

  it("tells of a receipt without devices", function()
    local book, seen = recorder()
    local receipt = {}
    book:record_receipt(receipt, "closed", "stopped", { code = "closed" })
    assert.are.equal(1, book.counts.receipts_closed)
    assert.are.equal(receipt, seen.told[1][1])
    assert.is_nil(seen.told[1][2])
    assert.are.equal("closed", seen.told[1][3])
  end)

  it("knows whether another coroutine is still telling", function()
    local book, inside
    book = recorder { on_result = function()
      inside = book:is_telling()
      error("boom")
    end }
    book:judge({ device = DEVICE }, { name = "m" })
    assert.is_false(inside)
    assert.is_false(book:is_telling())
    book.telling[coroutine.create(function() end)] = 1
    assert.is_true(book:is_telling())
  end)

  it("logs no device's token", function()
    local book, seen = recorder()
    for _, dead in ipairs { true, false } do
      book:judge({ device = DEVICE }, gone(dead))
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
end)
