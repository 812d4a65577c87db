--- One handler under its name: asked under pcall, its state and its counts kept.

local errors = require "pusher.base.errors"

local slot = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.push.slot" }

local fail = errors.fail

--- @tparam string name
-- @tparam table handler see pusher.push
-- @treturn table
function slot.new(name, handler)
  return setmetatable({ name = name, handler = handler, state = "registered", pushed = 0, dropped = 0, refused = 0 },
    metatable)
end

--- Whether the handler has a method.
-- @tparam string name
-- @treturn boolean
function methods:has(name)
  return self.handler[name] ~= nil
end

--- Calls a method of the handler. One that raises has failed, and one that says nothing has not.
-- @tparam string name
-- @return what it returns, or nil, message, details
function methods:ask(name, ...)
  local ok, result, message, details = pcall(self.handler[name], self.handler, ...)
  if not ok then
    return fail("invalid", ("%s raised: %s"):format(name, tostring(result)), { retryable = false })
  elseif result == nil and message == nil then
    return true
  elseif not result and message ~= nil and (type(details) ~= "table" or errors.CODES[details.code] == nil) then
    return fail("invalid", tostring(message))
  end
  return result, message, details
end

--- Starts the handler.
-- @param config as the configuration has it
-- @treturn true|nil
function methods:start(config)
  if type(config) == "userdata" then
    config = {} -- JSON's null: nothing is configured, and that is no mistake
  end
  if self:has "init" then
    local ok, message, details = self:ask("init", config)
    if not ok then
      return fail(details and details.code or "config", message or "init refused", details)
    end
  end
  self.state = "started"
  return true
end

--- Whether the handler takes receipts. One with an `is_ready` knows best; any other is ready from its start to
-- its stop.
-- @treturn boolean
function methods:is_ready()
  if self.state == "stopped" then
    return false
  elseif self:has "is_ready" then
    return (self:ask "is_ready") == true
  end
  return self.state == "started"
end

--- Gives the handler a receipt, and counts what it makes of it.
-- @tparam table receipt
-- @treturn true|nil
function methods:push(receipt)
  local ok, message, details = self:ask("push", receipt)
  if ok then
    self.pushed = self.pushed + 1
    return true
  end
  message, details = message or "refused", details or select(3, fail("invalid", "refused"))
  local count = details.code == "full" and "dropped" or "refused"
  self[count] = self[count] + 1
  return nil, message, details
end

--- What the handler has been given, and its own figures.
-- @treturn table
function methods:stats()
  local own = self:has "stats" and self:ask "stats"
  return { ready = self:is_ready(), pushed = self.pushed, dropped = self.dropped, refused = self.refused,
    handler = type(own) == "table" and own or nil }
end

return slot
