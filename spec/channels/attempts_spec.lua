local attempts = require "pusher.channels.attempts"
local errors = require "pusher.base.errors"

local RULES = { attempts = 3, base = 0.5, max = 4 }

local function zeros(count)
  return ("\0"):rep(count)
end

local function details_of(code, more)
  return (select(3, errors.fail(code, "no", more)))
end

local function new(repeatable, build)
  return attempts.new(RULES, zeros, repeatable, build or function() return {} end)
end

-- The delay after a first attempt with this failure.
local function first_delay(repeatable, code, more)
  local tries = new(repeatable)
  tries:request()
  return tries:delay(details_of(code, more))
end

describe("pusher.channels.attempts", function()
  it("repeats what does nothing twice after any failure that may pass", function()
    for _, code in ipairs { "network", "timeout", "server", "rate_limited", "full" } do
      assert.is_number(first_delay(true, code))
    end
    for _, code in ipairs { "invalid", "unauthorized", "clock", "forbidden", "not_found", "too_large", "tls", "response",
      "closed", "config" } do
      assert.is_nil(first_delay(true, code))
    end
  end)

  it("repeats anything else only when the server surely did nothing", function()
    assert.equal(0.5, first_delay(false, "network", { sent = false }))
    assert.equal(0.5, first_delay(false, "timeout", { sent = false }))
    assert.equal(1, first_delay(false, "rate_limited", { status = 429 }))
    assert.equal(7, first_delay(false, "server", { status = 503, retry_after = 7 }))
    assert.is_nil(first_delay(false, "server", { status = 503 }))
    assert.is_nil(first_delay(false, "server", { status = 500, retry_after = 7 }))
    assert.is_nil(first_delay(false, "network"))
    assert.is_nil(first_delay(false, "timeout"))
    assert.is_nil(first_delay(false, "tls", { sent = false }))
  end)

  it("makes as many as the rules allow, waits ever longer, and counts them", function()
    local tries, delays, counts = new(true), {}, {}
    for index = 1, 3 do
      tries:request()
      local details = details_of("network")
      delays[index], counts[index] = tries:delay(details) or "none", details.attempts
    end
    assert.same({ 0.5, 1, "none" }, delays)
    assert.same({ 1, 2, 3 }, counts)
  end)

  it("says that nothing was sent only when no attempt sent anything", function()
    local function last_sent(...)
      local tries, details = new(true), nil
      for index = 1, select("#", ...) do
        tries:request()
        details = details_of("network", { sent = select(index, ...) })
        tries:delay(details)
      end
      return details.sent
    end
    assert.is_false(last_sent(false, false, false))
    assert.is_nil(last_sent(nil, false))
    assert.is_nil(last_sent(false, nil, false))
    local tries = new(false)
    tries:request()
    assert.is_number(tries:delay(details_of("rate_limited", { status = 429 })))
    tries:request()
    assert.is_number(tries:delay(details_of("network", { sent = false }))) -- this one did nothing, either
  end)

  it("marks requests that no transport may send twice", function()
    assert.is_true(new(false):request().once)
    assert.is_nil(new(true):request().once)
  end)

  it("counts no request that cannot be made", function()
    local tries = new(true, function() return errors.fail("closed", "the client is closed") end)
    local request, message, details = tries:request()
    assert.same({ nil, "the client is closed", "closed" }, { request, message, details.code })
    assert.is_nil(tries:delay(details))
    assert.equal(0, details.attempts)
  end)

  it("gives a custom transport's own failures back", function()
    local tries = new(true)
    tries:request()
    assert.is_nil(tries:delay("no table"))
    assert.is_nil(tries:delay(nil))
    local details = setmetatable({ code = "network", retryable = true }, { __newindex = function() error("read-only") end })
    assert.is_number(tries:delay(details))
    assert.equal(1, details.attempts)
  end)

  describe("over a transport that blocks", function()
    -- Runs against a list of outcomes: a result, or the code of a failure.
    local function run(outcomes, repeatable, sleep)
      local sent, slept = {}, {}
      local transport = { send = function(_, request, parse)
        sent[#sent + 1] = request
        local outcome = outcomes[#sent]
        if type(outcome) == "table" then
          return parse(outcome)
        end
        return errors.fail(outcome, "failed: " .. #sent)
      end }
      local tries = new(repeatable, function() return { number = #sent + 1 } end)
      local function wait(seconds)
        slept[#slept + 1] = seconds
        return not sleep or sleep(seconds)
      end
      local result, message, details = tries:run(transport, tries:request(), function(value) return value end, wait)
      return { result = result, message = message, details = details, sent = #sent, slept = slept, last = sent[#sent] }
    end

    it("ends with the first result", function()
      local found = run({ "network", "server", { a = 1 } }, true)
      assert.same({ { a = 1 }, 3, { 0.5, 1 } }, { found.result, found.sent, found.slept })
      assert.equal(3, found.last.number) -- each request is a new one
    end)

    it("ends with the last failure", function()
      local found = run({ "network", "network", "server", { a = 1 } }, true)
      assert.same({ "failed: 3", "server", 3, 3 }, { found.message, found.details.code, found.details.attempts, found.sent })
    end)

    it("ends where nothing can wait", function()
      local found = run({ "network", { a = 1 } }, true, function() return false end)
      assert.same({ "failed: 1", 1, 1 }, { found.message, found.details.attempts, found.sent })
    end)

    it("ends with its last failure when the client is closed meanwhile", function()
      local open = true
      local tries = new(true, function()
        if open then
          return {}
        end
        return errors.fail("closed", "the client is closed")
      end)
      local transport = { send = function() return errors.fail("network", "no") end }
      local result, message, details = tries:run(transport, tries:request(), function() end, function()
        open = false
        return true
      end)
      assert.same({ nil, "no", "network", 1 }, { result, message, details.code, details.attempts })
    end)
  end)
end)
