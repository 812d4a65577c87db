-- Clients that are not plain pusher-js, in Chromium, at the handlers in nginx and soketi: laravel-echo, the plugin
-- pusher-js-auth, which authorizes several channels in one request, and the web-worker build, which uses fetch.

local calls = require "spec.system.interop.calls"
local nginx = require "tools.nginx"
local node = require "spec.system.interop.node"

local HTTP = [[
  types { text/html html; application/javascript js; }
  log_format request "$request_method $uri $status";
  init_by_lua_block {
    handlers = require "pusher.openresty"
    client = assert(require("pusher").new {
      app_id = "users-id", key = "users-key", secret = "users-secret", host = "127.0.0.1:$channels", secure = false,
      encryption_master_key_base64 = "$master_key",
    })
  }
]]

local SERVER = [[
  access_log requests.log request;
  root $root/spec/system/interop/endpoint;
  location /vendor/ { alias $root/spec/system/interop/node_modules/; }
  location = /broadcasting/auth {
    content_by_lua_block {
      handlers.authorize_channel(client, function(_, channel)
        if channel == "private-forbidden" then
          return nil, "forbidden"
        end
        return { user_id = "ada@example.com", user_info = { name = "Ada \195\169" } }
      end)
    }
  }
  location = /broadcasting/user {
    content_by_lua_block {
      handlers.authenticate_user(client, function()
        return { id = "ada@example.com", user_info = { name = "Ada \195\169" } }
      end)
    }
  }
]]

local USER_INFO = { name = "Ada \195\169" }
local CHANNELS = { "private-orders", "private-encrypted-vault", "presence-lobby" }

local function filled(text, values)
  return (text:gsub("%$([%l_]+)", values)) -- others are nginx's own
end

local function count_requests(web, pattern)
  local file = assert(io.open(web.directory .. "/requests.log"))
  local text = file:read("*a")
  file:close()
  return select(2, text:gsub(pattern, ""))
end

describe("At the endpoint in nginx,", function()
  local soketi, web, browser, client

  setup(function()
    soketi = node.start("soketi.js")
    local values = { root = os.getenv("PWD"), channels = tostring(soketi.port), master_key = calls.MASTER_KEY }
    web = nginx.start { http = filled(HTTP, values), server = filled(SERVER, values) }
    client = calls.client(soketi, soketi.users)
    browser = node.start("browser.js")
  end)

  teardown(function()
    node.stop(browser)
    web:stop()
    client:close()
    node.stop(soketi)
  end)

  local function open(page)
    browser:open { url = ("http://127.0.0.1:%d/%s?key=%s&port=%d"):format(web.port, page, soketi.users.key, soketi.port) }
  end

  local function next_report(channel, event)
    local found = browser:next_report { channel = channel, event = event }
    assert.is_truthy(found, ("no %s on %s; error.log: %s"):format(event, channel, web:log()))
    return found.data
  end

  -- Each channel gets an event of its own.
  local function publish_and_expect()
    for index, channel in ipairs(CHANNELS) do
      assert(client:trigger(channel, "note", { n = index }))
      assert.same({ n = index }, next_report(channel, "note"))
    end
  end

  it("laravel-echo subscribes, and hears of a refusal", function()
    open "echo.html"
    for _, channel in ipairs(CHANNELS) do
      next_report(channel, "subscribed")
    end
    assert.same({ USER_INFO }, next_report("presence-lobby", "here"))
    assert.equal(403, next_report("private-forbidden", "error"))
    publish_and_expect()
  end)

  it("pusher-js-auth authorizes all channels in one request", function()
    local before = count_requests(web, "POST /broadcasting/auth 200")
    open "batch.html"
    for _, channel in ipairs(CHANNELS) do
      next_report(channel, "pusher:subscription_succeeded")
    end
    next_report("private-forbidden", "pusher:subscription_error")
    publish_and_expect()
    assert.equal(before + 1, count_requests(web, "POST /broadcasting/auth 200"))
  end)

  it("a web worker subscribes, and signs in", function()
    open "worker.html"
    for _, channel in ipairs(CHANNELS) do
      next_report(channel, "pusher:subscription_succeeded")
    end
    next_report("private-forbidden", "pusher:subscription_error")
    assert.same({ id = "ada@example.com", user_info = USER_INFO }, next_report("user", "signed_in"))
    publish_and_expect()
  end)

  it("no page raised an error, and nothing failed in nginx", function()
    assert.same({}, browser:errors())
    assert.equal("", web:failures())
  end)
end)
