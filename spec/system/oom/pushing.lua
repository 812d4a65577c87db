-- The scenarios of an FCM handler, see scenarios.lua: a receipt with three devices, one of which is sent twice in vain,
-- a receipt whose devices cannot be looked up, a message of the caller's own, and the token that they need.

local fcm = require "pusher.push.fcm"
local push_server = require "tools.local_server.push"
local receipts = require "pusher.push.tinode.receipt"

local FLUSH = 10 * require "spec.helpers.time_scale" -- seconds
local LATER = 20 -- seconds after which a token that could not be fetched is fetched again

local UID, UNKNOWN = "XXXXXXXXXXA", "XXXXXXXXXXE"
local DEVICES = { [UID] = { { device_id = "phone" }, { device_id = "dead" }, { device_id = "busy" } } }
local STORE_FAILS = "the store is down"

-- How each ends without a failure: the devices, the message "own", and the receipt that has no devices.
local OUTCOMES = { phone = "sent", dead = "unregistered", busy = "failed", own = "sent", unknown = "failed" }
local WITHOUT_TOKEN = { phone = "failed", dead = "failed", busy = "failed", own = "failed", unknown = "failed" }
local STOPPED = { phone = "closed", dead = "closed", busy = "closed", own = "closed", unknown = "closed",
  known = "closed" }

local pushing = {}

--- Starts the server that the scenarios need.
-- @treturn table
function pushing.start()
  local server = push_server.start()
  server:plan { token = "dead", responses = "UNREGISTERED" }
  server:plan { token = "busy", responses = "UNAVAILABLE" }
  return server
end

local function new_receipt(uid)
  return assert(receipts.check({ to = { [uid] = {} }, payload = {
    what = "msg", topic = "grpAbCdEf", ts = "2020-03-13T06:48:18.123Z", from = "usrXXXXXXXXXXX", seq = 42,
    mime = "text/x-drafty", content = "hello", want = "JRWPS", given = "JRWPASDO",
  } }, os.time()))
end

-- The handler's options. Its callbacks take no memory, so what is lost is lost by the library.
local function options(objects, transport, outcomes, log)
  return {
    transport = transport,
    devices = function(uids)
      if uids[1] == UNKNOWN then
        return nil, STORE_FAILS
      end
      return DEVICES
    end,
    remove = function() return true end,
    on_result = function(receipt, device, outcome, message, details)
      local id = device and device.device_id or receipt.to[UID] and "known" or "unknown"
      objects.reported[id] = objects.reported[id] + 1
      if outcome ~= outcomes[id] then
        objects.message, objects.details = message, details
      end
    end,
    log = function(level, message)
      if level == "error" and not message:find("push not delivered", 1, true) then
        log(level, message)
      end
    end,
    clock = function() return objects.time end,
    sleep = function() end, -- nothing is due later
    random = function(count) return ("n"):rep(count) end,
  }
end

local function new_objects(transport, outcomes, log)
  local objects = {
    reported = { phone = 0, dead = 0, busy = 0, own = 0, known = 0, unknown = 0 },
    accepted = { known = 0, unknown = 0, own = 0 },
    known = new_receipt(UID), unknown = new_receipt(UNKNOWN), message = false, details = false,
    time = os.time() - 10 * LATER, -- the server accepts no assertion of the future
  }
  objects.handler = assert(fcm.new(options(objects, transport, outcomes, log)))
  return objects
end

-- Each device of what was accepted ended once, or the receipt did as a whole, and nothing else did.
local function check_outcomes(objects)
  local stats, reported, accepted = objects.handler:stats(), objects.reported, objects.accepted
  assert(not stats.queued or stats.queued + stats.waiting + stats.retrying + stats.in_flight == 0, "messages are left")
  for id, wanted in pairs {
    phone = accepted.known - reported.known, dead = reported.phone, busy = reported.phone, own = accepted.own,
    unknown = accepted.unknown,
  } do
    assert(reported[id] == wanted, ("%s: %d outcomes of %d"):format(id, reported[id], wanted))
  end
end

local function accept(objects, kind, ok, ...)
  objects.accepted[kind] = objects.accepted[kind] + (ok and 1 or 0)
  return ok, ...
end

-- Fails with the message of an outcome that is another one than without a failure.
local function judge(objects, ok, ...)
  if ok and objects.message then
    return nil, objects.message, objects.details
  end
  return ok, ...
end

local function push_known(objects)
  objects.message, objects.details = false, false
  return accept(objects, "known", objects.handler:push(objects.known))
end

local function push_unknown(objects)
  return accept(objects, "unknown", objects.handler:push(objects.unknown))
end

local function send_own(objects)
  return accept(objects, "own", objects.handler:send { token = "own", data = { a = "b" } })
end

local function step(objects)
  local left, message, details = objects.handler:step()
  return left and true, message, details
end

local refusing_transport = {
  send = function(_, _, parse)
    return parse(403, '{"error":"refused"}', "")
  end,
}

--- Makes the scenario of a handler that sends all it is given.
-- @tparam table server `{ host =, port = }`, as `start` returns
-- @tparam string transport
-- @tparam boolean refused whether no token is granted, by a transport that needs no server
-- @tparam function log
function pushing.new(server, transport, refused, log)
  return {
    open = function()
      local outcomes = refused and WITHOUT_TOKEN or OUTCOMES
      local objects = new_objects(refused and refusing_transport or transport, outcomes, log)
      local config = push_server.config(server, { retry = { attempts = 2, base = 0, max = 0 } })
      assert(objects.handler:init(config))
      return objects
    end,
    calls = {
      push_known, push_unknown, send_own, step,
      function(objects) return judge(objects, objects.handler:flush(FLUSH)) end,
    },
    settle = function(objects)
      assert(objects.handler:flush(FLUSH))
      objects.time = objects.time + LATER
    end,
    check = check_outcomes,
    close = function(objects) objects.handler:stop(0) end,
    threads = transport == "async",
  }
end

-- Grants tokens and accepts no message.
local busy_transport = {
  send = function(_, request, parse)
    if request.target == "/token" then
      return parse(200, '{"access_token":"a-token","expires_in":3600}', "")
    end
    return nil, "busy", { code = "network", retryable = true }
  end,
}

-- A call of a handler that memory may have been too short to start.
local function if_started(call)
  return function(objects)
    if not objects.handler:is_ready() then
      error("not enough memory", 0)
    end
    return call(objects)
  end
end

--- Makes the scenario of a handler that is started, and stopped while a message waits for its next attempt, devices for
-- their first one, and receipts for being looked up.
-- @tparam function log
function pushing.stopping(log)
  local config = push_server.config({ host = "127.0.0.1", port = 1 }, { retry = { base = 10 } })
  local function stop(objects)
    assert(objects.handler:stop(0))
  end
  return {
    open = function() return new_objects(busy_transport, STOPPED, log) end,
    calls = {
      function(objects) return objects.handler:init(config) end,
      if_started(push_known), if_started(step), if_started(push_known), if_started(push_unknown),
      if_started(send_own),
      function(objects) return judge(objects, objects.handler:stop(0)) end,
    },
    settle = stop,
    check = check_outcomes,
    close = stop,
  }
end

return pushing
