--- Reports each HTTP call to the option `observe`, a function(call); docs/metrics.md lists the fields of `call`.
--
-- An observed transport wraps another one, and reports what one part of the library sends through it. Each attempt of
-- a call is reported once, as soon as its outcome is known; a call that is refused before anything is sent is not. Nor
-- does a forked child report its copies of calls that its parent carries on and reports.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local core = require "pusher.core"

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local observer = {}

local find, sub, now, running, forks = string.find, string.sub, core.now, coroutine.running, core.forks

local methods = {}
local metatable = { __index = methods, __name = "pusher.base.observer" }

-- See pusher.transport.
local OPTIONAL = { "fail", "step", "pollfd", "events", "timeout", "close" }

-- The codes of calls that a transport refuses, when nothing was sent. Not `config`: that no call can be sent, as in a
-- phase of nginx without network, should be noticed.
local REFUSED = { invalid = true, full = true, closed = true }

-- The state of one call: `call`, what `observe` gets for the attempt in flight, or false between two attempts; `forks`,
-- the process that sent it. It is the attempts of the call, too, for a transport that makes them by itself.
local state_methods = {}
local state_metatable = { __index = state_methods }

-- All fields are there, so that to complete it takes no memory.
local function new_call(owner, request)
  local target, body = request.target, request.body
  local query = find(target, "?", 1, true)
  local path = query and sub(target, 1, query - 1) or target
  return {
    method = request.method, path = path, endpoint = owner.label(path), status = nil, code = nil, seconds = now(),
    bytes_out = body and #body or 0, bytes_in = 0, attempt = request.attempt or 1, reused = nil,
  }
end

-- `details` may be anything: a custom transport need not know the library's failure shape.
local function complete(call, observe, result, details)
  call.seconds = now() - call.seconds
  if not result then
    details = type(details) == "table" and details or {}
    local code = rawget(details, "code")
    call.code = type(code) == "string" and code or "network"
    if not call.status and REFUSED[call.code] and rawget(details, "sent") == false then
      return
    end
  end
  observe(call)
end

local function mark(inside, here)
  inside[here] = true
end

-- Reports the attempt in flight; only the first time counts.
local function report(state, result, details)
  local call, owner = state.call, state.owner
  if call then
    state.call = false
    if state.forks ~= forks() then
      return
    end
    local here, inside = running() or "main", owner.inside -- Lua 5.1 has no object for the main one
    local outer = inside[here]
    pcall(mark, inside, here) -- fails when memory is short
    local ok, raised = pcall(complete, call, owner.observe, result, details)
    inside[here] = outer
    if not ok then
      callback.log_raised(owner.log, "observe", nil, raised)
    end
  end
end

local function parser(state)
  return function(status, body, headers, reused)
    local call = state.call
    if call then
      call.status = type(status) == "number" and status or nil
      call.bytes_in = type(body) == "string" and #body or 0
      call.reused = reused
    end
    local result, message, details = state.parse(status, body, headers, reused)
    report(state, result, details)
    return result, message, details
  end
end

local function finisher(state)
  return function(result, _, details)
    report(state, result, details)
  end
end

--- The request of the next attempt.
function state_methods:request()
  local request, message, details = self.attempts:request()
  self.call = request and new_call(self.owner, request) or false
  return request, message, details
end

--- The wait after a failure.
function state_methods:delay(details)
  report(self, nil, details)
  return self.attempts:delay(details)
end

--- Makes the transport that wraps another one.
-- @tparam table transport see pusher.transport
-- @tparam function|nil observe
-- @tparam function log gets what `observe` raises
-- @tparam function label function(path) -> the call's `endpoint`
-- @treturn table the given transport when there is no `observe`
function observer.wrap(transport, observe, log, label)
  if not observe then
    return transport
  end
  local self = { inner = transport, observe = observe, log = log, label = label,
    inside = setmetatable({}, { __mode = "k" }) } -- the coroutines inside `observe`, which may yield for ever
  self.repeats = rawget(transport, "repeats")
  for _, name in ipairs(OPTIONAL) do
    local method = arguments.method(transport, name)
    self[name] = method and function(_, ...)
      return method(transport, ...)
    end
  end
  return setmetatable(self, metatable)
end

--- Whether the current coroutine has been called from `observe`.
-- @tparam table transport that `wrap` returned
-- @treturn boolean
function observer.is_inside(transport)
  return getmetatable(transport) == metatable and transport.inside[running() or "main"] or false
end

--- Sends a request, as the other transport does.
function methods:send(request, parse, attempts)
  local state = { owner = self, call = new_call(self, request), parse = parse, attempts = attempts, forks = forks() }
  -- Made first: once the request is sent, its outcome must not be lost.
  local finish = self.repeats and finisher(state)
  local own_attempts = attempts and setmetatable(state, state_metatable)
  local result, message, details = self.inner:send(request, parser(state), own_attempts)
  if not state.call then
    return result, message, details -- the common case: a transport that blocks has parsed a response
  elseif type(result) == "table" and arguments.method(result, "on_done") then
    result:on_done(finish or finisher(state))
  else
    report(state, result, details)
  end
  return result, message, details
end

return observer
