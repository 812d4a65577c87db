local calls = require "pusher.channels.calls"
local errors = require "pusher.base.errors"

local RULES = { attempts = 3, base = 0, max = 0 }

local function parse(...)
  return ...
end

-- Calls over a transport that fails `failures` times, with what happened.
local function new(failures, changed)
  local seen = { built = {}, sent = 0, slept = 0 }
  local transport = { send = function(_, request)
    seen.sent, seen.last = seen.sent + 1, request
    if seen.sent <= failures then
      return errors.fail("network", "no", { sent = changed and changed.sent })
    end
    return { ok = true }
  end }
  local parts = {
    transport = transport, retry = RULES,
    random = function(count) return ("\0"):rep(count) end,
    build = function(...)
      seen.built[#seen.built + 1] = { ... }
      return { number = #seen.built }
    end,
    refuse = function(_, message, details) return nil, "refused: " .. message, details end,
    sleep = function()
      seen.slept = seen.slept + 1
      return true
    end,
  }
  for name, value in pairs(changed or {}) do
    parts[name] = value
  end
  return calls.new(parts), seen, transport
end

describe("pusher.channels.calls", function()
  it("makes one attempt unless the option says otherwise", function()
    local made, seen = new(1, { retry = { attempts = 1, base = 0, max = 0 } })
    local result, _, details = made:get(parse, "/channels", {})
    assert.same({ nil, "network", nil }, { result, details.code, details.attempts })
    assert.same({ 1, 0 }, { seen.sent, seen.slept })
  end)

  it("repeats queries", function()
    local made, seen = new(2)
    assert.same({ ok = true }, made:get(parse, "/channels", { a = 1 }))
    assert.same({ 3, 3, 2 }, { seen.sent, #seen.built, seen.slept })
    assert.same({ "GET", "/channels", { a = 1 } }, seen.built[3])
  end)

  it("repeats what changes something when the server does nothing twice, or surely did nothing", function()
    local made, seen = new(2)
    assert.is_nil((made:post(parse, "/events", "{}")))
    assert.equal(1, seen.sent)
    assert.is_true(seen.last.once)
    made, seen = new(2)
    assert.truthy(made:post(parse, "/events", "{}", nil, nil, true))
    assert.equal(3, seen.sent)
    assert.is_nil(seen.last.once)
    assert.same({ "POST", "/events", nil, "{}" }, seen.built[3])
    made, seen = new(2, { sent = false })
    assert.truthy(made:post(parse, "/events", "{}"))
    assert.equal(3, seen.sent)
  end)

  it("sends the caller's parameters as they were at first", function()
    local given = { list = { "a", "b" }, x = 1 }
    local made, seen = new(1, { sleep = function()
      given.list[1], given.x = "z", 2
      return true
    end })
    assert.truthy(made:get(parse, "/channels", given))
    for _, built in ipairs(seen.built) do
      assert.same({ list = { "a", "b" }, x = 1 }, built[3])
    end
    assert.same({ list = { "z", "b" }, x = 2 }, given)
  end)

  it("refuses what could not be made, or signed", function()
    local _, message, details = errors.fail("invalid", "bad")
    local made, seen = new(0)
    assert.equal("refused: bad", select(2, made:get(parse, "/x", nil, message, details)))
    assert.equal("refused: bad", select(2, made:post(parse, "/x", nil, message, details)))
    for _, attempts in ipairs { 1, 3 } do
      made = new(0, { retry = { attempts = attempts, base = 0, max = 0 }, build = function()
        return errors.fail("config", "no clock")
      end })
      assert.equal("refused: no clock", select(2, made:get(parse, "/x", {})))
    end
    assert.equal(0, seen.sent)
  end)

  it("leaves the attempts to a transport that makes them", function()
    local made, seen, transport = new(0)
    transport.repeats = true
    made = calls.new { transport = transport, retry = RULES, random = made.random, build = made.build,
      refuse = made.refuse, sleep = error }
    local given
    transport.send = function(_, request, _, attempts)
      given = { request, attempts }
      return "pending"
    end
    assert.equal("pending", made:get(parse, "/x", {}))
    assert.equal(1, given[1].number)
    assert.equal(2, given[2]:request().number)
    assert.equal(0, given[2]:delay { code = "network", retryable = true })
    assert.equal(2, #seen.built)
  end)
end)
