--- Drives a source inside nginx, by timers. Any phase that may create a timer may add items, log_by_lua and
-- body_filter_by_lua too, and no request waits for the network.
--
-- A timer's handler sends until nothing is due, then has a timer start another one when something will be. When the
-- worker exits, nothing lingers any more, and what cannot be sent within `timeout` ends as failed.
-- Rules: lua-nginx-module README, "ngx.timer.at".

local errors = require "pusher.base.errors"

local driver = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.driver.nginx" }

-- nginx drops timers above lua_max_running_timers silently; one this late, in seconds, counts as dropped.
local OVERDUE = 1

-- Seconds: a handler that waits looks again after the shorter time at the earliest, and after the longer one at the
-- latest, for the worker may exit.
local POLL_INTERVAL, EXIT_POLL_INTERVAL = 0.005, 0.5

-- Seconds; nginx counts milliseconds, and warns of each sleep that is shorter.
local MIN_SLEEP = 0.001

local LEVELS = { error = "ERR", warn = "WARN", info = "INFO", debug = "DEBUG" }

--- Writes to nginx's error log.
function driver.log(level, message)
  ngx.log(ngx[LEVELS[level] or "WARN"], "pusher: ", message)
end

--- Makes a driver of the parts that pusher.driver.choose describes.
function driver.new(parts)
  return setmetatable({
    source = parts.source,
    now = parts.now,
    exit_timeout = parts.timeout, -- seconds that an exiting worker tries to send what is left
    exit_deadline = nil, -- set by the first handler that notices the exit
    handlers = 0, -- that run
    alarm = nil, -- when the next one starts
  }, metatable)
end

local work

-- Makes sure that a handler starts at `time` or before.
local function wake_at(self, time)
  local now, alarm = self.now(), self.alarm
  time = math.max(time, now)
  if alarm and alarm <= time and now < alarm + OVERDUE then
    return true
  end
  -- An exiting nginx creates no timer with a delay.
  local delay = ngx.worker.exiting() and 0 or time - now
  alarm = now + delay
  -- In phases without timers the call raises.
  local called, created, message = pcall(ngx.timer.at, delay, work, self, alarm)
  if called and created then
    self.alarm = alarm
    return true
  end
  return nil, tostring(called and message or created)
end

--- Called before an item is added: a handler must come for it.
-- @treturn true|nil code `full`
function methods:prepare()
  local source = self.source
  if self.handlers >= source.max_in_flight then
    return true
  end
  local ok, message = wake_at(self, source:due_when_added())
  if ok or self.handlers > 0 then
    return true
  end
  return errors.fail("full", "nginx cannot create a timer: " .. message)
end

-- Waits for what is due later. False when the handler may end.
local function rest(self)
  local due, now = self.source:due(), self.now()
  if not due then
    return false
  elseif ngx.worker.exiting() then
    self.exit_deadline = self.exit_deadline or now + self.exit_timeout
    if math.max(due, now) > self.exit_deadline then
      self.source:abandon("the nginx worker exits", { code = "closed" }, true)
      return false
    end
  elseif wake_at(self, due) then
    return false
  end
  ngx.sleep(math.max(POLL_INTERVAL, math.min(due - self.now(), EXIT_POLL_INTERVAL)))
  return true
end

local function wake_when_due(self)
  local due = self.source:due()
  return due and wake_at(self, due)
end

local function next_item(self)
  if ngx.worker.exiting() then
    self.source:hurry()
  end
  local item = self.source:next()
  if item and self.handlers < self.source.max_in_flight then
    wake_when_due(self)
  end
  return item
end

local function send_all(self)
  repeat
    for item in next_item, self do
      self.source:send(item)
    end
  until not rest(self)
end

function work(_, self, alarm)
  if self.alarm == alarm then
    self.alarm = nil
  end
  self.handlers = self.handlers + 1
  local ok, raised = pcall(send_all, self)
  self.handlers = self.handlers - 1
  if not ok then -- memory is short
    pcall(wake_when_due, self)
    error(raised, 0)
  end
end

--- Waits up to `seconds` for the handlers to get something done.
-- @tparam number seconds
-- @treturn number|nil how many items are not settled; code `invalid`
function methods:advance(seconds)
  wake_when_due(self)
  if seconds > 0 and not pcall(ngx.sleep, math.max(MIN_SLEEP, math.min(seconds, POLL_INTERVAL))) then
    return errors.fail("invalid", "cannot wait in this nginx phase; sending continues in the background")
  end
  return self.source:unsettled()
end

return driver
