--- Push handler for Firebase Cloud Messaging, HTTP v1 API.
--
-- A receipt waits in a queue; `step`, `flush` or, inside nginx, timers work it off: its users' devices are
-- looked up, each gets a message, and each ends in exactly one outcome:
--   sent          FCM took the message (with validate_only: found nothing wrong with it)
--   skipped       reached already, met twice, or without an id
--   unregistered  the token is dead; `remove` has been called
--   invalid       the message or the device record is not acceptable
--   failed        refused, or given up after the last repetition
--   closed        the handler was stopped first

local blocking = require "pusher.publisher.blocking"
local config_room = require "pusher.push.fcm.config"
local credentials = require "pusher.push.fcm.credentials"
local crypto = require "pusher.crypto"
local errors = require "pusher.errors"
local fanout = require "pusher.push.fcm.fanout"
local json_codec = require "pusher.json"
local nginx = require "pusher.publisher.ngx"
local options_room = require "pusher.options"
local outcomes = require "pusher.push.fcm.outcomes"
local sender = require "pusher.push.fcm.sender"
local stepped = require "pusher.publisher.stepped"
local transport = require "pusher.transport"

local fcm = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm" }

local fail = errors.fail

local DRAIN = 5 -- seconds that stop gives what is under way

local OPTIONS = {
  devices = { "function" },
  remove = { "function" },
  on_result = { "function" },
  transport = { "string", "table" },
  json = { "table" },
  log = { "function", default = function() end },
  clock = { "function", default = os.time },
  now = { "function", default = crypto.now }, -- a clock that is never set, in seconds
  sleep = { "function", default = crypto.sleep }, -- for a transport that blocks
  random = { "function", default = crypto.random },
  getenv = { "function", default = os.getenv },
}
fcm.OPTIONS = OPTIONS

-- What the configuration hands to a transport that the handler makes itself.
local FOR_TRANSPORT = {
  "timeout", "connect_timeout", "keepalive", "proxy", "no_proxy", "ca_file", "tls_verify", "max_response_bytes",
}

--- Shows neither the account nor the token.
function metatable.__tostring(self)
  return self.ready and "pusher.push.fcm" or "pusher.push.fcm (stopped)"
end

--- Makes a handler for `push.register`.
-- @tparam table given `devices` = function(uids) -> `{ [uid] = { { device_id =, platform = }, … } }` or nil, message;
--   `remove` = function(uid, device_id) for dead tokens; `on_result` = function(receipt, device, outcome, message,
--   details); `transport` = "curl", "multi", "ngx" or an object; `json`, `log`, `clock`, `now`, `sleep`, `random`,
--   `getenv`
-- @treturn table|nil handler; nil, message, details otherwise
function fcm.new(given)
  local options, message, details = options_room.copy(given or {}, OPTIONS)
  if not options then
    return nil, message, details
  elseif not options.devices then
    return fail("config", 'option "devices" is missing', { field = "devices" })
  end
  local json
  json, message, details = json_codec.new(options.json)
  if not json then
    return nil, message, details
  end
  return setmetatable({ options = options, json = json, ready = false, dropped = 0 }, metatable)
end

local function find_transport(options, config)
  if type(options.transport) == "table" then
    return transport.resolve(options)
  end
  local wanted = { transport = options.transport }
  for _, name in ipairs(FOR_TRANSPORT) do
    wanted[name] = config[name]
  end
  return transport.resolve(wanted)
end

-- 0 <= chance < 1, for the jitter of repetitions.
local function chance_of(random)
  return function()
    local high, low = random(2):byte(1, 2)
    return (high * 256 + low) / 65536
  end
end

-- The publisher's drivers know how to move things over each kind of transport.
local function driver_for(carrier)
  if type(carrier.step) == "function" then
    return stepped
  end
  return nginx.fits() and nginx or blocking
end

-- Messages are not batched, so nothing lingers and nothing need hurry.
local NO_QUEUE = { ready = 0, linger = 0, hurry = function() end }

local function assemble(self, config, account, carrier)
  local options = self.options
  self.transport = carrier
  self.outcomes = outcomes.new {
    on_result = options.on_result,
    remove = options.remove,
    log = options.log,
    validate_only = config.validate_only,
  }
  self.fanout = fanout.new {
    devices = options.devices,
    config = config,
    json = self.json,
    clock = options.clock,
    outcomes = self.outcomes,
  }
  self.sender = sender.new {
    account = account,
    config = config,
    transport = carrier,
    json = self.json,
    clock = options.clock,
    now = options.now,
    chance = chance_of(options.random),
    source = self.fanout,
    settled = function(job, ...)
      self.outcomes:judge(job, ...)
    end,
  }
  self.driver = driver_for(carrier).new {
    client = { transport = carrier, settings = { timeout = config.timeout } },
    queue = NO_QUEUE,
    delivery = self.sender,
    now = options.now,
    sleep = options.sleep,
  }
end

--- Starts the handler. Nothing is sent yet; the key is tried, the token is fetched with the first message.
-- @tparam table given see README "FCM": `enabled`, `credentials` or `credentials_file`, `buffer`, …
-- @treturn true|nil
function methods:init(given)
  if self.started then
    return fail("config", "already initialized")
  end
  local config, message, details = config_room.check(given, function(name)
    pcall(self.options.log, "warn", "fcm: nothing reads this member of the configuration", { name = name })
  end)
  if not config then
    return nil, message, details
  elseif not config.enabled then
    self.started = true
    return true
  end
  local account
  account, message, details = credentials.load(given, self.options.getenv, self.json)
  if not account then
    return nil, message, details
  end
  local carrier
  carrier, message, details = find_transport(self.options, given)
  if not carrier then
    return nil, message, details
  end
  assemble(self, config, account, carrier)
  self.started, self.ready, self.running = true, true, true
  return true
end

--- @treturn boolean whether receipts are taken
function methods:is_ready()
  return self.ready
end

local function accept(self, how, value)
  if not self.ready then
    return fail("closed", "the FCM handler is not started, or has been stopped")
  end
  local ok, message, details = true, nil, nil
  if self.driver.prepare then
    ok, message, details = self.driver:prepare()
  end
  if ok then
    ok, message, details = self.fanout[how](self.fanout, value)
  end
  if ok then
    return true
  elseif details.code == "full" then
    self.dropped = self.dropped + 1
  end
  return nil, message, details
end

--- Takes a receipt into the queue. Never blocks.
-- @tparam table receipt as receipt.check returns
-- @treturn true|nil nil, message, details when it cannot be made into messages, or the queue is full
function methods:push(receipt)
  return accept(self, "push", receipt)
end

--- Takes a message that was made by hand into the queue. Never blocks.
-- @tparam table message see Firebase reference `projects.messages`, with a `token`, `fid`, `topic` or `condition`
-- @treturn true|nil
function methods:send(message)
  return accept(self, "push_message", message)
end

local function is_idle(self)
  local receipts, devices = self.fanout:waiting()
  return receipts + devices + self.sender:unsettled() == 0 and not self.outcomes:is_telling()
end

local function work(self, seconds, bounded)
  local now = self.options.now
  local deadline = now() + seconds
  repeat
    local ok, message, details = self.driver:advance(math.max(0, deadline - now()), bounded)
    if not ok then
      return nil, message, details
    end
  until is_idle(self) or now() >= deadline
  return is_idle(self)
end

--- Works. Over a transport that blocks, one message at least, which may take its own time.
-- @tparam[opt=0] number seconds how long at most
-- @treturn boolean|nil whether nothing is left to do; nil, message, details when the transport fails
function methods:step(seconds)
  if not self.running then
    return true
  end
  return work(self, seconds or 0)
end

--- Works until nothing is left to do.
-- @tparam[opt=60] number seconds how long at most
-- @treturn true|nil
function methods:flush(seconds)
  if not self.running then
    return true
  end
  local done, message, details = work(self, seconds or 60, true)
  if done then
    return true
  elseif message then
    return nil, message, details
  end
  local receipts, devices = self.fanout:waiting()
  return fail("timeout", ("%d receipts and %d messages are still under way"):format(
    receipts, devices + self.sender:unsettled()))
end

--- Ends the handler: nothing more is taken, what is under way gets some time, the rest ends as `closed`.
-- It may be called again, and the handler may be started again.
-- @tparam[opt=5] number seconds how long at most
-- @treturn true
function methods:stop(seconds)
  self.ready, self.started = false, false
  if not self.running or self.stopping then
    return true
  end
  self.stopping = true
  work(self, seconds or DRAIN, true)
  self.running, self.stopping = false, false
  self.sender:abandon()
  if self.transport ~= self.options.transport and type(self.transport.close) == "function" then
    self.transport:close()
  end
  return true
end

--- What has been done since `init`.
-- @treturn table `sent`, `skipped`, `unregistered`, `invalid`, `failed`, `closed` (devices); `receipts` looked up,
--   `receipts_failed`, `receipts_closed`, `dropped` (receipts); `queued` (receipts), `waiting` (devices),
--   `retrying`, `in_flight` (messages); `retried`, `removals_failed`, `token_fetches`
function methods:stats()
  local stats = { dropped = self.dropped }
  if not self.sender then
    return stats
  end
  for name, count in pairs(self.outcomes.counts) do
    stats[name] = count
  end
  stats.queued, stats.waiting = self.fanout:waiting()
  stats.retrying, stats.in_flight = self.sender.waiting.size, self.sender.in_flight
  stats.retried, stats.token_fetches = self.sender.retried, self.sender.keeper.fetches
  return stats
end

return fcm
