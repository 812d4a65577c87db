--- Sends the calls of one client: request -> transport:send(request, parse), retried as the option `retry` allows.

local arguments = require "pusher.base.arguments"
local attempts = require "pusher.channels.attempts"

local calls = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.calls" }

--- Makes the calls of one client.
-- @tparam table parts `transport`; `build` = what request.builder returns; `random` = function(n) -> n bytes; `retry` =
--   rules of pusher.base.retry with `attempts`; `refuse` = function(transport, message, details), the outcome of a call
--   that is not sent; `sleep` = function(seconds) -> whether it could wait
function calls.new(parts)
  return setmetatable({
    transport = parts.transport, build = parts.build, refuse = parts.refuse, sleep = parts.sleep, random = parts.random,
    rules = parts.retry.attempts > 1 and parts.retry or nil,
    transport_repeats = rawget(parts.transport, "repeats"),
  }, metatable)
end

-- The caller's query parameters, as they are now.
local function copy_params(params)
  local copy = {}
  for name, value in next, params do
    copy[name] = type(value) == "table" and arguments.list(value) or value
  end
  return copy
end

local function send_repeatedly(self, parse, repeatable, method, path, params, body, at)
  local transport = self.transport
  params = params and copy_params(params)
  local tries = attempts.new(self.rules, self.random, repeatable, function()
    return self.build(method, path, params, body, at)
  end)
  local request, message, details = tries:request()
  if not request then
    return self.refuse(transport, message, details)
  elseif self.transport_repeats then
    return transport:send(request, parse, tries)
  end
  return tries:run(transport, request, parse, self.sleep)
end

local function send(self, parse, repeatable, method, path, params, body, at)
  if self.rules then
    return send_repeatedly(self, parse, repeatable, method, path, params, body, at)
  end
  local request, message, details = self.build(method, path, params, body, at)
  if not request then
    return self.refuse(self.transport, message, details)
  end
  return self.transport:send(request, parse)
end

--- A query.
-- @tparam function parse
-- @tparam string path
-- @tparam table|nil params nil, and the failure of making them
function methods:get(parse, path, params, message, details)
  if not params then
    return self.refuse(self.transport, message, details)
  end
  return send(self, parse, true, "GET", path, params)
end

--- A call that changes something.
-- @tparam function parse
-- @tparam string path
-- @tparam string|nil body nil, and the failure of making it
-- @tparam[opt] string message
-- @tparam[opt] table details
-- @tparam[opt] boolean repeatable whether the server does nothing twice when it gets the call twice
-- @tparam[opt] table at an endpoint, else the API's
function methods:post(parse, path, body, message, details, repeatable, at)
  if message then
    return self.refuse(self.transport, message, details)
  end
  return send(self, parse, repeatable or false, "POST", path, nil, body, at)
end

return calls
