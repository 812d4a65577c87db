--- One registered handler: its name, state and counts. What it raises is caught.

local arguments = require "pusher.base.arguments"
local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"

local slot = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.slot" }

local fail = errors.fail

--- Makes the slot of a handler.
-- @tparam string name
-- @tparam table handler see pusher.push
-- @tparam table callbacks as callback.new returns
function slot.new(name, handler, callbacks)
  return setmetatable({
    name = name, handler = handler, callbacks = callbacks, prefix = ("push handler %s: "):format(name),
    state = "registered", unfinished = false, pushed = 0, dropped = 0, refused = 0,
  }, metatable)
end

--- Whether the handler has a method.
function methods:has(method)
  return arguments.method(self.handler, method) ~= nil
end

--- Calls a method of the handler. One that raises has failed; one that returns nothing has succeeded.
-- @return what it returns, true for nothing; nil, message, details when it raises
function methods:call(method, ...)
  local ok, result, message, details =
    self.callbacks:call(self.prefix .. method, nil, arguments.method(self.handler, method), self.handler, ...)
  if not ok then
    return fail("invalid", ("%s raised: %s"):format(method, result))
  elseif result == nil and message == nil then
    return true
  elseif not result and message ~= nil and (type(details) ~= "table" or errors.CODES[details.code] == nil) then
    return fail("invalid", callback.text(message))
  end
  return result, message, details
end

--- Starts the handler.
-- @param config as the configuration has it
-- @treturn true|nil
function methods:start(config)
  if type(config) == "userdata" then
    config = {} -- JSON null: nothing is configured, which is no error
  end
  if self:has "init" then
    local ok, message, details = self:call("init", config)
    if not ok then
      return fail(details and details.code or "config", message or "init refused", details)
    end
  end
  self.state = "started"
  return true
end

--- Whether the handler accepts receipts. One with an `is_ready` decides itself; any other is ready from its start to
-- its stop.
function methods:is_ready()
  if self.state == "stopped" then
    return false
  elseif self:has "is_ready" then
    return (self:call "is_ready") == true
  end
  return self.state == "started"
end

--- Whether the handler may have something to do.
function methods:is_running()
  return self.state == "started" or self:is_ready()
end

--- Stops the pushing, if the handler is running; its `step` and `stop` can still be called.
function methods:stop()
  if self:is_running() then
    self.state = "stopped"
  end
end

--- Whether the handler's own `stop` is still to be called, if it has one.
function methods:is_unfinished()
  return self.unfinished or self:is_running()
end

--- Calls the handler's own `stop`. One that fails may be called again. A handler that is still ready after that has
-- refused to stop, and goes on.
-- @tparam number seconds
function methods:finish(seconds)
  self.unfinished = false -- it may stop the registry
  local ok, message, details = self:call("stop", seconds)
  if not ok and self:has "is_ready" and self:call "is_ready" == true then
    self.state = "started"
  else
    self.unfinished = not ok
  end
  return ok, message, details
end

--- Gives the handler a receipt, and counts the result.
-- @treturn true|nil true; nil, message, details with `handler`, its name
function methods:push(receipt)
  local ok, message, details = self:call("push", receipt)
  if ok then
    self.pushed = self.pushed + 1
    return true
  end
  local given = type(details) == "table" and errors.CODES[details.code] ~= nil and details or {}
  -- A copy of the details: the handler's own table is not changed.
  local _, text, copy = fail(given.code or "invalid", message or "refused", given)
  local count = copy.code == "full" and "dropped" or "refused"
  self[count] = self[count] + 1
  copy.handler = self.name
  return nil, text, copy
end

--- Lets the handler work. One that returns no number is done, unless it returns false.
-- @tparam number seconds
-- @treturn number|nil how many items it has not settled
function methods:step(seconds)
  local result, message, details = self:call("step", seconds)
  if not result and message then
    return nil, message, details
  elseif type(result) == "number" then
    return result
  end
  return result == false and 1 or 0
end

--- What the handler has been given, and its own figures.
function methods:stats()
  local own = self:has "stats" and self:call "stats"
  return { ready = self:is_ready(), pushed = self.pushed, dropped = self.dropped, refused = self.refused,
    handler = type(own) == "table" and own or nil }
end

return slot
