-- What one connection does must not touch the calls on others: surplus bytes, ends without a response, silence.

local cjson = require "cjson"
local contract = require "spec.helpers.wire_contract"
local core = require "pusher.core"
local form = require "spec.helpers.wire_cases.form"
local local_server = require "tools.local_server"
local time_scale = require "spec.helpers.time_scale"

local BUFFER = 16384 -- bytes: libcurl's receive buffer, and the largest record of TLS
local CONNECTIONS = 8
local TIMEOUT = 30 * time_scale -- seconds
local OTHERS, OTHERS_LIMIT = 10, 2 * time_scale -- seconds

local function parse(status, body)
  return { status = status, body = body }
end

describe("async, many connections to one host:", function()
  local server, transport

  setup(function()
    server = local_server.start { program = contract.SERVER }
  end)

  teardown(function()
    server:stop()
  end)

  after_each(function()
    transport:close()
  end)

  local function open(pool_size)
    local options = contract.options(server)
    options.keepalive.pool_size, options.timeout = pool_size, TIMEOUT -- connect_timeout, too
    transport = assert(require("pusher.transport.async").new(options))
  end

  local function send(scheme, target, once)
    local over = { timeout = TIMEOUT, once = once }
    return assert(transport:send(contract.request(server, scheme, target, over), parse))
  end

  local function send_all(scheme, count, targets)
    local calls = {}
    for index = 1, count do
      calls[index] = send(scheme, targets:format(index))
    end
    return calls
  end

  -- Returns what the calls got that is not their response: "1 timeout, 2 of /own/7".
  local function list_wrong(calls, targets)
    local wrong = {}
    for index, call in ipairs(calls) do
      local result, _, details = call:wait()
      local ok, echo = pcall(cjson.decode, result and result.body or "")
      if not ok or echo.target ~= targets:format(index) then
        wrong[#wrong + 1] = ("%d %s"):format(index, result and "of " .. (ok and echo.target or result.body) or details.code)
      end
    end
    return table.concat(wrong, ", ")
  end

  for _, scheme in ipairs { "http", "https" } do
    it(scheme .. ", a surplus response after each that fills libcurl's buffer", function()
      server:play { bytes = form.sized(), own_size = BUFFER, surplus = form.FORGED }
      open(30)
      assert.equal("", list_wrong(send_all(scheme, 100, "/own/%d"), "/own/%d"))
    end)

    for name, once in pairs { ["not marked"] = false, ["marked once"] = true } do
      it(scheme .. ", each kept one ends at its next request, which is " .. name, function()
        server:play { bytes = form.sized(), after = "reuse", late = "", ending = "close", together = CONNECTIONS }
        open(CONNECTIONS)
        for _, call in ipairs(send_all(scheme, CONNECTIONS, "/case")) do
          assert.equal(200, assert(call:wait()).status)
        end
        local result, _, details = send(scheme, "/case", once):wait()
        local arrivals = server:settle().arrivals - CONNECTIONS
        assert.equal(once and 1 or 2, arrivals)
        assert.equal(once and "network" or 200, result and result.status or details.code)
      end)
    end
  end

  for name, silent in pairs { ["never shakes hands"] = true, ["never responds"] = false } do
    it("https, the first one " .. name, function()
      server:play { bytes = "", silent = silent }
      open(30)
      local start, first = core.now(), send("https", "/case")
      assert.equal("", list_wrong(send_all("https", OTHERS, "/own/%d"), "/own/%d"))
      assert.is_true(core.now() - start < OTHERS_LIMIT)
      assert.is_false(first.done)
    end)
  end
end)
