--- A server, a transport and a clock that exist in a table only: time passes when somebody waits.
--
-- `scripted.new { respond = function(call) … end }`: `respond` decides the outcome of a call. It returns status, body,
-- headers; or nil, message, details for a failure below HTTP. `call` has `number`, `events` (decoded), `request` and
-- `time`, and may be given `latency` (seconds) and `lost = true` (the server accepts the events though the response
-- says otherwise). Options: `deferred` (the transport has a step and returns pendings), `latency`,
-- `client` (further options of the client).

local cjson = require "cjson"
local pusher = require "pusher"
local scripted_transport = require "spec.helpers.scripted_transport"

local scripted = {}
local methods = {}
local metatable = { __index = methods }

local function ok()
  return 200, "{}"
end

-- The outcome of a call, as a function that passes it to `parse`.
local function outcome(self, request, parse)
  local body = cjson.decode(request.body)
  local call = {
    number = #self.calls + 1, request = request, events = body.batch or { body }, time = self.time,
    latency = self.latency,
  }
  self.calls[call.number] = call
  local status, text, headers = self.respond(call)
  if status == 200 or call.lost then
    for _, event in ipairs(call.events) do
      self.received[#self.received + 1] = event
    end
  end
  return call.latency, function()
    if status then
      return parse(status, text, headers or "")
    end
    return nil, text, headers
  end
end

function scripted.new(options)
  options = options or {}
  local self = setmetatable({
    time = 1000,
    slept = 0,
    respond = options.respond or ok,
    latency = options.latency or 0,
    calls = {},
    received = {}, -- every event in the order the server accepted it
    waiting = {}, -- deferred calls
    cancelled = 0,
  }, metatable)
  self.transport = scripted_transport[options.deferred and "deferred" or "blocking"](self, function(...)
    return outcome(self, ...)
  end)
  local given = {
    app_id = "3", key = "k", secret = "secret-of-the-app", host = "h", transport = self.transport,
    encryption_master_key = ("m"):rep(32),
    clock = function()
      return math.floor(1700000000 + self.time)
    end,
    log = function(level, message)
      self.logged = (self.logged or "") .. level .. ": " .. message .. "\n"
    end,
  }
  for name, value in pairs(options.client or {}) do
    given[name] = value
  end
  self.client = assert(pusher.new(given))
  return self
end

--- A publisher that lives in this world's time; the outcomes of its events are in `results`. With `on_result = false`
-- in the options it has none.
function methods:publisher(options)
  local given = {
    now = function()
      return self.time
    end,
    sleep = function(seconds)
      self.slept = self.slept + seconds
      self.time = self.time + seconds
    end,
  }
  self.results = {}
  given.on_result = function(event, result, message, details)
    self.results[#self.results + 1] = { event = event, result = result, message = message, details = details }
  end
  for name, value in pairs(options or {}) do
    given[name] = value
  end
  given.on_result = given.on_result or nil
  return assert(self.client:publisher(given))
end

--- The data of the events that the server accepted on a channel, joined by spaces: "1 2 3".
function methods:took(channel)
  local list = {}
  for _, event in ipairs(self.received) do
    if event.channel == channel then
      list[#list + 1] = event.data
    end
  end
  return table.concat(list, " ")
end

--- How many events each call carried.
function methods:sizes()
  local sizes = {}
  for index, call in ipairs(self.calls) do
    sizes[index] = #call.events
  end
  return sizes
end

return scripted
