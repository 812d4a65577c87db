--- FCM, its token endpoint, a transport and a clock that exist in a table only: time passes when somebody waits.
--
-- `world.new { respond = function(call) … end }`: `respond` is FCM. It returns status, body (a string or a table),
-- headers; or nil, message, details for a failure below HTTP. `call` has `number`, `message` (decoded), `body`,
-- `request`, `bearer` and `time`, and may be given a `latency` (seconds) of its own. `grant` does the same for the
-- token endpoint. Options: `deferred` (the transport has a step and returns pendings), `latency` (seconds each call
-- takes).

local account = require "tools.local_server.account"
local cjson = require "cjson"
local fcm = require "pusher.push.fcm"
local receipt = require "pusher.push.tinode.receipt"
local scripted_transport = require "spec.helpers.scripted_transport"

local world = {}
local methods = {}
local metatable = { __index = methods }

local START = 1600000000 -- Unix seconds

local function accept(call)
  return 200, { name = "projects/proj-1/messages/" .. call.number }
end

local function grant(call)
  return 200, { access_token = "ya29.token-" .. call.number, expires_in = 3599, token_type = "Bearer" }
end

-- The result of a call, as a function that hands it to `parse`.
local function outcome(self, request, parse)
  local is_token = request.target:find("token", 1, true) ~= nil
  local list = is_token and self.token_calls or self.calls
  local call = { number = #list + 1, request = request, time = self.time }
  list[call.number] = call
  if not is_token then
    call.body = cjson.decode(request.body)
    call.message = call.body.message
    call.bearer = request.headers[1][2]
  end
  local status, body, headers = (is_token and self.grant or self.respond)(call)
  return call.latency or self.latency, function()
    if status then
      return parse(status, type(body) == "table" and cjson.encode(body) or body or "", headers or "")
    end
    return nil, body, headers
  end
end

function world.new(options)
  options = options or {}
  local self = setmetatable({
    time = 1000,
    slept = 0,
    latency = options.latency or 0,
    respond = options.respond or accept,
    grant = options.grant or grant,
    calls = {},
    token_calls = {},
    waiting = {}, -- deferred calls
    cancelled = 0,
    results = {}, -- { receipt, device, outcome, message, details }
    removed = {}, -- { uid, device_id }
    logged = {},
  }, metatable)
  self.transport = scripted_transport[options.deferred and "deferred" or "blocking"](self, function(...)
    return outcome(self, ...)
  end)
  return self
end

--- The options of a handler that lives in this world's time; the outcomes of devices are in `results` and `removed`.
-- @tparam table devices uid to list of devices, or a function
-- @tparam[opt] table changes more options; they win
function methods:options(devices, changes)
  local options = {
    transport = self.transport,
    devices = type(devices) == "function" and devices or function(uids)
      self.asked = uids
      return devices
    end,
    remove = function(uid, device_id)
      self.removed[#self.removed + 1] = { uid = uid, device_id = device_id }
      return true
    end,
    on_result = function(given, device, what, message, details)
      self.results[#self.results + 1] = { receipt = given, device = device, outcome = what, message = message,
        details = details }
    end,
    log = function(level, message, fields)
      self.logged[#self.logged + 1] = { level = level, message = message, fields = fields }
    end,
    clock = function()
      return START + self.time - 1000
    end,
    now = function()
      return self.time
    end,
    sleep = function(seconds)
      self.slept = self.slept + seconds
      self.time = self.time + seconds
    end,
    random = function(count)
      return ("\0"):rep(count)
    end,
    getenv = function() end,
  }
  for name, value in pairs(changes or {}) do
    options[name] = value
  end
  return options
end

--- A started handler.
-- @tparam table devices see `options`
-- @tparam[opt] table config more members of the configuration
-- @tparam[opt] table changes more options
function methods:handler(devices, config, changes)
  local given = { enabled = true, credentials = account.new() }
  for name, value in pairs(config or {}) do
    given[name] = value
  end
  local handler = assert(fcm.new(self:options(devices, changes)))
  assert(handler:init(given))
  return handler
end

--- How many devices ended in each outcome.
function methods:outcomes()
  local counts = {}
  for _, result in ipairs(self.results) do
    counts[result.outcome] = (counts[result.outcome] or 0) + 1
  end
  return counts
end

--- A checked receipt.
-- @tparam table to uid to recipient
-- @tparam[opt] table payload members to replace
function world.receipt(to, payload)
  local given = { what = "msg", topic = "grpAbCdEf", ts = "2020-03-13T06:48:18.123Z", from = "usrXXXXXXXXXXX",
    seq = 42, mime = "text/x-drafty", content = "hello", want = "JRWPS", given = "JRWPASDO" }
  for name, value in pairs(payload or {}) do
    given[name] = value
  end
  return assert(receipt.check({ to = to, payload = given }, START))
end

return world
