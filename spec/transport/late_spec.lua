local fails = require "spec.helpers.fails"
local late = require "pusher.transport.late"

describe("pusher.transport.late", function()
  local made, closed, when_made

  -- Its transports count.
  local function make(name, options)
    made[#made + 1] = { name, options }
    local own = #made
    if when_made then
      when_made()
    end
    local is_closed = false
    return {
      send = function(_, request, parse)
        return not is_closed and parse(own, request) or nil, "closed", { code = "closed" }
      end,
      close = function()
        is_closed = true
        closed[#closed + 1] = own
      end,
    }
  end

  local function new(f)
    return late.new("curl", { timeout = 3 }, f or make)
  end

  local function parse(own, request)
    return { own, request }
  end

  before_each(function()
    made, closed, when_made = {}, {}, nil
  end)

  it("is made by its first call", function()
    local subject = new()
    assert.same({ "curl", {} }, { subject.name, made })
    assert.same({ 1, "request" }, (subject:send("request", parse)))
    assert.same({ 1, "other" }, (subject:send("other", parse)))
    assert.same({ { "curl", { timeout = 3 } } }, made)
    subject:close()
    subject:close()
    assert.same({ 1, 1 }, closed)
    fails("closed", { code = "closed" }, subject:send("request", parse))
  end)

  it("is never made once it is closed", function()
    local subject = new()
    subject:close()
    fails("the transport is closed", { code = "closed", sent = false }, subject:send("request", parse))
    assert.same({}, made)
  end)

  it("is closed by who closes it while it is made, as a finalizer may", function()
    local subject = new()
    when_made = function()
      subject:close()
    end
    fails("closed", { code = "closed" }, subject:send("request", parse))
    assert.same({ 1 }, closed)
  end)

  it("is one, though another call is made while it is made", function()
    local subject, inner = new(), nil
    when_made = function()
      when_made = nil
      inner = subject:send("inner", parse)
    end
    assert.same({ 2, "outer" }, (subject:send("outer", parse)))
    assert.same({ 2, "inner" }, inner)
    assert.same({ 2, "later" }, (subject:send("later", parse)))
    assert.same({ 1 }, closed)
  end)

  it("reports what making it reports, and that nothing was sent", function()
    local has_failed = false
    local subject = new(function(...)
      if not has_failed then
        has_failed = true
        return nil, "no memory", { code = "network" }
      end
      return make(...)
    end)
    fails("no memory", { code = "network", sent = false }, subject:send("request", parse))
    assert.same({ 1, "request" }, (subject:send("request", parse)))
  end)
end)
