-- The scenarios of tries.lua. `scenarios.new(server)` returns them by name, each a table of
--   open()        makes the objects; no allocation fails in it
--   calls         a list of functions(objects); each returns a value, or nil, message, details
--   close(objects)
--   check(objects)  optional: raises when the objects are in a wrong state after the calls
--   settle(objects)  optional: waits until nothing is in flight
--   threads       whether a thread is started, which ends a moment after close()

local cjson = require "cjson"
local core = require "pusher.core"
local process = require "pusher_test.process"
local publishing = require "spec.system.oom.publishing"
local pusher = require "pusher"
local pushing = require "spec.system.oom.pushing"
local sealed = require "spec.helpers.sealed"

-- Lua 5.1 never loads a module again whose loading failed.
require "pusher.transport.curl"
require "pusher.transport.async"

local NOW = 1700000000
local MASTER_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
local CHILD = 20 -- seconds after which a child hangs

local scenarios = {}

local function random(count)
  return ("n"):rep(count)
end

-- Options for the local server, with some that C copies.
local function options(server, transport)
  return {
    app_id = server.app_id, key = server.key, secret = server.secret, host = server.host,
    port = transport.secure and server.tls_port or server.port, secure = transport.secure or false,
    ca_file = server.ca_file, timeout = 10, random = random, log = scenarios.log, transport = transport[1],
    encryption_master_key_base64 = MASTER_KEY,
  }
end

-- A client that sends nothing, at a fixed time.
local function quiet_client(server, observe)
  local given = options(server, { { send = function(_, _, parse) return parse(200, "{}", "") end } })
  given.observe = observe
  given.clock = function()
    return NOW
  end
  return assert(pusher.new(given))
end

local function close(object)
  object:close()
end

-- A list of results, or the first failure.
local function all(...)
  local list = {}
  for index = 1, select("#", ...) do
    local f = select(index, ...)
    local value, message, details = f()
    if value == nil then
      return nil, message, details
    end
    list[index] = value
  end
  return list
end

local function new_client(server, name)
  return function()
    local client, message, details = pusher.new(options(server, { name }))
    if not client then
      return nil, message, details
    end
    client:close()
    return true
  end
end

local function forget(pattern)
  for name in pairs(package.loaded) do
    if name:find(pattern) and name ~= "pusher_test.process" then
      package.loaded[name] = nil
    end
  end
end

local function load_again()
  forget("^pusher")
  local made, message, details = require("pusher").new {
    app_id = "3", key = "k", secret = "s", transport = "curl", proxy = "http://user:password@127.0.0.1:1",
  }
  if made then
    made:close()
  end
  return made and true, message, details
end

local function authorize(form, member)
  return function(client)
    return client:authorize_channel(form, member)
  end
end

local function webhook_parts(server)
  local envelope = cjson.decode(core.seal_event("secret text", "private-encrypted-x", core.base64_decode(MASTER_KEY),
    random(24), "", ""))
  local body = cjson.encode { time_ms = 1000 * NOW, events = {
    { name = "channel_occupied", channel = "a" },
    { name = "client_event", channel = "private-encrypted-x", event = "client-e", data = envelope },
  } }
  local function headers(key, secret)
    return { ["X-Pusher-Key"] = key, ["X-Pusher-Signature"] = core.mac(secret):hex(body) }
  end
  return body, headers(server.key, server.secret), headers("other", "other-secret")
end

local function webhooks(server)
  local body, own, other = webhook_parts(server)
  local given = { extra_tokens = { { key = "other", secret = "other-secret" } }, max_age = 10 }
  return {
    open = function() return quiet_client(server) end,
    calls = {
      function(client) return client:webhook(own, body) end,
      function(client) return client:webhook(other, body, given) end,
    },
    close = close,
  }
end

local function bytes()
  local key, nonce, big = ("k"):rep(32), ("n"):rep(24), ("b"):rep(5000)
  local box, channel_key = sealed(big, "c", key, nonce)
  return {
    open = function() return { mac = core.mac(key) } end,
    calls = {
      function() return core.seal_event(big, "c", key, nonce, "", "") end,
      function() return core.open(box, channel_key, nonce) end,
      function() return core.base64_decode(core.base64_encode(big)) end,
      function() return core.base64url_encode(core.shared_secret("c", key)) end,
      function() return core.sha256_hex(big) .. core.md5_hex(big) end,
      function(objects) return all(function() return objects.mac:hex(big) end, function() return core.mac(big, "sha1"):hex(big) end) end,
    },
    close = function(objects) objects.mac:close() end,
  }
end

local function token()
  local account = require "tools.local_server.account"
  local credentials = require "pusher.push.fcm.credentials"
  local json = assert(require("pusher.base.json").new())
  local tokens = require "pusher.push.fcm.token"
  local given = { credentials = account.new() }
  local function keeper(loaded)
    return tokens.new({ json = json, clock = function() return NOW end }, { timeout = 10, token_early = 120 }, loaded,
      function(_, parse, done)
        return done(parse(200, '{"access_token":"a-token","expires_in":3600}', ""))
      end)
  end
  return {
    open = function()
      local loaded = assert(credentials.load(given, function() end, json))
      return { account = loaded, keeper = keeper(loaded) }
    end,
    calls = {
      function()
        local loaded, message, details = credentials.load(given, function() end, json)
        return loaded and loaded.project_id, message, details
      end,
      function(objects) return tokens.assertion(objects.account, NOW) end,
      function(objects)
        objects.keeper.retry_at = -math.huge -- as after a while
        return objects.keeper:current()
      end,
    },
    close = function() end,
  }
end

-- Events over a blocking transport: the first call on a connection, one that uses it again, and an encrypted one.
local function trigger(server, transport)
  return {
    open = function() return assert(pusher.new(options(server, transport))) end,
    calls = {
      function(client) return client:trigger("channel", "event", { x = 1 }) end,
      function(client) return client:trigger({ "channel", "other" }, "event", ("x"):rep(2000)) end,
      function(client) return client:trigger("private-encrypted-x", "event", "text") end,
      function(client) return client:get("/channels/channel", { info = "subscription_count" }) end,
    },
    close = close,
  }
end

-- What a client loads with its first calls.
local LATE = { "^pusher%.curl$", "^pusher%.transport%.", "^pusher%.publisher", "^pusher%.driver%.", "^pusher%.base%.request$",
  "^pusher%.base%.no_proxy$", "^pusher%.base%.list$", "^pusher%.base%.schedule$" }

local function first_calls(server)
  local loaded = {}
  for name, module in pairs(package.loaded) do
    loaded[name] = module
  end
  return {
    open = function()
      for _, pattern in ipairs(LATE) do
        forget(pattern)
      end
      local given = options(server, {})
      given.ca_file = nil -- with which all is loaded at the start
      local client = assert(pusher.new(given))
      assert(not package.loaded["pusher.curl"] and not package.loaded["pusher.publisher"])
      return client
    end,
    calls = {
      function(client) return client:trigger("channel", "event", { x = 1 }) end,
      function(client)
        local publisher, message, details = client:publisher()
        if not publisher then
          return nil, message, details
        end
        publisher:close()
        return true
      end,
    },
    close = function(client)
      client:close()
      for name, module in pairs(loaded) do
        package.loaded[name] = module
      end
    end,
  }
end

local function trigger_async(server, transport)
  return {
    open = function() return assert(pusher.new(options(server, transport))) end,
    calls = {
      function(client) return client:trigger("channel", "event", { x = 1 }):wait() end,
      function(client)
        local first, second = client:trigger("channel", "event", "1"), client:trigger("channel", "event", "2")
        first:on_done(function() end)
        return all(function() return first:wait() end, function() return second:wait() end)
      end,
      function(client) return client.transport:pollfd() ~= nil end,
      function(client)
        local call = client:trigger("channel", "event", "3")
        return call:cancel() or call:result()
      end,
    },
    close = close,
    threads = true,
  }
end

-- Calls that are made three times, each time in vain.
local function try_again(server, name)
  local function give_up(call)
    return function(client)
      local result, message, details = call(client)
      if result and result.wait then
        result, message, details = result:wait()
      end
      return details and details.attempts == 3 and "gave up" or result, message, details
    end
  end
  return {
    open = function()
      local given = options(server, { name })
      given.port, given.retry, given.idempotency = server.refusing_port, { attempts = 3, base = 0, max = 0 }, true
      return assert(pusher.new(given))
    end,
    calls = {
      give_up(function(client) return client:trigger("channel", "event", { x = 1 }, { extra = { delta = true } }) end),
      give_up(function(client) return client:channels { filter_by_prefix = "a", info = { "user_count" } } end),
    },
    close = close,
    threads = name == "async",
  }
end

local function fork(server)
  local function in_child(client, call)
    local _, lost, details = call:wait()
    assert(call.done and (details.code == "closed" or scenarios.is_allowed(lost, details)), lost)
    local own, message, failure = client:trigger("channel", "event", "child"):wait()
    client:close()
    assert(own or scenarios.is_allowed(message, failure), message)
  end
  local function child(client, call)
    local ok, message = pcall(in_child, client, call)
    assert(ok or scenarios.is_allowed(message), message)
  end
  return {
    open = function() return assert(pusher.new(options(server, { "async" }))) end,
    calls = {
      function(client)
        local call = client:trigger("channel", "event", "parent")
        local status = process.run(function() child(client, call) end, CHILD)
        if status ~= 0 and not (scenarios.source == "any" and status == scenarios.CJSON_EXIT) then
          error("the child ended with status " .. status)
        end
        return call:wait()
      end,
    },
    close = close,
    threads = true,
  }
end

local function publisher_client(server, transport)
  return function()
    return assert(pusher.new(options(server, transport)))
  end
end

--- Makes the scenarios, with a local Channels server.
-- @tparam table server `{ host =, port =, tls_port =, refusing_port =, ca_file =, app_id =, key =, secret =, push = }`,
--   the last a local push server's `{ host =, port = }`
function scenarios.new(server)
  local client = { open = function() return quiet_client(server) end, close = close }
  local nothing = function() end
  return {
    new = { open = nothing, close = nothing, calls = { new_client(server, "curl"), new_client(server, "async") } },
    load = { open = nothing, close = nothing, calls = { load_again } },
    authorize = { open = client.open, close = close, calls = {
      authorize("socket_id=1.2&channel_name=private-a"),
      authorize("socket_id=1.2&channel_name=presence-a", { user_id = "u", user_info = { a = 1 } }),
      authorize("socket_id=1.2&channel_name=private-encrypted-a"),
      authorize({ socket_id = "1.2", channel_name = "private-b" }),
      function(own) return own:authenticate_user("socket_id=1.2", { id = "u" }) end,
    } },
    webhook = webhooks(server),
    observe = { open = function() return quiet_client(server, nothing) end, close = close, calls = {
      function(own) return own:trigger("a", "e", "x") end,
    } },
    bytes = bytes(),
    token = token(),
    first_calls = first_calls(server),
    trigger = trigger(server, { "curl" }),
    trigger_tls = trigger(server, { "curl", secure = true }),
    trigger_async = trigger_async(server, { "async" }),
    trigger_async_tls = trigger_async(server, { "async", secure = true }),
    ["repeat"] = try_again(server, "curl"),
    repeat_async = try_again(server, "async"),
    publish = publishing.new(publisher_client(server, { "curl" })),
    publish_async = publishing.new(publisher_client(server, { "async" }), true),
    publish_silent = publishing.new(publisher_client(server, { "async" }), true, true),
    fcm = pushing.new(server.push, "curl", false, scenarios.log),
    fcm_async = pushing.new(server.push, "async", false, scenarios.log),
    fcm_refused = pushing.new(server.push, "curl", true, scenarios.log),
    fcm_stop = pushing.stopping(scenarios.log),
    fork = fork(server),
  }
end

return scenarios
