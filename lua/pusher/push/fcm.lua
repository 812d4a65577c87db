--- Push handler for Firebase Cloud Messaging, HTTP v1 API.
--
-- A receipt waits in a queue until `step`, `flush` or, inside nginx, a timer processes it: its users' devices are
-- looked up (fanout), each gets a message (sender), and each ends in exactly one outcome (outcomes), which is "sent",
-- "skipped", "unregistered", "invalid", "failed" or "closed"; see docs/push.md.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local configuration = require "pusher.push.fcm.config"
local core = require "pusher.core"
local credentials = require "pusher.push.fcm.credentials"
local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local fanout = require "pusher.push.fcm.fanout"
local json_codec = require "pusher.base.json"
local options = require "pusher.base.options"
local outcomes = require "pusher.push.fcm.outcomes"
local sender = require "pusher.push.fcm.sender"
local sources = require "pusher.base.sources"
local transports = require "pusher.transport"

local fcm = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm" }

local fail, argument = errors.fail, arguments.check

local STOP_SECONDS = 5
local FLUSH_SECONDS = 60

local OPTIONS = {
  devices = { "function" },
  remove = { "function" },
  on_result = { "function" },
  transport = { "string", "table" },
  json = json_codec.OPTION,
  log = { "function", default = driver.log_errors },
  observe = { "function" },
  clock = sources.CLOCK,
  now = sources.NOW,
  sleep = { "function", default = core.sleep }, -- for a transport that blocks
  random = sources.RANDOM,
  getenv = { "function", default = os and os.getenv or function() end },
}

-- Neither the account nor the token is shown.
function metatable.__tostring(self)
  return self.ready and "pusher.push.fcm" or "pusher.push.fcm (stopped)"
end

--- Makes a handler for `push.register`.
-- @tparam table given `devices` = function(uids) -> `{ [uid] = { { device_id =, platform = }, … } }` or nil, message;
--   `remove` = function(uid, device_id) for dead tokens; `on_result` = function(receipt, device, outcome, message,
--   details); `transport` = "curl", "async", "ngx" or an object; `observe` = function(call); `json`, `log`, `clock`,
--   `now`, `sleep`, `random`, `getenv`
-- @treturn table|nil handler
-- @fails config
function fcm.new(given)
  argument("new", 1, given, "table")
  local checked, message, details = options.check(given, OPTIONS)
  if not checked then
    return nil, message, details
  elseif not checked.devices then
    return fail("config", 'option "devices" is missing', { field = "devices" })
  end
  checked.callbacks = callback.new(checked.log)
  return setmetatable({ options = checked, ready = false, dropped = 0 }, metatable)
end

-- Puts the parts together; `config` is complete and the handler's own.
local function start(self, config)
  local given, transport = self.options, nil
  local account, message, details = credentials.load(config, given.getenv, given.json)
  config.credentials = nil -- only the account's signer has the key
  if account then
    config.transport, config.log = given.transport, given.log
    transport, message, details = transports.resolve(config)
  end
  if not transport then
    return nil, message, details
  end
  self.transport, self.owns_transport = transport, transport ~= given.transport
  self.outcomes = outcomes.new(given, config.validate_only)
  self.fanout = fanout.new(given, config, self.outcomes)
  self.sender = sender.new(given, config, account, transport, self.fanout, self.outcomes)
  self.driver, self.blocks = driver.new {
    source = self.sender, transport = transport, timeout = config.timeout, now = given.now, sleep = given.sleep,
  }
  self.running, self.ready = true, true
  return true
end

--- Starts the handler. Nothing is sent yet; the key is tried, the token is fetched with the first message.
-- @tparam table given see docs/push.md: `enabled`, `credentials` or `credentials_file`, `buffer`, …
-- @treturn true|nil true
-- @fails config, network, closed
-- @source tinode: Handler.Init of push/fcm
-- @source Google service accounts: OAuth 2.0 for server to server applications
function methods:init(given)
  if self.started then
    return fail("config", "already initialized")
  elseif self.stopping then
    return fail("closed", "the FCM handler is being stopped; init may be called when stop has returned")
  end
  local config, message, details = configuration.check(given, function(name)
    callback.log(self.options.log, "warn", ("fcm: unknown configuration member %s"):format(arguments.show(name)),
      { name = name })
  end)
  local ok = config
  if config and config.enabled then
    ok, message, details = start(self, config)
  end
  self.started = ok ~= nil
  return ok and true, message, details
end

--- Returns whether receipts are accepted.
-- @treturn boolean
-- @source tinode: Handler.IsReady of push/fcm
function methods:is_ready()
  return self.ready
end

local function accept(self, method, value)
  if not self.ready then
    return fail("closed", "the FCM handler has not been started, or has been stopped")
  end
  local ok, message, details = true, nil, nil
  if self.driver.prepare then
    ok, message, details = self.driver:prepare()
  end
  if ok then
    ok, message, details = self.fanout[method](self.fanout, value)
  end
  if not ok and details.code == "full" then
    self.dropped = self.dropped + 1
  end
  return ok, message, details
end

--- Puts a receipt into the queue. Never blocks.
-- @tparam table receipt see pusher.push.tinode.receipt
-- @treturn true|nil true
-- @fails full, invalid, too_large, closed
-- @source tinode: Handler.Push of push/fcm
function methods:push(receipt)
  argument("push", 1, receipt, "table")
  return accept(self, "push", receipt)
end

--- Puts a message of the caller's own into the queue. Never blocks.
-- @tparam table message `projects.messages`, with a `token`, `fid`, `topic` or `condition`
-- @treturn true|nil true
-- @fails full, invalid, too_large, closed
-- @source FCM HTTP v1: projects.messages.send
function methods:send(message)
  argument("send", 1, message, "table")
  return accept(self, "push_message", message)
end

-- How many items are not settled, an outcome that another coroutine is reporting included.
local function unsettled(self)
  local receipts, devices = self.fanout:waiting()
  local count = receipts + devices + self.sender:unsettled()
  return count == 0 and self.options.callbacks:others_inside() and 1 or count
end

local function advance_until(self, deadline, bounded)
  local now = self.options.now
  local ok, message, details
  repeat
    ok, message, details = self.driver:advance(math.max(0, deadline - now()), bounded)
  until not ok or unsettled(self) == 0 or now() >= deadline
  return ok, message, details
end

-- The call that is being observed ends after that, so nothing could wait for it.
local function refuse_in_observe(self, name)
  if self.running and self.sender:is_observing() then
    return fail("invalid", name .. " must not be called from observe", { left = unsettled(self) })
  end
  return true
end

-- Reads the seconds of step, flush and stop, where these may be called.
local function read_seconds(self, name, seconds, default)
  argument(name, 1, seconds, "number or nil")
  local limit, message, details = arguments.seconds(name, seconds, default)
  local ok = limit
  if limit then
    ok, message, details = refuse_in_observe(self, name)
  end
  return ok and limit, message, details
end

-- Works until nothing is left, or the time has passed; with `bounded`, a call of a transport that blocks ends in that
-- time, too. Returns how many items are not settled.
local function work(self, seconds, bounded)
  if not self.running then
    return 0
  end
  local deadline = self.options.now() + seconds
  -- A callback may flush, too: what it sets ends with it.
  local outer = self.sender:set_deadline(bounded and self.blocks and deadline or nil)
  local ran, ok, message, details = pcall(advance_until, self, deadline, bounded)
  self.sender:set_deadline(outer)
  if not ran then -- the clock did
    error(ok, 0)
  elseif not ok then
    return nil, message, details
  end
  return unsettled(self)
end

--- Processes queued receipts and messages. A transport that blocks sends at least one message, which may take longer.
-- @tparam[opt=0] number seconds the longest it may take
-- @treturn number|nil how many receipts and messages are not settled, 0 when nothing is left
-- @fails invalid also inside `observe`, and those of the transport
function methods:step(seconds)
  local limit, message, details = read_seconds(self, "step", seconds, 0)
  if not limit then
    return nil, message, details
  end
  return work(self, limit)
end

--- Works until nothing is left.
-- @tparam[opt=60] number seconds the longest it may take
-- @treturn true|nil true
-- @fails timeout, invalid also inside `observe`, and those of the transport
function methods:flush(seconds)
  local left
  local limit, message, details = read_seconds(self, "flush", seconds, FLUSH_SECONDS)
  if limit then
    left, message, details = work(self, limit, true)
  end
  if left and left > 0 then
    local receipts, devices = self.fanout:waiting()
    return fail("timeout", ("%d receipts and %d messages are not settled yet"):format(
      receipts, devices + self.sender:unsettled()))
  end
  return left and true, message, details
end

local function end_all(self)
  self.sender:close("the handler was stopped before the message was sent")
  if self.owns_transport then
    self.transport:close()
  end
end

--- Stops the handler: nothing more is accepted, messages in flight get some time, the rest ends as `closed`.
-- It may be called again, and the handler may be started again.
-- @tparam[opt=5] number seconds the longest it may take
-- @treturn true|nil true
-- @fails invalid also inside `observe`; the handler keeps running
-- @source tinode: Handler.Stop of push/fcm
function methods:stop(seconds)
  local limit, message, details = read_seconds(self, "stop", seconds, STOP_SECONDS)
  if not limit then
    return nil, message, details
  end
  self.ready, self.started = false, false
  if self.running and not self.stopping then
    self.stopping = true -- until all is done: a callback may call init
    local ran, raised = pcall(work, self, limit, true)
    self.running = false
    local ended, lack = pcall(end_all, self)
    self.stopping = false
    if not ended then -- memory is short: the next call ends the rest
      self.running, self.started = true, true
    end
    if not ran or not ended then -- when only the clock raised, each device has its outcome all the same
      error(ran and lack or raised, 0)
    end
  end
  return true
end

--- Counts what has been done since `init`.
-- @treturn table `sent`, `skipped`, `unregistered`, `invalid`, `failed`, `closed` (devices); `receipts` looked up,
--   `receipts_failed`, `receipts_closed`, `dropped` (receipts); `queued` (receipts), `waiting` (devices),
--   `retrying`, `in_flight` (messages); `retried`, `removals_failed`, `token_fetches`
function methods:stats()
  local stats = { dropped = self.dropped }
  if self.sender then
    self.outcomes:add_stats(stats)
    self.sender:add_stats(stats)
    stats.queued, stats.waiting = self.fanout:waiting()
  end
  return stats
end

return fcm
