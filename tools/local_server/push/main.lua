--- The local push server: plays FCM's HTTP v1 API, Google's token endpoint and Pusher Beams on 127.0.0.1.
-- Specs start it by `require("tools.local_server.push").start()`; see tools/local_server/README.md.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local beams = require "tools.local_server.push.beams"
local cjson = require "cjson"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local fcm = require "tools.local_server.push.fcm"
local listener = require "tools.local_server.http.listener"
local misbehave = require "tools.local_server.http.misbehave"
local posix = require "tools.local_server.http.posix"
local program = require "tools.local_server.http.program"
local tls = require "tools.local_server.http.tls"
local tokens = require "tools.local_server.push.tokens"

local DEFAULTS = {
  token_seconds = 3599, -- how long access tokens live
  keep = 1000, -- messages kept for inspection
  instance_id = "i-123",
  secret_key = "k-456",
  account = {}, -- `client_email`, `private_key_id`, `project_id`, `token_uri`, `public_key`
  retry_after = false, -- seconds, sent with every error
}

local function new_state(options)
  local state = { options = {}, listeners = {}, changed = condition.new() }
  for name, default in pairs(DEFAULTS) do
    state.options[name] = options[name] == nil and default or options[name]
  end
  state.account = state.options.account
  function state.reset()
    state.counts = { requests = 0, token_requests = 0, tokens = 0, messages = 0, errors = 0, malformed = 0,
      unauthenticated = 0 }
    state.by_error, state.granted, state.delivered, state.messages = {}, {}, {}, {}
    state.plans, state.dead, state.chance, state.random = {}, {}, nil, 1
    state.publishes, state.deleted, state.faults, state.landed = {}, {}, {}, 0
    state.misbehave = misbehave.new(state)
  end
  function state.add_fault(_, mode)
    state.faults[mode] = (state.faults[mode] or 0) + 1
  end
  state.reset()
  return state
end

local ROUTES = {
  { "POST", "^/token$", tokens.grant },
  { "POST", "^/v1/projects/([^/]+)/messages:send$", fcm.send },
  { "POST", "^/publish_api/v1/instances/([^/]+)/publishes/(%a+)$", beams.publish },
  { "DELETE", "^/customer_api/v1/instances/([^/]+)/users/([^/]*)$", beams.delete },
}

local function route(state, exchange)
  for _, entry in ipairs(ROUTES) do
    if entry[1] == exchange.method then
      local first, second = exchange.path:match(entry[2])
      if first then
        return entry[3](state, exchange, first, second)
      end
    end
  end
  exchange:read_body()
  return { status = 404, body = "404 page not found\n" }
end

local function progress(state)
  local out = { faults = state.faults, by_error = state.by_error }
  for name, count in pairs(state.counts) do
    out[name] = count
  end
  return out
end

local function handle(state, exchange)
  local command = exchange.path:match("^/_control/([%a_]+)$")
  if command then
    local text = program.execute(state.commands, command, cjson.decode(exchange:read_body() or "{}"))
    return exchange:respond { status = 200, type = "application/json", body = text .. "\n" }
  end
  state.counts.requests = state.counts.requests + 1
  state.misbehave:handle(exchange, function()
    return route(state, exchange)
  end)
  state.changed:signal()
end

local function open(state, cq, name, context)
  state.listeners[name] = listener.open { cq = cq, name = name, context = context, handle = function(exchange)
    return handle(state, exchange)
  end }
end

-- Waits until each named count has reached the given value.
local function wait(state, wanted)
  local deadline = cqueues.monotime() + (wanted.timeout or 30)
  wanted.timeout = nil
  while true do
    local reached = true
    for name, value in pairs(wanted) do
      reached = reached and state.counts[name] >= value
    end
    local left = deadline - cqueues.monotime()
    if reached or left <= 0 then
      local now = progress(state)
      now.reached = reached
      return now
    end
    state.changed:wait(math.min(left, 0.1))
  end
end

local function commands_of(state)
  return {
    inspect = function()
      local out = progress(state)
      out.accepted = state.listeners.http.accepted
      return out
    end,
    wait = function(wanted)
      return wait(state, wanted)
    end,
    -- How FCM responds for one registration token, in order, or by one name, each time; "sent" accepts
    -- the message.
    plan = function(arguments)
      state.plans[arguments.token] = arguments.responses
    end,
    -- Errors at random: `probability`, `errors`, `seed`.
    chance = function(arguments)
      state.chance = arguments
      state.random = (arguments.seed or 1) % 2147483646 + 1
    end,
    -- Invalidates all access tokens.
    revoke = function()
      state.granted = {}
    end,
    messages = function()
      return state.messages
    end,
    -- How often each target got a message, and which ones are dead.
    delivered = function()
      return { counts = state.delivered, dead = state.dead }
    end,
    beams = function()
      return { publishes = state.publishes, deleted = state.deleted }
    end,
    misbehave = function(rule)
      state.misbehave:arm(rule)
    end,
    behave = function()
      state.misbehave:clear()
    end,
    set = function(options)
      for name, value in pairs(options) do
        assert(DEFAULTS[name] ~= nil, "unknown option " .. name)
        state.options[name] = value
      end
    end,
    reset = function()
      state.reset()
    end,
  }
end

local options = cjson.decode(arg[1] or "{}")
math.randomseed(posix.pid() + os.time())

local cq = cqueues.new()
local state = new_state(options)
state.commands = commands_of(state)
local authority = tls.new_authority("Local test authority")
open(state, cq, "http")
open(state, cq, "tls", tls.new_context(authority, { names = { "localhost" }, addresses = { "127.0.0.1" } }))
open(state, cq, "untrusted", tls.new_context(tls.new_authority("Nobody's authority"),
  { names = { "localhost" }, addresses = { "127.0.0.1" } }))
program.start(cq, state.commands, {
  host = "127.0.0.1",
  port = state.listeners.http.port,
  tls_port = state.listeners.tls.port,
  untrusted_port = state.listeners.untrusted.port,
  ca_file = program.write_file("ca.pem", authority.pem),
  instance_id = state.options.instance_id,
  secret_key = state.options.secret_key,
}, options.detached)
program.loop(cq)
