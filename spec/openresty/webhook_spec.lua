local core = require "pusher.core"
local fake_transport = require "spec.helpers.fake_transport"
local webhook = require "pusher.openresty.webhook"
local pusher = require "pusher"

local BODY = '{"time_ms":1700000000000,"events":[{"name":"member_added","channel":"presence-a","user_id":"7"},'
  .. '{"name":"channel_occupied","channel":"a"},{"name":"member_removed","channel":"presence-a","user_id":"8"}]}'

describe("pusher.openresty.webhook", function()
  local client

  before_each(function()
    client = assert(pusher.new { app_id = "1", key = "k", secret = "s", transport = fake_transport.new(),
      clock = function() return 1700000001 end })
  end)

  local function signed(body, key, secret)
    return { ["x-pusher-key"] = key or "k", ["x-pusher-signature"] = core.mac(secret or "s"):hex(body) }
  end

  it("calls a function for each event, in order", function()
    local seen = {}
    local function note(event, hook)
      seen[#seen + 1] = event.name .. " " .. event.user_id .. " " .. ("%.0f"):format(hook.time_ms)
    end
    local status, text, message = webhook.receive(client, { member_added = note, member_removed = note }, signed(BODY), BODY)
    assert.same({ 200, '{"ok":true}' }, { status, text })
    assert.is_nil(message)
    assert.same({ "member_added 7 1700000000000", "member_removed 8 1700000000000" }, seen)
  end)

  it("calls default for all others", function()
    local seen = {}
    assert.equal(200, (webhook.receive(client, { member_added = function() end, default = function(event)
      seen[#seen + 1] = event.name
    end }, signed(BODY), BODY)))
    assert.same({ "channel_occupied", "member_removed" }, seen)
  end)

  it("lets the sender try again when a function raises, after calling the rest", function()
    local seen = 0
    local status, text, message = webhook.receive(client, { member_added = function()
      error("no database")
    end, member_removed = function()
      seen = seen + 1
    end }, signed(BODY), BODY)
    assert.same({ 500, '{"error":"internal error"}', 1 }, { status, text, seen })
    assert.is_truthy(message:find("no database", 1, true))
    local unprintable = setmetatable({}, { __tostring = function() error("no text") end })
    status, text, message = webhook.receive(client, { default = function() error(unprintable) end }, signed(BODY), BODY)
    assert.same({ 500, '{"error":"internal error"}', "string" }, { status, text, type(message) })
  end)

  it("refuses what is forged, unsigned or old, and calls nothing", function()
    local function never()
      error("called")
    end
    for _, case in ipairs {
      { headers = {} }, { headers = { ["x-pusher-key"] = "k" } }, { headers = signed(BODY, "other") },
      { headers = signed(BODY, "k", "wrong") }, { headers = signed(BODY .. " ") }, { headers = signed(BODY), options = { max_age = 0.5 } },
      { headers = { ["x-pusher-key"] = "k", ["x-pusher-signature"] = { "a", "b" } } },
      { headers = { ["x-pusher-key"] = "k", ["x-pusher-signature"] = "\0\255" } },
    } do
      local status, text, message = webhook.receive(client, { default = never }, case.headers, BODY, case.options)
      assert.same({ 401, '{"error":"unauthorized"}' }, { status, text })
      assert.equal("string", type(message))
    end
  end)

  it("refuses a signed body that is not a webhook", function()
    for _, body in ipairs { "{}", "[]", "x", '{"time_ms":1,"events":[{}]}', "\255" } do
      assert.equal(400, (webhook.receive(client, {}, signed(body), body)))
    end
  end)

  it("accepts extra tokens", function()
    assert.equal(200, (webhook.receive(client, {}, signed(BODY, "k2", "s2"), BODY,
      { extra_tokens = { { key = "k2", secret = "s2" } } })))
  end)

  it("responds with an internal error when the client cannot verify", function()
    client:close()
    assert.equal(500, (webhook.receive(client, {}, signed(BODY), BODY)))
  end)
end)
