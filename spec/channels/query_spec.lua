local fails = require "spec.helpers.fails"
local query = require "pusher.channels.query"

local function refused(field, params, message, details)
  assert.is_nil(params)
  assert.equal("string", type(message))
  assert.equal("invalid", details.code)
  assert.equal(field, details.field)
end

describe("pusher.channels.query", function()
  it("turns options into parameters", function()
    assert.same({}, query.channels())
    assert.same({ filter_by_prefix = "presence-", info = "user_count" },
      query.channels { filter_by_prefix = "presence-", info = { "user_count" } })
    assert.same({ info = "user_count,cache" }, query.channel("a", { info = { "user_count", "cache" } }))
    assert.same({}, query.channel("a"))
  end)

  it("refuses what it does not know", function()
    refused("prefix", query.channels { prefix = "presence-" })
    refused("filter_by_prefix", query.channels { filter_by_prefix = 7 })
    refused("filter_by_prefix", query.channel("a", { filter_by_prefix = "presence-" }))
    refused("channel", query.channel("a b"))
    refused("info", query.channels { info = "user count" })
  end)

  it("says what is wrong", function()
    fails('unknown query option "prefix"', { code = "invalid", field = "prefix" }, query.channels { prefix = "a" })
    fails("filter_by_prefix must be a string, got number", { code = "invalid", field = "filter_by_prefix" },
      query.channels { filter_by_prefix = 7 })
    fails('channel name "." cannot be part of a path: "." and ".." are steps there', { code = "invalid", field = "channel" },
      query.channel("."))
  end)
end)
