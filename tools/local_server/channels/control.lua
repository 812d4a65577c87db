--- The commands of the Channels server, for specs: inspect, misbehave, reset, wait.

local cqueues = require "cqueues"
local rules = require "tools.local_server.channels.app"

local control = {}

local function counts_of(listeners, member)
  local out = {}
  for name, listener in pairs(listeners) do
    local value = listener[member]
    out[name] = type(value) == "function" and value() or value
  end
  return out
end

-- The counts; `wait` can wait for each.
local function progress(state)
  local occupied = 0
  for _ in pairs(state.channels.occupied) do
    occupied = occupied + 1
  end
  return {
    requests = state.record.request_count,
    responses = state.record.response_count,
    events = state.record.event_count,
    batches = state.record.batch_count,
    repetitions = state.record.repetition_count,
    webhooks = #state.record.webhooks,
    landed = state.record.landed,
    subscribers = state.session_count,
    occupied = occupied,
  }
end

local function inspect(state)
  local out = progress(state)
  out.accepted = counts_of(state.listeners, "accepted")
  out.goaways = counts_of(state.listeners, "goaways")
  out.open = counts_of(state.listeners, "open")
  out.statuses = state.record.statuses
  out.faults = state.record.faults
  out.proxy = state.proxies.proxy.counts
  out.proxy_auth = state.proxies.proxy_auth.counts
  out.memory_kb = collectgarbage("count")
  return out
end

-- Waits until each named count has reached the given value.
local function wait(state, wanted)
  local deadline = cqueues.monotime() + (wanted.timeout or 30)
  while true do
    local now, reached = progress(state), true
    for name, value in pairs(wanted) do
      if name ~= "timeout" then
        assert(now[name], "cannot wait for " .. name)
        reached = reached and now[name] >= value
      end
    end
    local left = deadline - cqueues.monotime()
    if reached or left <= 0 then
      now.reached = reached
      return now
    end
    state.record.changed:wait(math.min(left, 0.1))
  end
end

local function set(state, options)
  for name, value in pairs(options) do
    local default = rules.DEFAULTS[name]
    assert(default ~= nil and type(value) == type(default), "unknown or mistyped option " .. name)
    state.app[name] = value
  end
end

local function all_channels(state)
  local out = {}
  for name, channel in pairs(state.channels.occupied) do
    out[name] = { subscribers = channel.count, members = channel.member_count }
  end
  return out
end

--- The table of commands.
-- @tparam table state
function control.commands(state)
  return {
    inspect = function()
      return inspect(state)
    end,
    events = function(arguments)
      return state.record:list_events(arguments.from or 1, arguments.limit or 10000)
    end,
    requests = function()
      return state.record:list_requests()
    end,
    webhooks = function()
      return state.record.webhooks
    end,
    notifications = function()
      return state.record.notifications
    end,
    channels = function()
      return all_channels(state)
    end,
    misbehave = function(rule)
      state.misbehave:arm(rule)
    end,
    answer = function(rule)
      rule.mode = "answer"
      rule.times = rule.times or 1
      state.misbehave:arm(rule)
    end,
    behave = function()
      state.misbehave:clear()
    end,
    set = function(options)
      set(state, options)
    end,
    wait = function(wanted)
      return wait(state, wanted)
    end,
    reset = function()
      state.misbehave:clear()
      state.record:reset()
      state.channels.caches = {}
      state.keys:reset()
    end,
    disconnect = function(arguments)
      for session in pairs(state.sessions) do
        session:fail(arguments.code or 4200, arguments.message or "Please reconnect")
      end
    end,
  }
end

return control
