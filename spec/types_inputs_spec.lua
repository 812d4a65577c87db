-- Classes in types/ are what the library takes: values that have all that a class allows are accepted. What a registry
-- calls of a handler, and a client of a transport, has the same names there.

local account = require("tools.local_server.account")
local core = require("pusher.core")
local fcm = require("pusher.push.fcm")
local luacats = require("spec.helpers.luacats")
local new_recorder = require("pusher.transport.recorder").new
local pusher = require("pusher")
local source = require("spec.helpers.source")
local typed_values = require("spec.helpers.typed_values")

local types = luacats.read()

describe("the classes in types/ allow what", function()
  local client

  setup(function()
    client = assert(pusher.new { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1",
      transport = new_recorder(), clock = function() return 1 end })
  end)

  local function check_accepted(class, values, accept)
    for _, value in ipairs(values) do
      assert(accept(value))
    end
    assert.equal("", table.concat(typed_values.faults(types, class, values), "\n"))
  end

  it("trigger, send_to_user, trigger_batch and a publisher take", function()
    local publisher = assert(client:publisher())
    local params = {
      {}, { idempotency_key = "k", extra = { a = 1 }, socket_id = "1.2", info = "user_count" },
      { idempotency_key = true, info = { "user_count" } },
    }
    check_accepted("pusher.TriggerParams", params, function(given) return client:trigger("c", "e", "", given) end)
    check_accepted("pusher.UserParams", { {}, { idempotency_key = "k", extra = {} }, { idempotency_key = true } },
      function(given) return client:send_to_user("ada", "e", "", given) end)
    params[1].replace, params[1].tag, params[2].replace, params[2].tag = "k", 1, 1.5, "t"
    params[4] = { replace = 1 }
    check_accepted("pusher.PublisherParams", params, function(given) return publisher:trigger("c", "e", "", given) end)
    assert(publisher:close())
    check_accepted("pusher.BatchEvent", {
      { channel = "c", name = "e", data = 1, info = "user_count", socket_id = "1.2", idempotency_key = "k", extra = {} },
      { channel = "c", name = "e", data = "", info = { "user_count" }, idempotency_key = true },
      { channel = "c", name = "e" },
    }, function(event) return client:trigger_batch { event } end)
  end)

  it("other calls take", function()
    local form = { socket_id = "1.2", channel_name = "presence-c" }
    check_accepted("pusher.Member", { { user_id = "u", user_info = 1 }, { user_id = "u", user_info = "" }, { user_id = "u" } },
      function(member) return client:authorize_channel(form, member) end)
    check_accepted("pusher.User",
      { { id = "u", user_info = {}, watchlist = { "v" } }, { id = "u", user_info = "" }, { id = "u" } },
      function(user) return client:authenticate_user(form, user) end)
    check_accepted("pusher.ChannelsOptions", { {}, { info = "user_count", filter_by_prefix = "presence-" },
      { info = { "user_count" }, filter_by_prefix = "presence-" } }, function(given) return client:channels(given) end)
    check_accepted("pusher.ChannelOptions", { {}, { info = "user_count" }, { info = { "user_count" } } },
      function(given) return client:channel("presence-c", given) end)
    check_accepted("pusher.Notification", { { apns = {} }, { gcm = {} },
      { fcm = {}, webhook_url = "http://h/", webhook_level = "INFO" },
      { fcm = {}, webhook_url = "http://h/", webhook_level = "DEBUG" } },
      function(given) return client:notify({ "i" }, given) end)
    local function signed(key, secret)
      return { ["X-Pusher-Key"] = key, ["X-Pusher-Signature"] = core.mac(secret):hex("") }
    end
    local tokens = { { key = "old", secret = "older" } }
    check_accepted("pusher.WebhookOptions", { { extra_tokens = tokens, max_age = 10 }, { max_age = 10.5 }, {} },
      function(given)
        return client:webhook(given.extra_tokens and signed("old", "older") or signed("key", "secret"), "", given)
      end)
  end)

  it("Beams and FCM take", function()
    local recorder, found = new_recorder(), nil
    local service = assert(require("pusher.beams").new { instance_id = "i", secret_key = "k", transport = recorder })
    check_accepted("pusher.BeamsPublish", { { apns = {} }, { fcm = {} }, { web = {}, webhookUrl = "http://h/" } },
      function(given) return service:publish_to_interests({ "i" }, given) end)
    local handler = assert(fcm.new { transport = recorder, devices = function(uids) return { [uids[1]] = { found } } end })
    assert(handler:init { enabled = true, credentials = account.new() })
    check_accepted("pusher.FcmDevice", { { device_id = "d" }, { device_id = "d", platform = "android", kind = "fid" } },
      function(given)
        found = given
        local before = handler:stats().sent
        return handler:push { to = { AQAAAAAAAAA = {} }, payload = { what = "msg", content = "" } } and handler:flush()
          and handler:stats().sent == before + 1
      end)
  end)

  it("receipt.check takes", function()
    local receipt = require("pusher.push.tinode.receipt")
    check_accepted("pusher.ReceiptInput", {
      { to = { AQAAAAAAAAA = { delivered = 1, devices = { "d" }, unread = 2 }, AgAAAAAAAAA = {} }, payload = { what = "msg",
        silent = true, topic = "t", ts = 1.5, from = "f", seq = 1, mime = "m", content = "", want = "JRW", given = 1 } },
      { to = { AQAAAAAAAAA = {} }, payload = { what = "sub", ts = 1, content = { txt = "" }, want = 1, given = "JRW" } },
      { to = { AQAAAAAAAAA = {} }, payload = { what = "sub", ts = "2020-01-01T00:00:00Z" } },
      { to = { AQAAAAAAAAA = {} }, payload = { what = "msg" } },
    }, function(given) return receipt.check(given, 1) end)
  end)

  -- The names in a text that `pattern` captures, each with whether it must be there.
  local function same_members(class, text, pattern, required)
    local expected, found = { [required] = false }, {}
    for name in text:gmatch(pattern) do
      expected[name] = name ~= required
    end
    for name, field in pairs(luacats.fields(types, class)) do
      found[name] = field.optional
      assert.is_true(name == "repeats" or field.type:find("^fun%(self: any") ~= nil, name)
    end
    assert.same(expected, found)
  end

  it("a registry calls of a handler, and a client of a transport", function()
    local push = source.read("lua/pusher/push.lua")
    same_members("pusher.Handler", source.read("lua/pusher/push/slot.lua") .. push:gsub("slots_with%(self, ", 'self:has '),
      'self:has "([%l_]+)"', "push")
    local optional = {}
    for names in source.read("lua/pusher/transport.lua"):gmatch("\n%-%-   (`[^:]*):") do
      optional[#optional + 1] = names
    end
    same_members("pusher.Transport", table.concat(optional), "`([%l_]+)", "send")
  end)
end)
