--- What the server remembers of idempotency keys, as sockudo does: for `key_seconds` of the app, per event, whether it
-- came alone or in a batch.

local cqueues = require "cqueues"

local keys = {}
local methods = {}
local metatable = { __index = methods }

local MAX_BYTES = 128

--- Makes an empty memory.
-- @tparam table app
function keys.new(app)
  return setmetatable({ app = app, entries = {} }, metatable)
end

--- Whether the app keeps keys.
function methods:is_on()
  return self.app.key_seconds > 0
end

--- The fault of an event's key, as a text.
function methods:fault(event)
  local key = self:is_on() and event.idempotency_key
  if not key then
    return nil
  elseif type(key) ~= "string" or key == "" then
    return "idempotency_key must not be empty"
  elseif #key > MAX_BYTES then
    return ("idempotency_key must have at most %d characters"):format(MAX_BYTES)
  end
end

--- What is known of an event: `{ running = boolean, counts = { channel = JSON text } }`; nil when it is new.
function methods:find(event)
  local entry = self:is_on() and event.idempotency_key and self.entries[event.idempotency_key]
  if entry and cqueues.monotime() < entry.expires then
    return entry
  end
end

--- Remembers an event as one that is being published.
-- @treturn table its entry; the caller sets `running` to false once the event is published
function methods:begin(event)
  local entry = { running = true, counts = {}, expires = cqueues.monotime() + self.app.key_seconds }
  if self:is_on() and event.idempotency_key then
    self.entries[event.idempotency_key] = entry
  end
  return entry
end

--- Forgets all keys.
function methods:reset()
  self.entries = {}
end

return keys
