--- What the server has received, for specs to inspect.

local condition = require "cqueues.condition"

local record = {}
local methods = {}
local metatable = { __index = methods }

-- Requests kept for inspection, older ones only count; and how much of a body, in bytes.
local REQUESTS_KEPT, BODY_KEPT = 1000, 64 * 1024

--- Makes an empty record.
-- @tparam number limit how many events are kept
function record.new(limit)
  local self = setmetatable({ limit = limit, changed = condition.new() }, metatable)
  self:reset()
  return self
end

--- Forgets everything.
function methods:reset()
  self.request_count = 0
  self.response_count = 0
  self.event_count = 0
  self.batch_count = 0
  self.repetition_count = 0 -- of events whose key was known
  self.landed = 0 -- requests that followed a redirect
  self.statuses = {}
  self.faults = {}
  self.requests = {}
  self.events = {}
  self.webhooks = {}
  self.notifications = {}
end

--- Adds a request as soon as its head has been read.
function methods:add_request(exchange)
  local count = self.request_count + 1
  self.request_count = count
  self.requests[(count - 1) % REQUESTS_KEPT + 1] = exchange
  exchange.number = count
end

--- Counts a response, and shortens what is kept of its request.
function methods:add_response(exchange)
  local name = tostring(exchange.status or 0)
  exchange.stream = nil
  if exchange.body and #exchange.body > BODY_KEPT then
    exchange.body = exchange.body:sub(1, BODY_KEPT)
  end
  self.response_count = self.response_count + 1
  self.statuses[name] = (self.statuses[name] or 0) + 1
  self.changed:signal()
end

--- Counts a fault.
function methods:add_fault(mode)
  self.faults[mode] = (self.faults[mode] or 0) + 1
  self.changed:signal()
end

--- Adds an event that the HTTP API accepted.
-- @treturn number its place in the order of arrival
function methods:add_event(channel, name, data, socket_id, request)
  local count = self.event_count + 1
  self.event_count = count
  if count <= self.limit then
    self.events[count] =
      { channel = channel, name = name, data = data, socket_id = socket_id, request = request }
  end
  return count
end

--- Adds a webhook that was sent, or would have been.
function methods:add_webhook(hook)
  self.webhooks[#self.webhooks + 1] = hook
  self.changed:signal()
end

--- Marks the events of one request, which got no response.
function methods:mark_lost(request)
  for index = math.min(self.event_count, self.limit), 1, -1 do
    local event = self.events[index]
    if event.request < request then
      break
    elseif event.request == request then
      event.lost = true
    end
  end
end

local function slice(list, from, limit)
  local out = {}
  for index = from, math.min(#list, from + limit - 1) do
    out[#out + 1] = list[index]
  end
  return out
end

--- Events in order of arrival.
-- @tparam number from the first one, counted from 1
-- @tparam number limit maximum number of events
function methods:list_events(from, limit)
  return slice(self.events, from, limit)
end

--- The latest requests, oldest first.
function methods:list_requests()
  local out = {}
  for number = math.max(1, self.request_count - REQUESTS_KEPT + 1), self.request_count do
    local exchange = self.requests[(number - 1) % REQUESTS_KEPT + 1]
    local headers = {}
    for name, value in exchange.headers:each() do
      headers[name] = value
    end
    out[#out + 1] = {
      number = number,
      method = exchange.method,
      target = exchange.target,
      headers = headers,
      body = exchange.body,
      status = exchange.status,
      listener = exchange.listener,
      connection = exchange.connection,
    }
  end
  return out
end

return record
