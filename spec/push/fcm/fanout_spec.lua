local callback = require "pusher.base.callback"
local config = require "pusher.push.fcm.config"
local fails = require "spec.helpers.fails"
local fanout = require "pusher.push.fcm.fanout"
local json = assert(require("pusher.base.json").new())
local message = require "pusher.push.fcm.message"
local outcomes = require "pusher.push.fcm.outcomes"
local world = require "spec.helpers.fcm_world"

local ANN = "CAcGBQQDAgE"

local function no_log() end

local function new(devices, settings)
  local reported = {}
  local callbacks = callback.new(no_log)
  local options = {
    callbacks = callbacks,
    devices = type(devices) == "function" and devices or function()
      return devices
    end,
    json = json,
    clock = function()
      return 1600000000
    end,
    log = no_log,
    on_result = function(_, device, outcome)
      reported[#reported + 1] = (device and tostring(device.device_id) or "receipt") .. " " .. outcome
    end,
  }
  return fanout.new(options, assert(config.check(settings or {})), outcomes.new(options)), reported
end

local function receipt()
  return world.receipt { [ANN] = { unread = 1 } }
end

describe("pusher.push.fcm.fanout", function()
  it("looks up the devices of one receipt at a time, when asked for work", function()
    local lookups = 0
    local made = new(function()
      lookups = lookups + 1
      return { [ANN] = { { device_id = "a" }, { device_id = "b" } } }
    end)
    assert.is_true(made:is_empty())
    assert.is_true(made:push(receipt()))
    assert.is_true(made:push(receipt()))
    assert.is_false(made:is_empty())
    assert.are.equal(0, lookups)
    local job, moved = made:next_job()
    assert.is_nil(job)
    assert.is_true(moved)
    assert.are.equal(1, lookups)
    assert.are.same({ 1, 2 }, { made:waiting() })
    job = made:next_job()
    assert.are.equal("a", job.device.device_id)
    assert.are.equal("b", made:next_job().device.device_id)
    assert.are.equal(1, lookups)
    made:next_job()
    assert.are.equal(2, lookups)
  end)

  it("says when there is nothing to do", function()
    local job, moved = new({}):next_job()
    assert.is_nil(job)
    assert.is_false(moved)
  end)

  it("hands out a copy of the device, with its user", function()
    local record = { device_id = "a", platform = "ios", last_seen = 5 }
    local made = new { [ANN] = { record } }
    made:push(receipt())
    made:next_job()
    assert.are.same({ uid = ANN, device_id = "a", platform = "ios" }, made:next_job().device)
    assert.are.same({ device_id = "a", platform = "ios", last_seen = 5 }, record)
  end)

  it("records a device whose message is not acceptable, and goes on", function()
    local made, reported = new({ [ANN] = { { device_id = "a", platform = "ios" }, { device_id = "b", platform = "web" } } })
    -- What only the message for iOS has, its title and body, takes it over the limit.
    local big, bytes = receipt(), 0
    for name, value in pairs(message.data(big)) do
      bytes = bytes + #name + #value
    end
    big.payload.topic = big.payload.topic .. ("t"):rep(message.MAX_BYTES - bytes)
    assert.is_true(made:push(big))
    made:next_job()
    local job, moved = made:next_job()
    assert.is_nil(job)
    assert.is_true(moved)
    assert.are.equal("b", made:next_job().device.device_id)
    assert.are.same({ "a invalid" }, reported)
  end)

  it("gives up what waits", function()
    local made, reported = new { [ANN] = { { device_id = "a" }, { device_id = "b" } } }
    made:push(receipt())
    made:push(receipt())
    made:push_message { token = "c" }
    made:next_job()
    made:abandon("stopped", { code = "closed" })
    assert.are.same({ "a closed", "b closed", "receipt closed", "c closed" }, reported)
    assert.is_true(made:is_empty())
    assert.are.equal("closed", select(3, made:push(receipt())).code)
    assert.are.equal("closed", select(3, made:push_message { token = "c" }).code)
  end)

  it("loses nothing that it gives up when memory is short", function()
    local made, reported = new { [ANN] = { { device_id = "a" } } }
    made:push(receipt())
    made:push(receipt())
    made:push_message { token = "c" }
    made:next_job()
    local reads = 0
    local details = setmetatable({}, { __index = function() -- read when a failure is made
      reads = reads + 1
      return reads % 2 == 0 and "closed" or error("not enough memory", 0)
    end })
    for _ = 1, 4 do
      pcall(made.abandon, made, "stopped", details)
    end
    assert.are.same({ "a closed", "receipt closed", "c closed" }, reported)
  end)

  it("gives up devices that are found after the end, as a store that yields may do", function()
    local made, reported
    made, reported = new(function()
      made:abandon("stopped", { code = "closed" })
      return { [ANN] = { { device_id = "late" } } }
    end)
    made:push(receipt())
    made:next_job()
    assert.are.same({ "late closed" }, reported)
  end)

  it("counts a receipt whose devices are being looked up as waiting", function()
    local made
    local seen
    made = new(function()
      seen = made:waiting()
      return {}
    end)
    made:push(receipt())
    made:next_job()
    assert.are.equal(1, seen)
    assert.are.equal(0, (made:waiting()))
  end)

  it("says what is wrong", function()
    local seen = {}
    local function made(devices)
      local one = new(devices, { buffer = 1 })
      one.options.on_result = function(...)
        seen = { ... }
      end
      return one
    end
    local one = made({ [ANN] = { { device_id = 5 } } })
    assert.is_true(one:push(receipt()))
    fails("the queue is full: 1 receipts are waiting, the limit is 1", { code = "full", limit = 1 }, one:push(receipt()))
    one:next_job()
    fails('a device needs a string device_id, and kind "token" or "fid"', { code = "invalid", field = "device_id" },
      nil, seen[4], seen[5])
    one = made(function() end)
    one:push(receipt())
    one:next_job()
    fails("the device store failed: it must return a table, got nil", { code = "response" }, nil, seen[4], seen[5])
    one:abandon("the end", { code = "closed" })
    fails("the FCM handler has been stopped", { code = "closed" }, one:push(receipt()))
  end)
end)
