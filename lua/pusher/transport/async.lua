--- The transport that never blocks: `send` returns a pending at once, `step` moves everything that is under way.
--
-- Any loop can drive it. One with a tick calls `step()` each tick. One that watches descriptors asks `pollfd()`,
-- `events()` and `timeout()` (the protocol of cqueues) and calls `step()` when the descriptor is ready or the time
-- is over. C collects, Lua pulls: no Lua function runs inside libcurl, callbacks run here after C has returned.
--
-- What no step can avoid: the first TLS connection parses the system's authorities, once, about 20 ms; a short
-- `ca_file` makes that a fraction. Before libcurl 7.87 a call that ends while its name is being looked up (timeout,
-- cancel, close) waits for that look-up.

local curl = require "pusher.curl"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"
local pending = require "pusher.pending"

local transport = {}

-- Callbacks and parsers of so many calls run in one step, so that a thousand calls that time out together do not
-- hold up a tick.
local MOST_ENDS_PER_STEP = 256

local methods = {}
local metatable = { __index = methods, __name = "pusher.transport.async" }

--- Makes a transport.
-- @tparam[opt] table given those of the curl transport, and `max_pending` (10000), how many calls may be under way
--   or waiting for a connection; `keepalive.pool_size` bounds the connections;
--   `log` = function(level, message, fields) is told when a callback fails
-- @treturn table|nil transport, or the failure triple with code `config`
function transport.new(given)
  local settings, message, details = options.transport(given or {})
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
    log = settings.log,
    pendings = {}, -- by the id that C gave them
    running = 0,
  }, metatable)
end

--- Starts one request.
-- @tparam table request `{ method =, scheme =, host =, port =, target =, headers =, body =, timeout =, once = }`,
--   taken by value; `once`: a body is sent at most once, also where a kept connection breaks before the answer
-- @tparam function parse called with status, body and the header lines; the pending ends with what it returns
-- @treturn table|nil pending, or the failure triple when nothing was started: `invalid`, `full`, `closed`
function methods:send(request, parse)
  local handle = self.handle
  if not handle then
    return errors.fail("closed", "the transport is closed", { sent = false })
  end
  local id, message, code = handle:add(request)
  if not id then
    return errors.fail(code, message, { sent = false })
  end
  local call = pending.new(self, id, parse)
  self.pendings[id] = call
  self.running = self.running + 1
  return call
end

-- Takes a pending off the books, so that it can be settled.
local function take(self, id)
  local call = self.pendings[id]
  self.pendings[id] = nil
  self.running = self.running - 1
  return call
end

local function settle_parsed(self, call, ok, ...)
  if ok then
    return pending.settle(call, ...)
  end
  self:report("the answer could not be processed", (...))
  pending.settle(call, errors.fail("response", "the answer could not be processed"))
end

-- Pulls one outcome at a time: a callback may step, send, cancel or close in between. What is more than a step
-- should carry is left for the next one.
local function settle_finished(self, handle)
  for _ = 1, MOST_ENDS_PER_STEP do
    if self.handle ~= handle then
      return
    end
    local id, status, body, headers, sent = handle:done()
    if not id then
      return
    end
    local call = take(self, id)
    if status then
      settle_parsed(self, call, pcall(call.parse, status, body, headers))
    else
      pending.settle(call, errors.fail(headers, body, { sent = sent }))
    end
  end
end

--- Does what can be done now, and runs the callbacks of what has ended.
-- May be called from a callback and from any coroutine.
-- @tparam[opt=0] number seconds how long to wait for the first call to end; 0 never blocks
-- @treturn number|nil how many calls are still under way, or the failure triple: `invalid`, `closed`
function methods:step(seconds)
  local handle = self.handle
  if not handle then
    return errors.fail("closed", "the transport is closed")
  elseif seconds ~= nil and type(seconds) ~= "number" then
    error(("bad argument #1 to 'step' (number expected, got %s)"):format(type(seconds)), 2)
  elseif seconds and (seconds < 0 or seconds ~= seconds) then
    return errors.fail("invalid", "the time to wait must not be negative")
  end
  if self.running > 0 then
    handle:step(seconds and seconds * 1000)
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

--- When to call `step` even though the descriptor is not ready. Changes with each `send` and `step`.
-- @treturn number|nil seconds from now; nil for never
function methods:timeout()
  local ms = self.handle and self.running > 0 and self.handle:timeout_ms()
  return ms and ms / 1000 or nil
end

--- Closes the connections. What is under way ends with code `closed`; the callbacks run before this returns.
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
    local call = self.pendings[id] and take(self, id) -- a callback may have cancelled it
    if call then
      pending.settle(call, errors.fail("closed", "the transport was closed"))
    end
  end
end

--- For pendings: steps until one is done.
function methods:drive(call, seconds)
  local deadline = seconds and curl.clock() + seconds
  repeat
    local left = deadline and math.max(0, deadline - curl.clock())
    self:step(left or 3600)
  until call.done or not self.handle or left == 0
end

--- For pendings: stops one.
function methods:abandon(call)
  if take(self, call.id) and self.handle then
    self.handle:cancel(call.id)
  end
end

local function text_of(reason)
  local ok, text = pcall(tostring, reason)
  return ok and tostring(text) or "an error that cannot be shown"
end

--- For pendings: tells of an error in a callback, never raises.
function methods:report(text, reason)
  local told = self.log and pcall(self.log, "error", text .. ": " .. text_of(reason), { code = "callback" })
  if not told and io and io.stderr then
    io.stderr:write("pusher: ", text, ": ", text_of(reason), "\n")
  end
end

return transport
