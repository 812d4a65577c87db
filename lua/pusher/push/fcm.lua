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

local config_room = require "pusher.push.fcm.config"
local credentials = require "pusher.push.fcm.credentials"
local core = require "pusher.core"
local driver = require "pusher.driver.choose"
local engine = require "pusher.push.fcm.engine"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options_module = require "pusher.base.options"
local arguments = require "pusher.base.arguments"

local fcm = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm" }

local fail, argument = errors.fail, arguments.check

local DRAIN = 5 -- seconds that stop gives what is under way
local FLUSH = 60 -- seconds

local OPTIONS = {
  devices = { "function" },
  remove = { "function" },
  on_result = { "function" },
  transport = { "string", "table" },
  json = { "table" },
  log = { "function" },
  clock = { "function", default = os.time },
  now = { "function", default = core.now }, -- a clock that is never set, in seconds
  sleep = { "function", default = core.sleep }, -- for a transport that blocks
  random = { "function", default = core.random },
  getenv = { "function", default = os.getenv },
}
fcm.OPTIONS = OPTIONS

--- Shows neither the account nor the token.
function metatable.__tostring(self)
  return self.ready and "pusher.push.fcm" or "pusher.push.fcm (stopped)"
end

-- Without a log of the application's own only errors are told of, such as a callback that raises.
local function log_errors(level, message)
  if level == "error" then
    driver.log(level, message)
  end
end

--- Makes a handler for `push.register`.
-- @tparam table given `devices` = function(uids) -> `{ [uid] = { { device_id =, platform = }, … } }` or nil, message;
--   `remove` = function(uid, device_id) for dead tokens; `on_result` = function(receipt, device, outcome, message,
--   details); `transport` = "curl", "async", "ngx" or an object; `json`, `log`, `clock`, `now`, `sleep`, `random`,
--   `getenv`
-- @treturn table|nil handler; nil, message, details otherwise
function fcm.new(given)
  argument("new", 1, given, "table")
  local options, message, details = options_module.check(given, OPTIONS)
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
  options.log = options.log or log_errors
  return setmetatable({ options = options, json = json, ready = false, dropped = 0 }, metatable)
end

local function assemble(self, given, config)
  local account, message, details = credentials.load(given, self.options.getenv, self.json)
  if not account then
    return nil, message, details
  end
  return engine.new { options = self.options, json = self.json, given = given, config = config, account = account }
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
  elseif config.enabled then
    local made
    made, message, details = assemble(self, given, config)
    if not made then
      return nil, message, details
    end
    self.engine, self.running, self.ready = made, true, true
  end
  self.started = true
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
  local ok, message, details = self.engine:accept(how, value)
  if ok then
    return true
  elseif details.code == "full" then
    self.dropped = self.dropped + 1
  end
  return nil, message, details
end

--- Takes a receipt into the queue. Never blocks.
-- @tparam table receipt see pusher.push.tinode.receipt
-- @treturn true|nil nil, message, details when it cannot be made into messages, or the queue is full
function methods:push(receipt)
  argument("push", 1, receipt, "table")
  return accept(self, "push", receipt)
end

--- Takes a message that was made by hand into the queue. Never blocks.
-- @tparam table message see Firebase reference `projects.messages`, with a `token`, `fid`, `topic` or `condition`
-- @treturn true|nil
function methods:send(message)
  argument("send", 1, message, "table")
  return accept(self, "push_message", message)
end

--- Works. Over a transport that blocks, one message at least, which may take its own time.
-- @tparam[opt=0] number seconds how long at most
-- @treturn boolean|nil whether nothing is left to do; nil, message, details when the transport fails
function methods:step(seconds)
  argument("step", 1, seconds, "number or nil")
  if not self.running then
    return true
  end
  return self.engine:work(seconds or 0)
end

--- Works until nothing is left to do.
-- @tparam[opt=60] number seconds how long at most
-- @treturn true|nil
function methods:flush(seconds)
  argument("flush", 1, seconds, "number or nil")
  if not self.running then
    return true
  end
  local done, message, details = self.engine:work(seconds or FLUSH, true)
  if done then
    return true
  elseif message then
    return nil, message, details
  end
  return self.engine:unfinished()
end

--- Ends the handler: nothing more is taken, what is under way gets some time, the rest ends as `closed`.
-- It may be called again, and the handler may be started again.
-- @tparam[opt=5] number seconds how long at most
-- @treturn true
function methods:stop(seconds)
  argument("stop", 1, seconds, "number or nil")
  self.ready, self.started = false, false
  if self.running and not self.stopping then
    self.stopping = true
    self.engine:work(seconds or DRAIN, true)
    self.running, self.stopping = false, false
    self.engine:close()
  end
  return true
end

--- What has been done since `init`.
-- @treturn table `sent`, `skipped`, `unregistered`, `invalid`, `failed`, `closed` (devices); `receipts` looked up,
--   `receipts_failed`, `receipts_closed`, `dropped` (receipts); `queued` (receipts), `waiting` (devices),
--   `retrying`, `in_flight` (messages); `retried`, `removals_failed`, `token_fetches`
function methods:stats()
  local stats = { dropped = self.dropped }
  if self.engine then
    self.engine:add_stats(stats)
  end
  return stats
end

return fcm
