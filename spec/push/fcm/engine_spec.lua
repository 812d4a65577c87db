local account = require "tools.local_server.account"
local config = require "pusher.push.fcm.config"
local credentials = require "pusher.push.fcm.credentials"
local engine = require "pusher.push.fcm.engine"
local json = assert(require("pusher.base.json").new())
local world = require "spec.helpers.fcm_world"

local ANN = "CAcGBQQDAgE"

local function new(fake, given, changes)
  given = given or {}
  return engine.new {
    options = fake:options({ [ANN] = { { device_id = "a" }, { device_id = "b" } } }, changes),
    json = json, given = given, config = assert(config.check(given)),
    account = assert(credentials.load({ credentials = account.new() }, function() end, json)),
  }
end

describe("pusher.push.fcm.engine", function()
  it("takes the driver that suits the transport", function()
    assert.is_true(assert(new(world.new())).blocks)
    assert.is_false(assert(new(world.new { deferred = true })).blocks)
  end)

  it("makes a transport from the configuration, and closes no other", function()
    local fake = world.new()
    local made = assert(new(fake, { timeout = 3 }, { transport = "curl" }))
    assert.are.equal("curl", made.transport.name)
    made:close()
    assert.is_nil(made.transport.handle)
    assert(new(fake)):close()
    assert.is_nil(fake.transport.closed)
  end)

  it("takes JSON's null for absent", function()
    local null = require("cjson").null
    assert(new(world.new(), { proxy = null, keepalive = null }, { transport = "curl" })):close()
  end)

  it("fails without a transport, and with options that it refuses", function()
    for _, case in ipairs { { { proxy = "ftp://x" }, "curl" }, { { proxy = 5 } }, { { tls_verify = "no" } },
      { { keepalive = { idle = -1 } } }, { { connect_timeout = 0 } }, { {}, "pigeon" } } do
      local made, message, details = new(world.new(), case[1], { transport = case[2] or "async" })
      assert.is_nil(made)
      assert.is_string(message)
      assert.are.equal("config", details.code)
    end
  end)

  it("is idle when everything has ended, and says what has not", function()
    local fake = world.new { latency = 1 }
    local made = assert(new(fake))
    assert.is_true(made:is_idle())
    assert.is_true(made:accept("push", world.receipt { [ANN] = {} }))
    assert.is_false(made:is_idle())
    assert.is_false(made:work(0))
    local _, message, details = made:unfinished()
    assert.matches("^0 receipts and 1 messages", message)
    assert.are.equal("timeout", details.code)
    assert.is_true(made:work(10))
    assert.is_true(made:is_idle())
    local stats = {}
    made:add_stats(stats)
    assert.are.equal(2, stats.sent)
  end)
end)
