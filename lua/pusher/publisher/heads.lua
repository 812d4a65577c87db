--- How the texts of events begin, by channel and event name: each pair in use is checked and encoded once.

local jit = rawget(_G, "jit")
if jit then jit.off(true, true) end -- see CONTRIBUTING.md, "Ticks"

local heads = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.publisher.heads" }

-- How many pairs are remembered. With more, all are forgotten.
local MAX_HEADS = 1024

--- Makes an empty memory.
-- @tparam table payload with a method `head(channel, event)`
function heads.new(payload)
  return setmetatable({ payload = payload, by_channel = {}, count = 0 }, metatable)
end

--- What `payload:head` returns for a channel and an event name, for `known` from now on.
-- @treturn string|nil
function methods:make(channel, event)
  local head, message, details = self.payload:head(channel, event)
  if head then
    if self.count >= MAX_HEADS then
      self.by_channel, self.count = {}, 0
    end
    self.by_channel[channel] = self.by_channel[channel] or {}
    self.by_channel[channel][event] = head
    self.count = self.count + 1
  end
  return head, message, details
end

--- The head of a pair that `make` has made and that is remembered, so both are valid names; nil for any other values.
-- @treturn string|nil
function methods:known(channel, event)
  local by_event = self.by_channel[channel]
  return by_event and by_event[event]
end

return heads
