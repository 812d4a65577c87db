--- What works behind an FCM handler between its start and its stop: the parts put together, and driven.

local driver = require "pusher.driver.choose"
local errors = require "pusher.base.errors"
local fanout = require "pusher.push.fcm.fanout"
local options_module = require "pusher.base.options"
local outcomes = require "pusher.push.fcm.outcomes"
local sender = require "pusher.push.fcm.sender"
local transport = require "pusher.transport"

local engine = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.engine" }

-- The application's transport, or one that is made as the configuration says.
local function find_transport(wanted, given, config)
  if type(wanted) == "table" then
    return transport.resolve { transport = wanted }
  end
  local options = { transport = wanted }
  for name in pairs(options_module.TRANSPORT) do
    if type(given[name]) ~= "userdata" then -- JSON's null
      options[name] = given[name]
    end
  end
  options.timeout = config.timeout
  return transport.resolve(options)
end

-- 0 <= chance < 1, for the jitter of repetitions.
local function chance_of(random)
  return function()
    local high, low = random(2):byte(1, 2)
    return (high * 256 + low) / 65536
  end
end

--- Puts the parts together. Nothing is sent yet.
-- @tparam table parts `options` (of fcm.new, complete), `json`, `given` (the configuration as it is), `config`
--   (config.check), `account` (credentials.load)
-- @treturn table|nil engine; nil, message, details otherwise
function engine.new(parts)
  local options, config = parts.options, parts.config
  local carrier, message, details = find_transport(options.transport, parts.given, config)
  if not carrier then
    return nil, message, details
  end
  local self = setmetatable({ now = options.now, transport = carrier, owns_transport = carrier ~= options.transport },
    metatable)
  self.outcomes = outcomes.new {
    on_result = options.on_result, remove = options.remove, log = options.log, validate_only = config.validate_only,
  }
  self.fanout = fanout.new {
    devices = options.devices, config = config, json = parts.json, clock = options.clock, outcomes = self.outcomes,
  }
  self.sender = sender.new {
    account = parts.account, config = config, transport = carrier, json = parts.json, clock = options.clock,
    now = options.now, chance = chance_of(options.random), source = self.fanout,
    settled = function(job, ...)
      self.outcomes:judge(job, ...)
    end,
  }
  self.driver, self.blocks = driver.new {
    source = self.sender, transport = carrier, timeout = config.timeout, now = options.now, sleep = options.sleep,
  }
  return self
end

--- Takes a receipt or a message into the queue.
-- @tparam string how "push" or "push_message", see pusher.push.fcm.fanout
-- @tparam table value
-- @treturn true|nil
function methods:accept(how, value)
  if self.driver.prepare then
    local ok, message, details = self.driver:prepare()
    if not ok then
      return nil, message, details
    end
  end
  return self.fanout[how](self.fanout, value)
end

--- Whether nothing is left to do, and nobody is still being told.
-- @treturn boolean
function methods:is_idle()
  local receipts, devices = self.fanout:waiting()
  return receipts + devices + self.sender:unsettled() == 0 and not self.outcomes:is_telling()
end

--- Works until nothing is left to do, or the time is over.
-- @tparam number seconds
-- @tparam[opt] boolean bounded whether the calls of a transport that blocks must end in that time, too
-- @treturn boolean|nil whether nothing is left; nil, message, details when the transport fails
function methods:work(seconds, bounded)
  local deadline = self.now() + seconds
  -- The driver bounds the messages; a token may have to be fetched, too.
  self.sender.deadline = bounded and self.blocks and deadline or nil
  repeat
    local ok, message, details = self.driver:advance(math.max(0, deadline - self.now()), bounded)
    if not ok then
      return nil, message, details
    end
  until self:is_idle() or self.now() >= deadline
  return self:is_idle()
end

--- What there is to do, in words.
-- @return nil, message, details with code `timeout`
function methods:unfinished()
  local receipts, devices = self.fanout:waiting()
  return errors.fail("timeout", ("%d receipts and %d messages are still under way"):format(
    receipts, devices + self.sender:unsettled()))
end

--- Gives up what is left, and closes the transport unless it is the application's.
function methods:close()
  self.sender:abandon()
  if self.owns_transport and type(self.transport.close) == "function" then
    self.transport:close()
  end
end

--- Adds its figures.
-- @tparam table stats
function methods:add_stats(stats)
  for name, count in pairs(self.outcomes.counts) do
    stats[name] = count
  end
  stats.queued, stats.waiting = self.fanout:waiting()
  stats.retrying, stats.in_flight = self.sender.waiting.size, self.sender.in_flight
  stats.retried, stats.token_fetches = self.sender.retried, self.sender.keeper.fetches
end

return engine
