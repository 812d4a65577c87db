--- Drives a source inside nginx, by timers: any phase that may make a timer may
-- publish, log_by_lua and body_filter_by_lua too, and nobody waits for the network.
--
-- A handler sends until nothing is due, then asks to be woken when something will
-- be. When the worker is told to exit, nothing lingers any more, and what cannot
-- be delivered within one timeout of the client ends as failed.
-- Rules: lua-nginx-module README, "ngx.timer.at".

local errors = require "pusher.base.errors"

local driver = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.nginx" }

-- A timer that finds lua_max_running_timers reached is dropped without a word
-- to us; when it is this late, in seconds, it is taken as dropped.
local OVERDUE = 1

-- Whoever waits for the handlers looks this often, in seconds.
local GLANCE = 0.005

-- A handler that waits notices within this time, in seconds, that the worker exits.
local NAP = 0.5

--- Whether this is nginx.
-- @treturn boolean
function driver.fits()
  local api = rawget(_G, "ngx")
  return type(api) == "table" and type(api.timer) == "table"
end

--- What is logged goes to nginx's error log.
function driver.log(level, message)
  ngx.log(level == "error" and ngx.ERR or ngx.WARN, "pusher: ", message)
end

--- @tparam table parts see pusher.driver.choose
function driver.new(parts)
  return setmetatable({
    source = parts.source,
    now = parts.now,
    patience = parts.timeout, -- seconds that an exiting worker takes for what is left
    last_moment = nil, -- when that is over
    handlers = 0, -- that run
    alarm = nil, -- when the next one starts
  }, metatable)
end

local work

-- Sees to it that a handler starts at `time` or before.
local function wake_at(self, time)
  local now, alarm = self.now(), self.alarm
  time = math.max(time, now)
  if alarm and alarm <= time and now < alarm + OVERDUE then
    return true
  end
  -- An exiting nginx makes no timer with a delay.
  local delay = ngx.worker.exiting() and 0 or time - now
  alarm = now + delay
  -- In phases without timers the call raises.
  local called, made, reason = pcall(ngx.timer.at, delay, work, self, alarm)
  if called and made then
    self.alarm = alarm
    return true
  end
  return nil, tostring(called and reason or made)
end

--- Called before an event is accepted: somebody must come for it.
-- @treturn true|nil
function methods:prepare()
  local source = self.source
  if self.handlers >= source.max_in_flight then
    return true
  end
  local ok, reason = wake_at(self, source:due_when_added())
  if ok or self.handlers > 0 then
    return true
  end
  return errors.fail("full", "no timer could be made for the publisher: " .. reason)
end

-- The one time limit of an exiting worker, set when the first handler notices.
local function is_too_late(self, due)
  self.last_moment = self.last_moment or self.now() + self.patience
  return math.max(due, self.now()) > self.last_moment
end

-- Waits for what is due later. False when the handler may end.
local function rest(self)
  local due = self.source:due()
  if not due then
    return false
  elseif ngx.worker.exiting() then
    if is_too_late(self, due) then
      self.source:abandon("the nginx worker exits", { code = "closed" }, true)
      return false
    end
  elseif wake_at(self, due) then
    return false
  end
  ngx.sleep(math.max(GLANCE, math.min(due - self.now(), NAP)))
  return true
end

local function next_batch(self)
  if ngx.worker.exiting() then
    self.source:hurry()
  end
  local batch = self.source:next()
  if batch and self.handlers < self.source.max_in_flight then
    local due = self.source:due()
    if due then
      wake_at(self, due)
    end
  end
  return batch
end

function work(_, self, alarm)
  if self.alarm == alarm then
    self.alarm = nil
  end
  self.handlers = self.handlers + 1
  repeat
    local batch = next_batch(self)
    while batch do
      self.source:send(batch)
      batch = next_batch(self)
    end
  until not rest(self)
  self.handlers = self.handlers - 1
end

--- Waits, up to `seconds`, for the handlers to get something done.
-- @tparam number seconds
-- @treturn true|nil
function methods:advance(seconds)
  local due = self.source:due()
  if due then
    wake_at(self, due)
  end
  if seconds > 0 and not pcall(ngx.sleep, math.min(seconds, GLANCE)) then
    return errors.fail("invalid", "nothing can be waited for in this phase; the publisher works on by itself")
  end
  return true
end

return driver
