--- Set-ups for the pages' blocks on push notifications: what they send arrives at the local push server.

local account = require "tools.local_server.account"
local push_server = require "tools.local_server.push"
local server = require "tools.local_server"

local readme_push = {}

-- FCM handlers that read no file and send to the local server.
local function local_fcm(started)
  local fcm = require "pusher.push.fcm"
  return setmetatable({
    new = function(options)
      local handler, message, details = fcm.new(options)
      if not handler then
        return nil, message, details
      end
      local init = handler.init
      function handler.init(self, config)
        local given = {}
        for name, value in pairs(config) do
          given[name] = value
        end
        assert(given.credentials_file or given.credentials, "the configuration names no account")
        given.credentials_file, given.credentials = nil, account.new()
        local base = ("http://%s:%d"):format(started.host, started.port)
        given.fcm_url, given.token_url = base, base .. "/token"
        return init(self, given)
      end
      return handler
    end,
  }, { __index = fcm })
end

local function local_beams(started)
  local beams = require "pusher.beams"
  return {
    new = function(options)
      assert(beams.new(options)):close()
      local given = {}
      for name, value in pairs(options) do
        given[name] = value
      end
      given.instance_id, given.secret_key = started.instance_id, started.secret_key
      given.base_url = ("http://%s:%d"):format(started.host, started.port)
      return beams.new(given)
    end,
  }
end

-- A registry of its own for each block, also where the block uses the module as one.
local function fresh_push()
  local loaded = package.loaded["pusher.push"]
  package.loaded["pusher.push"] = nil
  local fresh = require "pusher.push"
  package.loaded["pusher.push"] = loaded
  return fresh
end

--- The names that a block on push notifications finds, and a function that ends what was started.
function readme_push.push()
  local started = push_server.start()
  local modules = { ["pusher.push.fcm"] = local_fcm(started), ["pusher.beams"] = local_beams(started),
    ["pusher.push"] = fresh_push() }
  local names = {
    require = function(name)
      return modules[name] or require(name)
    end,
  }
  return names, function()
    started:stop()
  end
end

--- The same, and a request of the Beams service to a webhook endpoint.
function readme_push.beams_webhook()
  local names, finish = readme_push.push()
  names.body = '{"metadata":{"event_type":"v1.UserNotificationOpen"},"payload":{"user_id":"user-001"},"custom_data":{}}'
  names.headers = { ["Webhook-Signature"] = require("pusher.core").mac("webhook-secret", "sha1"):hex(names.body) }
  return names, finish
end

--- The same, and a client of the local Channels server over a transport of its own.
function readme_push.push_and_client()
  local names, finish = readme_push.push()
  local channels = server.start {}
  names.transport = assert(require("pusher.transport.async").new())
  names.client = assert(require("pusher").new {
    transport = names.transport, app_id = channels.app_id, key = channels.key, secret = channels.secret,
    host = channels.host, port = channels.port, secure = false,
  })
  return names, function()
    names.client:close()
    names.transport:close()
    channels:stop()
    finish()
  end
end

return readme_push
