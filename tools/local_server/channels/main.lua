--- The local Channels server: `luajit tools/local_server/channels/main.lua ['{"port":6001}']`.
--
-- Speaks pusher.com's HTTP API and WebSocket protocol 7 on 127.0.0.1, for tests and the demo. Specs start it through
-- tools/local_server.lua. Started by hand (`{"detached":true}`) it lives until it is killed. Options: app.lua,
-- README.md.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local cjson = require "cjson"
local app_rules = require "tools.local_server.channels.app"
local broken = require "tools.local_server.http.broken"
local channels = require "tools.local_server.channels.channels"
local control = require "tools.local_server.channels.control"
local http_api = require "tools.local_server.channels.http_api"
local keys = require "tools.local_server.channels.keys"
local listener = require "tools.local_server.http.listener"
local misbehave = require "tools.local_server.http.misbehave"
local posix = require "tools.local_server.http.posix"
local program = require "tools.local_server.http.program"
local proxy = require "tools.local_server.http.proxy"
local record = require "tools.local_server.channels.record"
local tls = require "tools.local_server.http.tls"
local users = require "tools.local_server.channels.users"
local webhooks = require "tools.local_server.channels.webhooks"
local websocket = require "tools.local_server.channels.websocket"

-- Options of the program; all others are the app's.
local PROGRAM_OPTIONS = { port = true, detached = true, h2_requests = true, mixed = true }
-- The listeners that take the connections to `mixed_port` in turn.
local MIXED = { "h2", "tls" }

-- What the second proxy demands.
local PROXY_CREDENTIALS = "proxy-user:proxy pass"

local function new_state(options)
  local app_options = {}
  for name, value in pairs(options) do
    if not PROGRAM_OPTIONS[name] then
      assert(app_rules.DEFAULTS[name] ~= nil, "unknown option " .. name)
      app_options[name] = value
    end
  end
  local app = app_rules.new(app_options)
  local seen = record.new(app.record_limit)
  local hooks = webhooks.new(app, seen)
  return {
    app = app,
    record = seen,
    mark_lost = function(exchange)
      seen:mark_lost(exchange.number)
    end,
    webhooks = hooks,
    channels = channels.new(app, hooks),
    users = users.new(),
    keys = keys.new(app),
    misbehave = misbehave.new(seen),
    sessions = {},
    session_count = 0,
    listeners = {},
  }
end

local CONTROL = "^/_control/([%a_]+)$"

local function handle_control(state, exchange, command)
  local body = exchange:read_body()
  local ok, arguments = pcall(cjson.decode, body ~= "" and body or "{}")
  local text = program.execute(state.commands, command, ok and arguments or nil)
  exchange:respond { status = 200, type = "application/json", body = text .. "\n" }
end

local function handle(state, exchange)
  if websocket.wanted(exchange) then
    return websocket.serve(state, exchange)
  end
  local command = exchange.path:match(CONTROL)
  if command then
    return handle_control(state, exchange, command)
  end
  state.record:add_request(exchange)
  exchange.when_lost = state.mark_lost
  state.misbehave:handle(exchange, function()
    return http_api.handle(state, exchange)
  end)
  state.record:add_response(exchange)
end

local function open_listeners(state, cq, options)
  local function open(name, context, http2)
    state.listeners[name] = listener.open {
      cq = cq,
      name = name,
      port = name == "http" and options.port or 0,
      context = context,
      http2 = http2,
      http2_requests = options.h2_requests,
      handle = function(exchange)
        return handle(state, exchange)
      end,
    }
  end
  local authority = tls.new_authority("Local test authority")
  local names, addresses = { "localhost" }, { "127.0.0.1" }
  local good = { names = names, addresses = addresses }
  local h2 = { names = names, addresses = addresses, protocols = { "h2", "http/1.1" } }
  local expired = { names = names, addresses = addresses, expired = true }
  local old = { names = names, addresses = addresses, old = true }
  open("http")
  open("tls", tls.new_context(authority, good))
  open("h2", tls.new_context(authority, h2), true)
  open("wrong_name", tls.new_context(authority, { names = { "elsewhere.example" } }))
  open("expired", tls.new_context(authority, expired))
  open("common_name", tls.new_context(authority, { common_name = "127.0.0.1" }))
  open("self_signed", tls.new_context(nil, good))
  open("old_tls", tls.new_context(authority, old))
  open("untrusted", tls.new_context(tls.new_authority("Nobody's authority"), good))
  return authority
end

local function open_mixed(state, cq, names)
  local listeners = {}
  for index, name in ipairs(names) do
    listeners[index] = assert(state.listeners[name], "no listener is named " .. name)
  end
  return listener.mix(cq, listeners)
end

local function open_others(state, cq, options)
  state.proxies = { proxy = proxy.open(cq), proxy_auth = proxy.open(cq, PROXY_CREDENTIALS) }
  return {
    proxy_port = state.proxies.proxy.port,
    proxy_auth_port = state.proxies.proxy_auth.port,
    proxy_credentials = PROXY_CREDENTIALS,
    refusing_port = posix.refusing_port(),
    black_hole_port = posix.black_hole_port(),
    silent_port = proxy.silent_port(cq),
    mixed_port = open_mixed(state, cq, options.mixed or MIXED),
    broken_ports = broken.open(cq),
  }
end

local function hello(state, authority, ports)
  local out = {
    host = "127.0.0.1",
    app_id = state.app.app_id,
    key = state.app.key,
    secret = state.app.secret,
    master_key_base64 = app_rules.MASTER_KEY_BASE64,
    ca_file = program.write_file("ca.pem", authority.pem),
    port = state.listeners.http.port,
  }
  for name, port in pairs(ports) do
    out[name] = port
  end
  for name, opened in pairs(state.listeners) do
    out[name == "http" and "port" or name .. "_port"] = opened.port
  end
  return out
end

program.run(function(cq, options)
  math.randomseed(os.time() + posix.pid())
  local state = new_state(options)
  state.commands = control.commands(state)
  local authority = open_listeners(state, cq, options)
  cq:wrap(function()
    state.webhooks:run()
  end)
  program.start(cq, state.commands, hello(state, authority, open_others(state, cq, options)), options.detached)
end)
