--- The transport that never blocks: `send` returns a pending at once, `step` moves all calls in flight.
--
-- Any loop can drive it. One with a tick calls `step()` each tick. One that watches descriptors uses `pollfd()`,
-- `events()` and `timeout()`, as cqueues does, and calls `step()` when the descriptor is ready or the time has passed.
-- C collects, Lua pulls: no Lua function runs inside libcurl, callbacks run here after C has returned.
--
-- What no step can avoid: the first TLS connection parses the system's authorities, once, about 20 ms; a short
-- `ca_file` makes that a fraction. Before libcurl 7.87 a call that ends while its name is being looked up (timeout,
-- cancel, close) waits for that look-up.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local core = require "pusher.core"
local curl = require "pusher.curl"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"
local pending = require "pusher.pending"

local transport = {}

-- So many calls are parsed and settled in one step, so that a thousand that time out together do not hold up a tick.
local MAX_COMPLETIONS_PER_STEP = 256

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.async" }

--- Makes a transport.
-- @tparam[opt] table given the options of the curl transport, and `max_pending` (10000): how many calls may be in
--   flight or wait for a connection; `keepalive.pool_size` is the maximum of connections; `log` =
--   function(level, message, fields) gets the errors that callbacks raise; without it standard error does
-- @treturn table|nil transport; nil, message, details otherwise (code `config`)
function transport.new(given)
  arguments.check("new", 1, given, "table or nil")
  local settings, message, details = options.transport(given)
  if not settings then
    return nil, message, details
  end
  local handle, code
  handle, message, code = curl.async(settings)
  if not handle then
    return errors.fail(code, message)
  end
  return setmetatable({
    name = "async",
    handle = handle,
    log = settings.log or callback.log_to_stderr,
    pendings = {}, -- by the id that C gave them
    running = 0,
  }, metatable)
end

--- Makes a pending that is done: what a refused call returns over this transport.
function methods:fail(message, details)
  local call = pending.new(self)
  pending.settle(call, nil, message, details)
  return call
end

local function refuse(self, code, message)
  return self:fail(select(2, errors.fail(code, message, { sent = false })))
end

--- Starts one request.
-- @tparam table request `{ method =, scheme =, host =, port =, target =, headers =, body =, timeout =, once = }`,
--   copied; `once`: a body is sent at most once, also where a kept connection breaks before the response
-- @tparam function parse called with status, body and the header lines; the pending ends with what it returns
-- @treturn table pending; done already when nothing was started: code `invalid`, `full` or `closed`
function methods:send(request, parse)
  local handle = self.handle
  if not handle then
    return refuse(self, "closed", "the transport is closed")
  end
  local id, message, code = handle:add(request)
  if not id then
    return refuse(self, code, message)
  end
  local call = pending.new(self, id, parse)
  self.pendings[id] = call
  self.running = self.running + 1
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

local function settle_parsed(self, call, status, body, headers)
  local ok, result, message, details = callback.run(self.log, "the response parser", nil, call.parse,
    status, body, headers)
  if not ok then
    result, message, details = errors.fail("response", "the response could not be processed")
  end
  pending.settle(call, result, message, details)
end

-- Pulls one outcome at a time: a callback may step, send, cancel or close in between.
local function settle_finished(self, handle)
  for _ = 1, MAX_COMPLETIONS_PER_STEP do
    if self.handle ~= handle then
      return
    end
    local id, status, body, headers, sent = handle:done()
    if not id then
      return
    end
    local call = remove(self, id)
    if status then
      settle_parsed(self, call, status, body, headers)
    else
      pending.settle(call, errors.fail(headers, body, { sent = sent }))
    end
  end
end

--- Does what can be done now, and runs the callbacks of the calls that have ended.
-- May be called from a callback and from any coroutine.
-- @tparam[opt=0] number seconds how long to wait for the first call to end; 0 never blocks
-- @treturn number|nil how many calls are still in flight; nil, message, details otherwise (code `invalid` or `closed`)
function methods:step(seconds)
  local handle = self.handle
  if not handle then
    return errors.fail("closed", "the transport is closed")
  elseif seconds ~= nil then
    arguments.check("step", 1, seconds, "number")
    local ok, message, details = arguments.seconds("step", seconds)
    if not ok then
      return nil, message, details
    end
  end
  if self.running > 0 then
    handle:step(seconds)
    settle_finished(self, handle)
  end
  return self.running
end

--- The descriptor that is readable when `step` has something to do; the same until `close`.
-- @treturn number|nil
function methods:pollfd()
  return self.handle and self.handle:pollfd()
end

--- What to watch the descriptor for.
-- @treturn string always "r"
function methods:events() -- luacheck: no self
  return "r"
end

--- When to call `step` even if the descriptor is not ready. Changes with each `send` and `step`.
-- @treturn number|nil seconds from now; nil for never
function methods:timeout()
  return self.handle and self.running > 0 and self.handle:timeout() or nil
end

--- Closes the connections. Calls in flight end with code `closed`; their callbacks run before this returns.
-- May be called again.
function methods:close()
  local handle = self.handle
  if not handle then
    return
  end
  self.handle = nil
  handle:close()
  local ids = {}
  for id in pairs(self.pendings) do
    ids[#ids + 1] = id
  end
  table.sort(ids)
  for _, id in ipairs(ids) do
    local call = remove(self, id)
    if call then -- a callback may have cancelled it
      pending.settle(call, errors.fail("closed", "the transport was closed"))
    end
  end
end

--- For pendings: steps until one is done, the time has passed, or no call is in flight that could end it.
-- @tparam table call the pending
-- @tparam[opt] number seconds
function methods:drive(call, seconds)
  local deadline = seconds and core.now() + seconds
  repeat
    local left = deadline and math.max(0, deadline - core.now())
    local running = self:step(left or math.huge) or 0
  until call.done or running == 0 or left == 0
end

--- For pendings: stops one.
function methods:abandon(call)
  if remove(self, call.id) and self.handle then
    self.handle:cancel(call.id)
  end
end

return transport
