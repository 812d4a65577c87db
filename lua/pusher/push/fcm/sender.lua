--- Sends messages to FCM: up to `max_in_flight` at once, each until it ends in one outcome.
--
-- Implements the driver's source interface (pusher.driver.choose). It pulls: no job is taken from its own source before
-- it can be sent.

local blocking = require "pusher.driver.blocking"
local driver = require "pusher.driver.choose"
local endpoint = require "pusher.base.endpoint"
local errors = require "pusher.base.errors"
local http = require "pusher.base.http"
local list = require "pusher.base.list"
local observer = require "pusher.base.observer"
local response = require "pusher.push.fcm.response"
local retry = require "pusher.base.retry"
local schedule = require "pusher.base.schedule"
local token = require "pusher.push.fcm.token"

local sender = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.fcm.sender" }

local MAX_WAITING = 1000 -- jobs to be sent again; with more of them no new ones are taken
local MAX_TURNS = 32 -- calls of the source for one job: receipts without devices make none

local INTERRUPTED, INTERRUPTED_DETAILS = "not enough memory to send the message", { code = "network", retryable = true }

local function judge(self, done, ...)
  self.judged = self.judged + 1
  return done(...)
end

local function send(self, request, parse, done)
  return driver.send(self.transport, request, parse, judge, self, done)
end

local function send_token_request(self, request, parse, done)
  if self.deadline then
    request.timeout = math.min(request.timeout, math.max(blocking.MIN_CALL, self.deadline - self.now()))
  end
  self.token_fetches = self.token_fetches + 1
  send(self, request, parse, done)
end

local function observed(options, transport, message_path)
  return observer.wrap(transport, options.observe, options.log, function(path)
    return path == message_path and "/messages:send" or "/token"
  end)
end

--- Makes a sender with the handler's options, its configuration, its account and its transport.
-- @tparam table source `next_job(self)` -> a job or nil, whether anything was done; `is_empty(self)`;
--   `abandon(self, message, details)`
-- @tparam table outcomes `judge(self, job, result, message, details)`, called once per job
function sender.new(options, config, account, transport, source, outcomes)
  local path = "/v1/projects/" .. account.project_id .. "/messages:send"
  local self = setmetatable({
    config = config,
    transport = observed(options, transport, config.endpoint.path .. path),
    now = options.now,
    random = options.random,
    source = source,
    outcomes = outcomes,
    parse = response.parser(options.json, options.clock),
    path = path,
    max_in_flight = config.max_in_flight,
    waiting = schedule.new(), -- jobs to be sent again
    in_flight = list.new(), -- jobs; to add one takes no memory, so none is lost
    judged = 0, -- responses
    retried = 0,
    token_fetches = 0,
    deadline = nil, -- see set_deadline
    abandoned = nil, -- what a job ends with that was being made when all others were given up
  }, metatable)
  self.tokens = token.new(options, config, account, function(...)
    return send_token_request(self, ...)
  end)
  return self
end

--- Bounds the calls that fetch a token, for a transport that blocks: the driver bounds only the messages.
-- @tparam number|nil deadline a time of the clock `now`
-- @treturn number|nil the one before
function methods:set_deadline(deadline)
  local before = self.deadline
  self.deadline = deadline
  return before
end

-- Another attempt, if the failure allows one and there is time for it.
local function try_again(self, job, details)
  local now, rules = self.now(), self.config.retry
  if details.reauth and not job.reauthorized then
    job.reauthorized = true
    self.tokens:reject(job.token)
    self.waiting:add(job, now)
    return true
  elseif not details.retryable or job.attempts >= rules.attempts then
    return false
  end
  local retry_after = http.clamp_wait(details.retry_after) or (details.quota and rules.quota) or nil
  local due = now + retry.delay(rules, job.attempts, retry_after, retry.chance(self.random))
  if due > job.deadline then
    return false
  end
  self.retried = self.retried + 1
  self.waiting:add(job, due)
  return true
end

local function finish_call(self, job)
  if job.in_flight then
    job.in_flight = false
    self.in_flight:remove(job)
  end
end

local function settle(self, job, result, message, details)
  if job.settled then
    return -- abandoned meanwhile
  end
  finish_call(self, job)
  local ran, again = true, false
  if not result then
    ran, again = pcall(try_again, self, job, details)
  end
  if not ran or not again then
    job.settled = true
    self.outcomes:judge(job, result, message, details)
  end
  if not ran then -- the clock did, after which the message has its outcome all the same
    error(again, 0)
  end
end

-- The next job: one that is due to be sent again, else a new one.
local function take(self)
  local now = self.now()
  local job = self.waiting:take(now)
  local moved = true
  for _ = 1, MAX_TURNS do
    if job or not moved or self.waiting.size >= MAX_WAITING then
      break
    end
    now = self.now() -- read before: a job must not be lost when the clock raises
    job, moved = self.source:next_job()
    if job then
      job.attempts = 0
      job.deadline = now + math.min(self.config.retry.deadline, self.config.time_to_live or math.huge)
    end
  end
  return job, now
end

--- Whether the current coroutine has been called from the option `observe`.
function methods:is_observing()
  return observer.is_inside(self.transport)
end

-- Puts a job back whose call was not made.
local function put_back(self, job, now)
  local ran, raised = pcall(self.waiting.add, self.waiting, job, now)
  finish_call(self, job)
  if not ran then
    settle(self, job, nil, INTERRUPTED, INTERRUPTED_DETAILS)
    error(raised, 0)
  end
end

--- The next job to send, with a token to send it with.
-- @treturn table|nil job
function methods:next()
  while self.in_flight.size < self.max_in_flight do
    local job, now = take(self)
    if not job then
      return nil
    end
    -- In flight from here on: inside nginx others run while a token is fetched.
    job.in_flight = true
    self.in_flight:push(job)
    local ran, text, message, details = pcall(self.tokens.current, self.tokens)
    if not ran then -- the clock did
      put_back(self, job, now)
      error(text, 0)
    elseif self.abandoned and not job.settled then -- by a callback, while the job was made or the token fetched
      settle(self, job, errors.fail(self.abandoned.code, self.abandoned.message))
    elseif text and not job.settled then
      job.token, job.attempts = text, job.attempts + 1
      return job
    elseif message then
      job.attempts = job.attempts + 1
      settle(self, job, nil, message, details)
    elseif not job.settled then
      put_back(self, job, now) -- the token is being fetched
      return nil
    end
  end
  return nil
end

--- When `next` will have a message, if nothing else happens.
-- @treturn number|nil a time of the clock `now`
function methods:due()
  if self.in_flight.size >= self.max_in_flight or self.tokens:is_fetching() then
    return nil
  elseif self.waiting.size < MAX_WAITING and not self.source:is_empty() then
    return 0
  end
  local due = self.waiting:due()
  -- Fetching a token may have taken some of the time that the driver thinks it has.
  return due and math.min(due, self.deadline or math.huge)
end

--- Messages are not batched: one that is added now is due now, and there is nothing to hurry.
-- @treturn number a time of the clock `now`
function methods:due_when_added()
  return self.now()
end
function methods.hurry() end

local function begin(self, job, seconds)
  local config = self.config
  local request = endpoint.request(config.endpoint, "POST", self.path, {
    { "Authorization", "Bearer " .. job.token },
    { "Content-Type", "application/json" },
    { "X-GOOG-API-FORMAT-VERSION", "2" },
  }, job.body, math.min(config.timeout, seconds or math.huge))
  request.once = config.retry.attempts == 1 -- no transport sends it twice, whatever breaks
  request.attempt = job.attempts
  job.pending = send(self, request, self.parse, function(...)
    return settle(self, job, ...)
  end)
end

--- Sends a job that `next` returned. It is settled at once, or when its pending is done.
-- @tparam table job
-- @tparam[opt] number seconds the longest the call may take
function methods:send(job, seconds)
  local ran, raised = pcall(begin, self, job, seconds)
  if not ran then
    if job.in_flight then -- memory is short: the call may have been made or not
      settle(self, job, nil, INTERRUPTED, INTERRUPTED_DETAILS)
    end
    error(raised, 0)
  end
end

--- How many messages have been taken from the source and are not settled.
-- @treturn number
function methods:unsettled()
  return self.in_flight.size + self.waiting.size
end

--- Ends all messages as failed; with `keep_in_flight`, all but those whose call is in flight.
function methods:abandon(message, details, keep_in_flight)
  self.abandoned = not keep_in_flight and { message = message, code = details.code } or nil
  while self.waiting.size > 0 or (not keep_in_flight and self.in_flight.first) do
    local _, text, own = errors.fail(details.code, message, details) -- first: no job is lost when memory is short
    local job = not keep_in_flight and self.in_flight.first or self.waiting:take(math.huge)
    finish_call(self, job)
    job.settled = true
    pcall(driver.cancel, job.pending)
    self.outcomes:judge(job, nil, text, own)
  end
  self.source:abandon(message, details)
end

--- Ends all messages, and forgets the account and its token.
function methods:close(message)
  self:abandon(message, { code = "closed" })
  self.tokens:close()
end

--- Adds the figures.
function methods:add_stats(stats)
  stats.retrying, stats.in_flight = self.waiting.size, self.in_flight.size
  stats.retried, stats.token_fetches = self.retried, self.token_fetches
end

return sender
