--- What becomes of each event: its outcomes here, compared with what the server has seen.
--
-- The rules are those of docs/publisher.md.

local events = {}
local methods = {}
local metatable = { __index = methods }

--- What is judged, by kind.
events.PROMISES = {
  outcomes = "gives each accepted event one outcome",
  arrivals = "loses no event that succeeded",
  once = "sends an event at most once where that was asked",
  unsent = "sends nothing of a call that it reports unsent",
  replaced = "sends no event that was replaced",
  order = "keeps the order of a channel",
}

local PAGE = 5000 -- events read from the server at a time
--- The name of events that may replace each other; its id is the data. The name of any other is its id.
events.REPLACED = "position"

local SHOWN = 5 -- failures that are shown of each kind

function events.new()
  return setmetatable({
    last = 0, -- number of the newest event, which is part of its id
    known = {}, -- of this round, by id
    earlier = {}, -- of the round before, whose requests may have been late
    failures = {}, -- texts by kind
    counts = { accepted = 0, succeeded = 0, failed = 0, repeated = 0 },
  }, metatable)
end

local function fail(self, kind, text, ...)
  local list = self.failures[kind] or {}
  self.failures[kind] = list
  if #list < SHOWN then
    list[#list + 1] = text:format(...)
  end
end

--- Adds an event that is about to be sent.
-- @tparam table event `channel`; `once`: it must not arrive twice; `single`: it is one call's, not a publisher's;
--   `replace`: another may take its place
-- @treturn string its id
function methods:add(event)
  self.last = self.last + 1
  event.id, event.number, event.outcomes, event.arrived = ("soak-%d"):format(self.last), self.last, 0, 0
  self.known[event.id] = event
  return event.id
end

--- Notes the outcome of an event: what the call returned, or its publisher reported.
function methods:finish(id, result, _, details)
  local event = self.known[id]
  if not event then
    return fail(self, "outcomes", "%s has an outcome, but is not in flight", id)
  end
  event.outcomes = event.outcomes + 1
  event.result, event.details = result, details
end

-- All that the server has seen since its last reset.
local function seen_by(server)
  local all, count = {}, server:inspect().events
  while #all < count do
    local page = server:events { from = #all + 1, limit = PAGE }
    assert(#page > 0, "the server does not return all of its events")
    for _, event in ipairs(page) do
      all[#all + 1] = event.name == events.REPLACED and event.data or event.name
    end
  end
  return all
end

local function has_arrived(self, id, newest)
  local event = self.known[id] or self.earlier[id]
  if not event then
    return fail(self, "arrivals", "%s has arrived, and nobody sent it", id)
  end
  event.arrived = event.arrived + 1
  if event.arrived > 1 then
    self.counts.repeated = self.counts.repeated + 1
    if event.once then
      fail(self, "once", "%s has arrived %d times", id, event.arrived)
    end
  elseif event.ordered and event.outcomes == 1 and event.result then
    if event.number < (newest[event.channel] or 0) then
      fail(self, "order", "%s has arrived after a later event of %s", id, event.channel)
    end
    newest[event.channel] = event.number
  end
end

local function judge(self, event)
  local counts = self.counts
  counts.accepted = counts.accepted + 1
  if event.outcomes ~= 1 then
    fail(self, "outcomes", "%s has %d outcomes", event.id, event.outcomes)
  elseif not event.result then
    counts.failed = counts.failed + 1
    if event.single and event.details.sent == false and event.arrived > 0 then
      fail(self, "unsent", "%s was not sent (%s), and has arrived", event.id, event.details.code)
    end
  elseif event.result.replaced then
    if not event.replace or event.arrived > 0 then
      fail(self, "replaced", "%s was replaced, and has arrived %d times", event.id, event.arrived)
    end
  else
    counts.succeeded = counts.succeeded + 1
    if event.arrived == 0 then
      fail(self, "arrivals", "%s has succeeded, and has not arrived", event.id)
    end
  end
end

--- Ends a round, in which everything has had its outcome: compares, and makes the server forget.
function methods:compare(server)
  local newest = {}
  for _, id in ipairs(seen_by(server)) do
    has_arrived(self, id, newest)
  end
  for _, event in pairs(self.known) do
    judge(self, event)
  end
  server:reset()
  self.earlier, self.known = self.known, {}
end

return events
