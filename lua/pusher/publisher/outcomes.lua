--- What became of the events: the counts, and the one call of on_result that each event ends in.
--
-- What is told of an event is a fresh table with its channel, name, `replace` key
-- and `tag`: nothing of its data.

local errors = require "pusher.base.errors"

local outcomes = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.outcomes" }

--- @tparam function|nil on_result function(event, result, message, details)
-- @tparam function log function(level, message, fields)
function outcomes.new(on_result, log)
  return setmetatable({
    on_result = on_result,
    log = log,
    telling = {}, -- the coroutines that are inside on_result
    depth = 0, -- how many calls of it are open
    accepted = 0,
    sent = 0,
    failed = 0,
    dropped = 0,
    replaced = 0,
    retried = 0,
    calls = 0,
  }, metatable)
end

local function current()
  return (coroutine.running()) or "main" -- 5.1 has no object for the main one
end

-- `trouble` may be any value, and a logger may raise as well.
local function complain(self, event, trouble)
  pcall(function()
    self.log("error", "on_result raised: " .. tostring(trouble), { channel = event.channel, event = event.name })
  end)
end

local function tell(self, event, result, message, details)
  local here = current()
  local outer = self.telling[here]
  self.telling[here], self.depth = true, self.depth + 1
  local told = { channel = event.channel, name = event.name, replace = event.key, tag = event.tag }
  local ok, trouble = pcall(self.on_result, told, result, message, details)
  self.telling[here], self.depth = outer, self.depth - 1
  if not ok then
    complain(self, told, trouble)
  end
end

--- Whether the caller has been called from on_result.
-- @treturn boolean
function methods:is_telling()
  return self.depth > 0 and self.telling[current()] or false
end

--- The server has taken the event.
-- @tparam table event
-- @tparam table|nil attributes what `info` asked for
function methods:deliver(event, attributes)
  self.sent = self.sent + 1
  if self.on_result then
    tell(self, event, type(attributes) == "table" and attributes or {})
  end
end

--- The event has failed for good.
function methods:fail(event, message, details)
  self.failed = self.failed + 1
  if self.on_result then
    tell(self, event, errors.fail(details.code, message, details))
  end
end

--- The event had to make room for a newer one.
function methods:drop(event)
  self.dropped = self.dropped + 1
  if self.on_result then
    tell(self, event, errors.fail("full", "dropped: the queue is full and newer events have come"))
  end
end

--- A newer event has taken the event's place; that is what its sender wanted, and so it is no failure.
function methods:replace(event)
  self.replaced = self.replaced + 1
  if self.on_result then
    tell(self, event, { replaced = true })
  end
end

return outcomes
