--- Sends messages to FCM: several at once but never more than so many, each until it ends in one outcome.
--
-- It speaks the language of the publisher's drivers (`next`, `send`, `due`, `abandon`), which know how to move
-- things over each kind of transport. It pulls: nothing is taken from its source while there is no room for it.

local answer = require "pusher.push.fcm.response"
local driver = require "pusher.driver.choose"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local retry = require "pusher.base.retry"
local token = require "pusher.push.fcm.token"
local schedule = require "pusher.base.schedule"

local sender = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.sender" }

local MAX_WAITING = 1000 -- jobs to be sent again; with more, new ones stay where they are
local SHORTEST_CALL = 0.1 -- seconds that fetching a token gets even when there is less time left
local MAX_TURNS = 32 -- receipts looked up at a time, when none has a device

local function carry(self, request, parse, done)
  return driver.send(self.transport, request, parse, function(...)
    self.judged = self.judged + 1
    return done(...)
  end)
end

--- Makes a sender.
-- @tparam table parts `account` (credentials.load), `config` (config.check), `transport`, `json`, `clock` (Unix
--   seconds), `now` (seconds of a clock that is never set), `chance` (function: 0 <= number < 1), `source`
--   (`next_job(self)` -> a job or nil, whether anything was done; `is_empty(self)`; `abandon(self)`),
--   `settled` (function(job, result, message, details): called once per job)
-- @treturn table sender
function sender.new(parts)
  local self = setmetatable({
    config = parts.config,
    transport = parts.transport,
    now = parts.now,
    chance = parts.chance,
    source = parts.source,
    settled = parts.settled,
    parse = answer.parser(parts.json, parts.clock),
    path = "/v1/projects/" .. parts.account.project_id .. "/messages:send",
    max_in_flight = parts.config.max_in_flight,
    waiting = schedule.new(), -- jobs to be sent again
    flying = {}, -- set of jobs
    in_flight = 0, -- of these
    judged = 0, -- answers
    retried = 0,
    deadline = nil, -- when a bounded call of a transport that blocks must end
  }, metatable)
  self.keeper = token.new {
    account = parts.account,
    json = parts.json,
    clock = parts.clock,
    timeout = parts.config.timeout,
    early = parts.config.token_early,
    send = function(request, parse, done)
      if self.deadline then
        request.timeout = math.min(request.timeout, math.max(SHORTEST_CALL, self.deadline - self.now()))
      end
      carry(self, request, parse, done)
    end,
  }
  return self
end

-- Another attempt, if the failure allows one and there is time for it.
local function try_again(self, job, details)
  local now, rules = self.now(), self.config.retry
  if details.reauth and not job.reauthorized then
    job.reauthorized = true
    self.keeper:reject(job.token)
    self.waiting:add(job, now)
    return true
  elseif not details.retryable or job.attempts >= rules.attempts then
    return false
  end
  local asked = tonumber(details.retry_after) or (details.quota and rules.quota) or nil
  local due = now + retry.delay(rules, job.attempts, asked, self.chance())
  if math.max(due, now + (asked or 0)) > job.deadline then
    return false
  end
  self.retried = self.retried + 1
  self.waiting:add(job, due)
  return true
end

local function land(self, job)
  if self.flying[job] then
    self.flying[job] = nil
    self.in_flight = self.in_flight - 1
  end
end

local function settle(self, job, result, message, details)
  if job.settled then
    return -- given up meanwhile
  end
  land(self, job)
  if result or not try_again(self, job, details) then
    job.settled = true
    self.settled(job, result, message, details)
  end
end

-- The next job: one whose time to be sent again has come, else a new one.
local function take(self)
  local job = self.waiting:take(self.now())
  local moved = true
  for _ = 1, MAX_TURNS do
    if job or not moved or self.waiting.size >= MAX_WAITING then
      break
    end
    job, moved = self.source:next_job()
    if job then
      job.attempts = 0
      job.deadline = self.now() + math.min(self.config.retry.deadline, self.config.time_to_live or math.huge)
    end
  end
  return job
end

local function take_off(self, job)
  self.flying[job] = true
  self.in_flight = self.in_flight + 1
end

--- The next message to send, with a token to send it with.
-- @treturn table|nil job
function methods:next()
  while self.in_flight < self.max_in_flight do
    local job = take(self)
    if not job then
      return nil
    end
    -- In flight from here on: inside nginx others run while a token is fetched.
    take_off(self, job)
    local text, message, details = self.keeper:current()
    if text and not job.settled then
      job.token, job.attempts = text, job.attempts + 1
      return job
    elseif message then
      job.attempts = job.attempts + 1
      settle(self, job, nil, message, details)
    elseif not job.settled then
      land(self, job)
      self.waiting:add(job, self.now()) -- the token is on its way
      return nil
    end
  end
  return nil
end

--- When `next` will have a message, if nothing else happens.
-- @treturn number|nil a time of the clock `now`
function methods:due()
  if self.in_flight >= self.max_in_flight or self.keeper.fetching then
    return nil
  elseif self.waiting.size < MAX_WAITING and not self.source:is_empty() then
    return 0
  end
  local due = self.waiting:due()
  -- Fetching a token may have taken some of the time that the driver thinks it has.
  return due and math.min(due, self.deadline or math.huge)
end

--- Messages are not batched, so one that is added now is due now, and there is nothing to hurry.
function methods:due_when_added()
  return self.now()
end
function methods:hurry() end

--- Sends a message that `next` returned. What becomes of it is judged at once, or when its pending is done.
-- @tparam table job
-- @tparam[opt] number seconds at most this long
function methods:send(job, seconds)
  local config = self.config
  local request = endpoint.request(config.endpoint, "POST", self.path, {
    { "Authorization", "Bearer " .. job.token },
    { "Content-Type", "application/json" },
    { "Accept", "application/json" },
    { "X-GOOG-API-FORMAT-VERSION", "2" },
  }, job.body, math.min(config.timeout, seconds or math.huge))
  request.once = config.retry.attempts == 1 -- no transport sends it twice, whatever breaks
  job.pending = carry(self, request, self.parse, function(...)
    return settle(self, job, ...)
  end)
end

--- How many messages have been taken from the source and are not settled.
-- @treturn number
function methods:unsettled()
  return self.in_flight + self.waiting.size
end

local function closed()
  return errors.fail("closed", "the handler was stopped before FCM had answered")
end

--- Gives up everything: each message that is not settled ends with code `closed`.
function methods:abandon()
  local jobs = {}
  for job in pairs(self.flying) do
    jobs[#jobs + 1] = job
  end
  local job = self.waiting:take(math.huge)
  while job do
    jobs[#jobs + 1] = job
    job = self.waiting:take(math.huge)
  end
  for _, left in ipairs(jobs) do
    land(self, left)
    left.settled = true
    if left.pending and type(left.pending.cancel) == "function" then
      left.pending:cancel()
    end
    self.settled(left, closed())
  end
  self.source:abandon()
end

return sender
