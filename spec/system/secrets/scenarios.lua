--- Programs that use secrets and close what held them: LUA spec/system/secrets/scenarios.lua SCENARIO DIRECTORY SERVER
--
-- The secrets are files in the directory; the server is its handshake, as JSON. A program prints the name of each stage
-- and stops there, for spec/system/secrets/secrets_check.lua to look through its memory: `held` (this program itself
-- holds the secrets), `open` (only what it made does), `closed`. With PUSHER_KEEP_FREED=1 in the environment, what Lua and
-- libcurl free is not wiped, so that it is found, too.

local secrets = require "pusher_test.secrets"

local scenario, directory, server_text = ...
if os.getenv("PUSHER_KEEP_FREED") == nil then
  secrets.wipe_freed()
end

local cjson = require "cjson"
local core = require "pusher.core"
local process = require "pusher_test.process"

local server = cjson.decode(server_text)
local port = ("%d"):format(server.port)

local function receive(name)
  return secrets.receive(directory .. "/" .. name)
end

local DEADLINE = 30 * require "spec.helpers.time_scale" -- seconds

-- A closed transport's thread frees what it has.
local function await_thread()
  local start = core.now()
  while process.threads() > 1 do
    assert(core.now() - start < DEADLINE, "the network's thread stays")
    process.poll(-1, 0.001)
  end
end

local function stage(name)
  collectgarbage()
  collectgarbage()
  -- LuaJIT makes strings in a buffer of its own, which it keeps.
  assert(#(("filler"):rep(2000) .. name) > 0)
  if name == "closed" then
    await_thread()
  end
  io.stdout:write(name, "\n")
  io.stdout:flush()
  secrets.stop()
end

local function wait(result, message, details)
  if type(result) == "table" and type(result.wait) == "function" then
    return result:wait()
  end
  return result, message, details
end

local ENCRYPTED = "private-encrypted-secrets"

local function use_client(client, mac)
  assert(client:authorize_channel("socket_id=1.2&channel_name=private-a"))
  assert(client:authorize_channel("socket_id=1.2&channel_name=" .. ENCRYPTED))
  assert(client:authorize_channel({ socket_id = "1.2", channel_name = "presence-a" }, { user_id = "7" }))
  assert(client:authenticate_user("socket_id=1.2", { id = "7" }))
  assert(wait(client:trigger("a", "event", "data")))
  assert(wait(client:trigger(ENCRYPTED, "event", { text = "hidden" })))
  assert(wait(client:trigger_batch { { channel = ENCRYPTED, name = "event", data = "hidden" } }))
  assert(wait(client:channels()))
  local body = '{"time_ms":1,"events":[]}'
  assert(client:webhook({ ["X-Pusher-Key"] = server.key, ["X-Pusher-Signature"] = mac(body) }, body))
  local older = receive "older"
  local signature = core.mac(older):hex(body)
  assert(client:webhook({ ["X-Pusher-Key"] = "older", ["X-Pusher-Signature"] = signature }, body,
    { extra_tokens = { { key = "older", secret = older } } }))
end

local function client_over(transport)
  local pusher = require "pusher"
  local held = { secret = receive "secret", master = receive "master", proxy = receive "proxy" }
  stage "held"
  local client = assert(pusher.new {
    app_id = server.app_id, key = server.key, secret = held.secret, host = server.host, port = server.port, secure = false,
    encryption_master_key_base64 = held.master, transport = transport, timeout = DEADLINE,
    proxy = ("http://proxy-user:%s@127.0.0.1:%d"):format(held.proxy, server.proxy_port),
  })
  use_client(client, function(body) return core.mac(held.secret):hex(body) end)
  held.secret, held.master, held.proxy = nil, nil, nil
  stage "open"
  client:close()
  stage "closed"
  return client
end

local scenarios = {}

function scenarios.curl()
  return client_over "curl"
end

function scenarios.async()
  return client_over "async"
end

function scenarios.beams()
  local beams = require "pusher.beams"
  local held = { secret = receive "beams", webhook = receive "webhook" }
  stage "held"
  local client = assert(beams.new { instance_id = server.instance_id, secret_key = held.secret, webhook_secret = held.webhook,
    base_url = "http://127.0.0.1:" .. port, timeout = DEADLINE })
  held.secret, held.webhook = nil, nil
  assert(client:publish_to_interests({ "a" }, { fcm = { notification = { title = "x" } } }))
  assert(client:generate_token "user-1")
  client:webhook({ ["Webhook-Signature"] = "00" }, "{}")
  stage "open"
  client:close()
  stage "closed"
  return client
end

function scenarios.fcm()
  local fcm = require "pusher.push.fcm"
  local handler = assert(fcm.new { devices = function() return {} end, transport = "async" })
  local held = { account = receive "account" }
  stage "held"
  local base = "http://127.0.0.1:" .. port
  assert(handler:init { enabled = true, credentials = held.account, fcm_url = base, token_url = base .. "/token" })
  held.account = nil
  assert(handler:send { token = "t", data = { a = "b" } })
  assert(handler:flush(DEADLINE))
  assert(handler:stats().sent == 1)
  stage "open"
  assert(handler:stop())
  stage "closed"
  return handler
end

io.stdout:setvbuf("line")
assert(scenarios[scenario], "no such scenario")()
