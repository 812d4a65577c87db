--- The transport that never blocks: `send` returns a pending at once, `step` settles the calls that have ended.
--
-- A thread of its own, which the first request or step starts, does all network work. Any loop can drive the transport:
-- one with a tick calls `step()` each tick; one that watches descriptors uses `pollfd()` and `events()`, as cqueues
-- does, and calls `step()` when the descriptor is readable. C collects, Lua pulls: no Lua function runs in that thread.
--
-- A transport may be shared by many clients. After a fork the child's copy has none of its parent's connections: the
-- calls in flight end there with code `closed`, and a new call starts a thread of the child's own.
--
-- A call that may be repeated waits for its next attempt here, in `step`; its pending stays the same.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local core = require "pusher.core"
local curl = require "pusher.curl"
local errors = require "pusher.base.errors"
local no_proxy = require "pusher.base.no_proxy"
local pending = require "pusher.pending"
local retries = require "pusher.transport.async.retries"
local requests = require "pusher.base.request"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local transport = {}

-- For how long one step settles calls, in seconds, so that ten thousand calls that end together do not hold up a tick.
local BUDGET = 0.00008

-- How long after its deadline a call is given up by those who wait for it, in seconds.
local GRACE = 1

local CLOSED = "the transport was closed"

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.async" }

local function add(handle, is_direct, request)
  return handle:add(request, is_direct(rawget(request, "host"), rawget(request, "port")))
end

-- Hands the request of a call to the thread. Nothing that may run a finalizer, which may step or close, stands between
-- the id and the list.
local function start(self, call, request)
  if not self.handle then
    return errors.fail("closed", CLOSED)
  end
  local ok, id, message, code = pcall(add, self.handle, self.is_direct, request)
  if not ok then
    return requests.failure(id)
  elseif not id then
    return errors.fail(code, message, { sent = false })
  end
  call.id = id
  self.pendings[id] = call
  self.running = self.running + 1
  return true
end

--- Makes a transport.
-- @tparam[opt] table given the options of the curl transport, and `max_pending` (10000): how many calls may be in
--   flight or wait for a connection; `keepalive.pool_size` is the maximum of connections; `log` = function(level,
--   message, fields) gets the errors that callbacks raise; without it standard error does
-- @treturn table|nil transport
-- @fails config, network
function transport.new(given)
  arguments.check("new", 1, given, "table or nil")
  local settings, message, details = no_proxy.settings(given)
  if not settings then
    return nil, message, details
  end
  local handle, code
  handle, message, code = curl.async(settings)
  if not handle then
    return errors.fail(code, message)
  end
  local log = settings.log or callback.log_to_stderr
  local self = setmetatable({
    name = "async",
    repeats = true, -- see pusher.transport
    handle = handle,
    is_direct = settings.is_direct,
    log = log,
    max_pending = settings.max_pending,
    call_timeout = settings.timeout,
    pendings = {}, -- by the id that C gave them
    orphans = {}, -- a forked child's copies of calls that its parent carries on
    running = 0, -- how many calls are in these two
    started = false, -- whether the thread was asked to start
  }, metatable)
  self.retries = retries.new(log, function(...) -- calls between two attempts
    return start(self, ...)
  end)
  return self
end

-- How many calls are not settled.
local function unsettled(self)
  return self.running + self.retries:size()
end

--- Makes a pending that is done: what a refused call returns over this transport.
-- @tparam string message
-- @tparam table details
-- @treturn pending
function methods:fail(message, details)
  local call = pending.new(self)
  pending.settle(call, nil, message, details)
  return call
end

local function refuse(self, code, message)
  return self:fail(select(2, errors.fail(code, message, { sent = false })))
end

local function ids_in_order(pendings)
  local ids = {}
  for id in pairs(pendings) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  return ids
end

-- The handle; nil when the transport is closed. In a forked child the parent's calls become orphans first.
local function own_handle(self)
  local handle = self.handle
  if handle and handle:leave_parent() then
    for _, id in ipairs(ids_in_order(self.pendings)) do
      self.orphans[#self.orphans + 1] = self.pendings[id]
    end
    self.pendings = {}
    for call in self.retries:drain() do
      self.orphans[#self.orphans + 1], self.running = call, self.running + 1
    end
  end
  return handle
end

--- Starts one request.
-- @tparam table request `{ method =, scheme =, host =, port =, target =, headers =, body =, timeout =, once =,
--   attempt = }`, copied; `once`: a body reaches the server's program at most once: it is sent again only when nothing
--   was sent or an HTTP/2 server refused it unread (RFC 9113 section 8.7)
-- @tparam function parse called with status, body and the header lines; the pending ends with what it returns
-- @tparam[opt] table attempts see pusher.transport
-- @treturn pending done already when nothing was started; ends as the curl transport's `send`
-- @source RFC 9112: HTTP/1.1
-- @source RFC 9113: HTTP/2
-- @source libcurl: the easy interface, in a thread
function methods:send(request, parse, attempts)
  if type(request) ~= "table" or type(parse) ~= "function" then
    arguments.check("send", 1, request, "table")
    arguments.check("send", 2, parse, "function")
  end
  if not own_handle(self) then
    return refuse(self, "closed", "the transport is closed")
  elseif unsettled(self) >= self.max_pending then
    return refuse(self, "full", "max_pending calls are in flight already")
  end
  local call = pending.new(self, false, parse, rawget(request, "timeout") or self.call_timeout)
  local ok, message, details = start(self, call, request)
  if not ok then
    return self:fail(message, details)
  end
  call.attempts = attempts or false
  return call
end

-- Removes a pending from those in flight, so that it can be settled. Nil when it was removed before.
local function remove(self, id)
  local call = self.pendings[id]
  if call then
    self.pendings[id] = nil
    self.running = self.running - 1
  end
  return call
end

local function settle_parsed(self, call, status, body, headers, reused)
  local ok, result, message, details = callback.run(self.log, "the response parser", nil, call.parse,
    status, body, headers, reused)
  if not ok then
    result, message, details = errors.fail("response", "the response could not be processed")
  end
  self.retries:finish(call, result, message, details)
end

-- The outcome of a call that was cancelled too late is dropped.
local function settle_one(self, id, status, body, headers, sent_or_reused)
  local call = remove(self, id)
  if call and status then
    settle_parsed(self, call, status, body, headers, sent_or_reused)
  elseif call then
    self.retries:finish(call, errors.fail(headers, body, { sent = sent_or_reused }))
  end
  return id ~= nil
end

-- Settles the outcome that was pulled, and then one at a time: a callback may step, send, cancel, close or fork in
-- between.
local function settle_finished(self, handle, id, status, body, headers, sent_or_reused)
  if id == nil then
    return -- the idle path: no clock is read
  end
  local limit = core.now() + BUDGET
  settle_one(self, id, status, body, headers, sent_or_reused)
  while core.now() < limit and self.handle == handle and settle_one(self, handle:done()) do end -- luacheck: ignore 542
end

local function settle_orphan(self, index)
  self.running = self.running - 1
  pending.settle(table.remove(self.orphans, index), errors.fail("closed",
    "the call was left to the parent process, which carries it on"))
end

local function settle_orphans(self)
  while self.orphans[1] do
    settle_orphan(self, 1)
  end
end

--- Runs the callbacks of the calls that have ended, for about 0.1 ms at most: the rest is left to the next step.
-- May be called from a callback and from any coroutine.
-- @tparam[opt=0] number seconds how long to wait for the first call to end, or to be retried; 0 never blocks
-- @treturn number|nil how many calls are not settled
-- @fails invalid, closed
function methods:step(seconds)
  local handle = own_handle(self)
  if not handle then
    return errors.fail("closed", "the transport is closed")
  elseif seconds ~= nil and seconds ~= 0 then
    arguments.check("step", 1, seconds, "number or nil")
    local ok, message, details = arguments.seconds("step", seconds)
    if not ok then
      return nil, message, details
    end
  end
  if self.orphans[1] then
    settle_orphans(self)
    return unsettled(self)
  elseif not self.started then
    self.started = true
    handle:start() -- mostly in a tick before that of the first request: starting a thread takes 0.1 ms
  end
  self.retries:restart_due(BUDGET)
  if self.handle == handle and seconds and seconds > 0 and unsettled(self) > 0 then
    handle:wait(math.min(seconds, self.retries:rest() or seconds))
  end
  if self.handle == handle then -- also when none is in flight: a cancelled one may have left its outcome
    settle_finished(self, handle, handle:done())
  end
  return unsettled(self)
end

--- Returns the descriptor that is readable when `step` has something to do: the same until `close` or a fork.
-- @treturn number|nil nil when the transport is closed
-- @source cqueues: objects that can be polled
function methods:pollfd()
  local handle = own_handle(self)
  return handle and handle:pollfd()
end

--- Returns the events to watch the descriptor for.
-- @treturn string always "r"
-- @source cqueues: objects that can be polled
function methods:events() -- luacheck: no self
  return "r"
end

--- Returns when to call `step` even if the descriptor is not ready: when a call is to be retried. The network's thread
-- keeps the deadlines.
-- @treturn number|nil seconds from now; nil when no call waits for its next attempt
-- @source cqueues: objects that can be polled
function methods:timeout()
  return self.retries:rest()
end

--- Closes the connections, without waiting until that is done. Calls in flight end with code `closed`; their callbacks
-- run before this returns. May be called again.
function methods:close()
  local handle = own_handle(self)
  if not handle then
    return
  end
  self.handle = nil
  handle:close()
  settle_orphans(self)
  for _, id in ipairs(ids_in_order(self.pendings)) do
    local call = remove(self, id)
    if call then -- a callback may have cancelled it
      pending.settle(call, errors.fail("closed", CLOSED))
    end
  end
  for call in self.retries:close_and_drain() do
    pending.settle(call, errors.fail("closed", CLOSED))
  end
end

-- A callback that `close` runs may wait for a call that `close` has not ended yet.
local function settle_closed(self, call)
  for index, orphan in ipairs(self.orphans) do
    if orphan == call then
      settle_orphan(self, index)
      return
    end
  end
  if self.retries:remove(call) or self.pendings[call.id] == call then
    remove(self, call.id)
    pending.settle(call, errors.fail("closed", CLOSED))
  end
end

--- For pendings: steps until one is done, the time has passed, or no call is in flight that could end it. The thread
-- keeps the deadlines; one that hangs, in a file system or a name lookup of an old libcurl, is not waited for.
-- @local
-- @tparam table call the pending
-- @tparam[opt] number seconds
function methods:drive(call, seconds)
  local deadline = core.now() + (seconds or math.huge)
  local id, latest = nil, math.huge
  repeat
    if call.entry then
      latest = math.huge
    elseif id ~= call.id then -- each attempt has a timeout of its own
      id, latest = call.id, core.now() + call.timeout + GRACE
    end
    local left = math.max(0, math.min(deadline, latest) - core.now())
    local running = self:step(call.entry and math.min(left, self.retries:rest()) or left) or 0
    local is_late = left == 0 and (core.now() >= deadline or id == call.id and not call.entry)
  until call.done or running == 0 or is_late
  if not self.handle then
    settle_closed(self, call)
  elseif not call.done and core.now() >= latest and self.pendings[call.id] == call then
    self:abandon(call)
    pending.settle(call, errors.fail("timeout", "the network's thread does not respond"))
  end
end

--- For pendings: stops one.
-- @local
function methods:abandon(call)
  local handle = own_handle(self)
  if not self.retries:remove(call) and remove(self, call.id) and handle then
    handle:cancel(call.id)
  end
end

return transport
