-- Over HTTP/2: which requests are sent again, and which connections are left, frame by frame.

local calls = require "spec.helpers.calls"
local contract = require "spec.helpers.wire_contract"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local time_scale = require "spec.helpers.time_scale"

local TIMEOUT, SHORT = 10 * time_scale, 0.3 * time_scale -- seconds
local HURRY = 0.25 -- seconds: HURRY_US of worker.c
local CALLS = 30 -- at once

-- Error codes of RFC 9113 section 7.
local REFUSED_STREAM = 7
local PROCESSED = { NO_ERROR = 0, INTERNAL_ERROR = 2, CANCEL = 8, ENHANCE_YOUR_CALM = 11 }

-- The server ignores the request and all later ones on its connection.
local NOT_PROCESSED = { goaway = -2, close = true }

local function parse(status, body)
  return { status = status, body = body }
end

describe("async, HTTP/2:", function()
  local server, wire, transport

  setup(function()
    server = local_server.start { program = "tools/local_server/wire/http2.lua" }
    wire = local_server.start { program = contract.SERVER }
  end)

  teardown(function()
    server:stop()
    wire:stop()
  end)

  after_each(function()
    transport:close()
  end)

  local function play(script, unready, pool_size)
    server:play { script = script, unready = unready }
    transport = assert(require("pusher.transport.async").new {
      tls_verify = false, timeout = TIMEOUT, keepalive = { idle = 60, pool_size = pool_size or 10 } })
  end

  local function send(over, to, scheme)
    return transport:send(contract.request(to or server, scheme or "https", "/case", over or { timeout = TIMEOUT }), parse)
  end

  local function assert_ok(call)
    local result, message = call:wait()
    assert.equal(200, result and result.status, message)
  end

  local function assert_fails(code, call)
    local result, message, details = call:wait()
    assert.is_nil(result)
    assert.equal(code, details.code, message)
    return message, details
  end

  -- A script whose every third item is this one.
  local function goaways(item)
    local script = {}
    for index = 3, 3 * CALLS, 3 do
      script[index - 2], script[index - 1], script[index] = {}, {}, item
    end
    return script
  end

  local function send_all(over)
    local list = {}
    for index = 1, CALLS do
      list[index] = send(over)
    end
    return list
  end

  local function assert_all_ok(list)
    for _, call in ipairs(list) do
      assert_ok(call)
    end
  end

  -- The connections that the requests came on, in order, from 1.
  local function connections()
    local list, first = {}, nil
    for index, request in ipairs(server:inspect().requests) do
      first = first or request.connection
      list[index] = request.connection - first + 1
    end
    return list
  end

  local function count(list)
    local distinct = {}
    for _, item in ipairs(list) do
      distinct[item] = true
    end
    local out = 0
    for _ in pairs(distinct) do
      out = out + 1
    end
    return out
  end

  describe("a connection that went silent", function()
    it("is left after one timeout", function()
      play { {}, { silent = true } }
      assert_ok(send())
      assert_fails("timeout", send { timeout = SHORT })
      assert_ok(send())
      assert_ok(send())
      local used = connections()
      assert.equal(4, #used)
      assert.equal(1, used[2])
      assert.is_true(used[3] > 1)
      assert.equal(used[3], used[4])
    end)

    it("is not ended while it carries another call", function()
      play { {}, { silent = true } }
      assert_ok(send())
      local other = send { timeout = 4 * SHORT }
      assert_fails("timeout", send { timeout = SHORT })
      assert_ok(send())
      assert_fails("timeout", other)
      assert.equal(2, count(connections()))
    end)

    it("is used on when something has come since the call began", function()
      play { {}, { respond = false } }
      assert_ok(send())
      local slow = send { timeout = SHORT }
      assert_ok(send())
      assert_fails("timeout", slow)
      assert_ok(send())
      assert.same({ 1, 1, 1, 1 }, connections())
    end)
  end)

  -- Sends a request and waits until it has arrived as the one with this number.
  local function send_as(number, over)
    local call = send(over)
    calls.eventually(5, "no request", function()
      return #server:inspect().requests == number
    end)
    return call
  end

  describe("a connection that went silent, but for", function()
    it("the head of the response, is used on", function()
      play { {}, { head = true } }
      assert_ok(send())
      assert_fails("timeout", send { timeout = SHORT })
      assert_ok(send())
      assert.same({ 1, 1, 1 }, connections())
    end)

    it("another call's response after the timeout, is used on", function()
      play { {}, { hold = true }, { hold = true } }
      assert_ok(send())
      local other = send_as(2)
      assert_fails("timeout", send_as(3, { timeout = SHORT }))
      server:release()
      assert_ok(other)
      assert_ok(send())
      assert.same({ 1, 1, 1, 1 }, connections())
    end)
  end)

  -- libcurl (7.88) lets a refused call wait for a connection, and forgets its deadline.
  it("a refused call ends by its deadline where all connections are in use", function()
    play({ {}, { goaway = 0, respond = false }, { respond = false }, { respond = false }, { goaway = -4 } }, 0, 2)
    assert_ok(send())
    local on_first, on_second = send_as(2), send_as(3)
    local third = send_as(4, { timeout = 5 * SHORT })
    local fourth = send { timeout = 5 * SHORT }
    for _, call in ipairs { third, fourth } do
      local message = assert_fails("timeout", call)
      assert.is_nil(message:find("does not respond", 1, true), message)
    end
    on_first:cancel()
    on_second:cancel()
  end)

  for _, once in ipairs { false, true } do
    local name = once and ", marked once" or ""

    for code_name, code in pairs(PROCESSED) do
      it(code_name .. ": the request is sent once, on a fresh and on a kept connection" .. name, function()
        play { { reset = code }, {}, { reset = code } }
        assert_fails("network", send { once = once })
        assert_ok(send { once = once })
        local _, details = assert_fails("network", send { once = once })
        assert.is_nil(details.sent)
        assert.equal(3, #connections())
      end)
    end

    it("REFUSED_STREAM on a fresh connection: the request is sent again" .. name, function()
      play { { reset = REFUSED_STREAM } }
      assert_ok(send { once = once })
      assert.equal(2, #connections())
    end)

    it("a GOAWAY below the request: it is sent again" .. name, function()
      play { NOT_PROCESSED, {}, NOT_PROCESSED }
      assert_ok(send { once = once })
      assert_ok(send { once = once })
      assert_ok(send { once = once })
      assert.equal(5, #connections())
    end)

    it("a GOAWAY with a high last stream, then one below the request: it is sent again" .. name, function()
      play { {}, { goaway = { 1000, -2 }, close = true } }
      assert_ok(send { once = once })
      assert_ok(send { once = once })
      assert.equal(3, #connections())
    end)

    it("a GOAWAY below the request twice: the call fails" .. name, function()
      play { {}, NOT_PROCESSED, NOT_PROCESSED }
      assert_ok(send { once = once })
      local message, details = assert_fails("network", send { once = once })
      assert.equal("the server refused the request's stream", message)
      if once then
        assert.is_false(details.sent)
      else
        assert.is_nil(details.sent) -- libcurl is not asked to report what the server says
      end
      assert.equal(3, #connections())
    end)

    it("many calls, and GOAWAY behind every third response" .. name, function()
      play(goaways { respond = true, goaway = 0, close = true })
      assert_all_ok(send_all { once = once })
      assert.equal(CALLS, #connections())
    end)
  end

  it("REFUSED_STREAM on a kept connection: the request is sent again", function()
    play { {}, { reset = REFUSED_STREAM } }
    assert_ok(send())
    assert_ok(send())
    assert.equal(3, #connections())
  end)

  it("an end without a response on a kept connection: a request marked once is not sent again", function()
    play { {}, { close = true } }
    assert_ok(send())
    local _, details = assert_fails("network", send { once = true })
    assert.is_nil(details.sent)
    assert.equal(2, #connections())
  end)

  it("an end without a response on a fresh connection: the request is sent once, whatever other hosts speak", function()
    wire:play { bytes = "", after = "close" }
    play {}
    assert_ok(send())
    assert_fails("network", send(nil, wire))
    assert.equal(1, wire:settle().arrivals)
  end)

  it("a first connection that never gets ready holds up no other call", function()
    play({}, 1)
    local first = send()
    local started = core.now()
    assert_ok(send())
    assert.is_true(core.now() - started < TIMEOUT / 2)
    first:cancel()
  end)

  it("a call that times out before it has a connection says so", function()
    play({}, 1)
    local first = send()
    local message, details = assert_fails("timeout", send { timeout = HURRY / 5 })
    assert.equal("timed out while waiting for a connection", message)
    assert.is_false(details.sent)
    first:cancel()
  end)

  -- With a limit of one connection libcurl (7.88) hangs in some rounds.
  it("pool_size = 1: GOAWAY behind every third response, on connections that stay open", function()
    for _ = 1, 20 do
      play(goaways { respond = true, goaway = 0 }, 0, 1)
      assert_all_ok(send_all())
      transport:close()
    end
  end)

  it("pool_size = 1: two calls over HTTP/1.1 are never in flight at once", function()
    wire:play { bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", together = 2 }
    play({}, 0, 1)
    assert_ok(send())
    local first = send(nil, wire, "http")
    assert_fails("timeout", send({ timeout = SHORT }, wire, "http"))
    first:cancel()
    assert_ok(send(nil, wire, "http"))
    assert.equal(2, wire:settle().arrivals)
  end)
end)
