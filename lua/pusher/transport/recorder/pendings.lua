--- The methods that the option `pendings` adds to a recorder, or replaces: `send` returns a pending, which `step`
-- settles.
-- @submodule pusher.transport.recorder

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local pending = require "pusher.pending"
local records = require "pusher.transport.recorder.records"

local methods = {}

--- Makes a pending that is done: what a refused call returns.
-- @local
function methods:fail(message, details)
  local call = pending.new(self)
  pending.settle(call, nil, message, details)
  return call
end

local function enqueue(self, call, request)
  local record = self.records:add(request)
  record.call, call.entry = call, record
  self.waiting:push(record)
end

local function remove(self, record)
  self.waiting:remove(record)
  record.call.entry = false
end

--- As without pendings, with a pending as the result.
-- @local
function methods:send(request, parse, attempts)
  arguments.check("send", 1, request, "table")
  arguments.check("send", 2, parse, "function")
  local read, message, details = self.records:read(request)
  if not read then
    return self:fail(message, details)
  end
  local call = pending.new(self, false, parse)
  call.attempts = attempts or false
  enqueue(self, call, read)
  return call
end

-- Settles a call, or has it wait for the next step, in which its next attempt is made.
local function attempt(self, record)
  local call = record.call
  local result, message, details = self.records:outcome(record, call.parse)
  local again = result == nil and call.attempts and records.next_request(call.attempts, details)
  if again and not call.done then
    enqueue(self, call, again)
  else
    pending.settle(call, result, message, details)
  end
end

--- Settles the calls that were in flight when it was called, in their order, and runs their callbacks. Only with
-- `pendings`.
-- @tparam[opt] number seconds never waited
-- @treturn number|nil how many calls are in flight: those that callbacks have made, and further attempts
-- @fails invalid, closed
function methods:step(seconds)
  if self.records.closed then
    return errors.fail("closed", "the transport is closed")
  elseif seconds ~= nil then
    arguments.check("step", 1, seconds, "number or nil")
    local ok, message, details = arguments.seconds("step", seconds)
    if not ok then
      return nil, message, details
    end
  end
  local last, record = self.records.count, self.waiting.first
  while record and record.number <= last do
    remove(self, record)
    if not callback.run(self.log, "a function of the call", nil, attempt, self, record) then
      pending.settle(record.call, errors.fail("response", "the response could not be processed"))
    end
    record = self.waiting.first
  end
  return self.waiting.size
end

--- When to call `step`: at once, while calls are in flight. Only with `pendings`.
-- @treturn number|nil 0; nil when none is in flight
-- @source cqueues: objects that can be polled
function methods:timeout()
  return self.waiting.size > 0 and 0 or nil
end

--- For pendings: steps until one is done; once when `seconds` is 0.
-- @local
function methods:drive(call, seconds)
  repeat
    local running = self:step() or 0
  until call.done or running == 0 or seconds == 0
end

--- For pendings: stops one.
-- @local
function methods:abandon(call)
  if call.entry then
    remove(self, call.entry)
  end
end

--- Ends the recorder: calls in flight, and every further one, fail with code `closed`.
-- @local
function methods:close()
  self.records:close()
  local record = self.waiting.first
  while record do
    remove(self, record)
    pending.settle(record.call, errors.fail("closed", "the transport was closed"))
    record = self.waiting.first
  end
end

return methods
