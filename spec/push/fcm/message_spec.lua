local cjson = require "cjson"
local config = require "pusher.push.fcm.config"
local fails = require "spec.helpers.fails"
local json = assert(require("pusher.base.json").new())
local message = require "pusher.push.fcm.message"
local world = require "spec.helpers.fcm_world"

local ANN = "CAcGBQQDAgE"
local NOW = 1600000000

local function data_of(payload)
  return message.data(world.receipt({ [ANN] = { unread = 3 } }, payload))
end

local function build(platform, settings, payload, device)
  device = device or {}
  device.device_id, device.platform = device.device_id or "tok", platform
  return message.build(assert(data_of(payload)), device, 3, assert(config.check(settings or {})), NOW)
end

describe("pusher.push.fcm.message", function()
  describe("data", function()
    it("cuts content after 80 code points, and not within one", function()
      local function shown(content)
        return assert(data_of { content = content }).content
      end
      assert.are.equal(("a"):rep(80), shown(("a"):rep(80)))
      assert.are.equal(("a"):rep(80) .. "…", shown(("a"):rep(81)))
      assert.are.equal(("ж"):rep(80), shown(("ж"):rep(80)))
      assert.are.equal(("ж"):rep(80) .. "…", shown(("ж"):rep(81)))
      assert.are.equal(("😀"):rep(80) .. "…", shown(("😀"):rep(200)))
      assert.are.equal(("a"):rep(79) .. "😀", shown(("a"):rep(79) .. "😀"))
    end)

    it("writes the sequence number digit for digit", function()
      assert.are.equal("9007199254740992", assert(data_of { seq = 2 ^ 53 }).seq)
      assert.are.equal("0", assert(data_of { seq = 0 }).seq)
    end)

    it("holds strings only", function()
      for _, what in ipairs { "msg", "sub" } do
        for name, value in pairs(assert(data_of { what = what, silent = true })) do
          assert.are.equal("string", type(value), name)
        end
      end
    end)

    it("refuses unknown kinds of push, and content that is not text", function()
      for _, payload in ipairs { { what = "read" }, { content = 12 }, { content = { txt = true } },
        { content = { txt = "a", fmt = { { at = 5, len = 1, tp = "ST" } } } } } do
        local data, text, details = data_of(payload)
        assert.is_nil(data)
        assert.is_string(text)
        assert.are.equal("invalid", details.code)
      end
    end)

    it("leaves the content of a subscription alone, whatever it is", function()
      local data = assert(data_of { what = "sub", content = 12 })
      assert.is_nil(data.content)
      assert.are.equal("JRWPS", data.modeWant)
    end)
  end)

  describe("build", function()
    it("has the time to live, for Android and iOS", function()
      assert.are.equal("3600s", build("android", { time_to_live = 3600 }).android.ttl)
      assert.are.equal("1600003600", build("ios", { time_to_live = 3600 }).apns.headers["apns-expiration"])
      assert.are.equal("0s", build("android", { time_to_live = 0 }).android.ttl)
      assert.are.equal("0", build("ios", { time_to_live = 0 }).apns.headers["apns-expiration"])
      assert.is_nil(build("android").android.ttl)
      assert.is_nil(build("ios").apns.headers)
      assert.is_nil(build("web", { time_to_live = 3600 }).android)
    end)

    it("lets the section of the push win where it is not empty", function()
      local settings = { android = { enabled = true, title = "T", body = "B", icon = "I", click_action = "C",
        msg = { title = "MT", icon = "" }, sub = { body = "SB", click_action = "SC" } } }
      local notification = build("android", settings).android.notification
      assert.are.same({ tag = "grpAbCdEf", title = "MT", body = "B", icon = "I", click_action = "C" }, notification)
      notification = build("android", settings, { what = "sub" }).android.notification
      assert.are.same({ tag = "grpAbCdEf", title = "T", body = "SB", icon = "I", click_action = "SC" }, notification)
    end)

    it("puts the content in for $content, and nothing when there is none", function()
      local settings = { android = { enabled = true, msg = { body = "$content" }, sub = { body = "$content" } } }
      assert.are.equal("hello", build("android", settings).android.notification.body)
      assert.is_nil(build("android", settings, { content = "" }).android.notification.body)
      assert.is_nil(build("android", settings, { what = "sub" }).android.notification.body)
    end)

    it("addresses an installation where the record says so", function()
      local built = build("web", {}, {}, { device_id = "installation", kind = "fid" })
      assert.are.equal("installation", built.fid)
      assert.is_nil(built.token)
    end)

    it("passes its own check", function()
      for _, platform in ipairs { "android", "ios", "web", "", "Android" } do
        local built = build(platform, { time_to_live = 60, android = { enabled = true, icon_color = "#3949AB" } })
        assert.are.equal("token", message.check(built))
      end
    end)
  end)

  describe("check", function()
    local function refused(given, field, code)
      local target, text, details = message.check(given)
      assert.is_nil(target)
      assert.matches("^FCM message: ", text)
      assert.are.equal(field, details.field)
      assert.are.equal(code or "invalid", details.code)
      return text
    end

    it("takes one target of each kind", function()
      for _, name in ipairs { "token", "fid", "topic", "condition" } do
        assert.are.equal(name, message.check { [name] = "x", data = { a = "b" } })
      end
    end)

    it("refuses no target, two, and what is not a string", function()
      refused({}, "token")
      refused({ token = "a", topic = "b" }, "topic")
      refused({ token = "" }, "token")
      refused({ token = 5 }, "token")
      refused({ token = "\255" }, "token")
    end)

    it("refuses numbers in data, and anything else that is not a string", function()
      assert.matches('got number under "score"', refused({ token = "t", data = { score = 5 } }, "data"))
      refused({ token = "t", data = { flag = true } }, "data")
      refused({ token = "t", data = { list = { "a" } } }, "data")
      refused({ token = "t", data = { "a" } }, "data")
      refused({ token = "t", data = "a" }, "data")
      refused({ token = "t", notification = { title = 5 } }, "notification")
    end)

    it("refuses invalid UTF-8", function()
      refused({ token = "t", data = { a = "\255" } }, "data")
      refused({ token = "t", data = { ["\255"] = "a" } }, "data")
      refused({ token = "t", notification = { title = "\237\160\128" } }, "notification")
    end)

    it("refuses the keys that FCM keeps for itself", function()
      for _, key in ipairs { "from", "message_type", "google.x", "google.", "gcm.notification.title" } do
        refused({ token = "t", data = { [key] = "a" } }, "data")
      end
      assert.are.equal("token", message.check { token = "t", data = { googles = "a", xfrom = "b", gcm = "c" } })
    end)

    it("counts keys and values: 4096 bytes, 2048 to a topic", function()
      local function sized(bytes, target)
        return { [target or "token"] = "t", data = { key = ("x"):rep(bytes - 3) } }
      end
      assert.are.equal("token", message.check(sized(4096)))
      assert.matches("got 4097", refused(sized(4097), "data", "too_large"))
      assert.are.equal("topic", message.check(sized(2048, "topic")))
      refused(sized(2049, "topic"), "data", "too_large")
      refused(sized(2049, "condition"), "data", "too_large")
      local split = sized(4000)
      split.notification = { title = ("y"):rep(92) }
      refused(split, "data", "too_large")
    end)

    it("checks the Android part", function()
      assert.are.equal("token", message.check { token = "t",
        android = { priority = "HIGH", ttl = "3.5s", notification = { color = "#00ffAA" } } })
      refused({ token = "t", android = 5 }, "android")
      refused({ token = "t", android = { priority = "urgent" } }, "android.priority")
      refused({ token = "t", android = { priority = 5 } }, "android.priority")
      for _, ttl in ipairs { "3600", "-1s", "s", 3600, "2419201s", "1e3s" } do
        refused({ token = "t", android = { ttl = ttl } }, "android.ttl")
      end
      refused({ token = "t", android = { notification = { color = "red" } } }, "android.notification.color")
    end)

    it("shows no more of a key than fits a line", function()
      local text = refused({ token = "t", data = { [("k\n"):rep(100)] = 5 } }, "data")
      assert.is_true(#text < 200)
      assert.is_nil(text:find("\n", 1, true))
    end)
  end)

  it("encodes the body, with and without validate_only", function()
    assert.are.same({ message = { token = "t" } }, cjson.decode(message.encode({ token = "t" }, false, json)))
    assert.are.same({ validate_only = true, message = { token = "t" } },
      cjson.decode(message.encode({ token = "t" }, true, json)))
    local body, text, details = message.encode({ token = print }, false, json)
    assert.is_nil(body)
    assert.is_string(text)
    assert.are.equal("invalid", details.code)
  end)

  it("says what is wrong", function()
    local function check(changes)
      changes.token = changes.token or "t"
      return message.check(changes)
    end
    local function wrong(text, field, ...)
      fails("FCM message: " .. text, { code = "invalid", field = field }, ...)
    end
    fails('payload.what must be "msg" or "sub", got "x"', { code = "invalid", field = "payload.what" }, data_of { what = "x" })
    wrong("data must be a table, got number", "data", check { data = 5 })
    wrong('data must map strings to strings, got number under "a"', "data", check { data = { a = 1 } })
    wrong("notification is not valid UTF-8", "notification", check { notification = { title = "\255" } })
    wrong("notification is not valid UTF-8", "notification", check { notification = { ["\255"] = "x" } })
    for _, key in ipairs { "from", "message_type", "google.x", "gcm.notification" } do
      wrong(('data has the reserved key "%s"'):format(key), "data", check { data = { [key] = "x" } })
      assert.equal("token", check { data = { ["x" .. key] = "x" }, notification = { from = "x" } })
    end
    wrong("token must be a string of valid UTF-8, not empty", "token", check { token = "" })
    wrong("must have one target, got token and topic", "topic", check { topic = "x" })
    wrong("must have one target: a token, fid, topic or condition", "token", message.check {})
    wrong("android must be a table, got number", "android", check { android = 5 })
    wrong('android.priority must be "normal" or "high"', "android.priority", check { android = { priority = "x" } })
    wrong('android.ttl must be seconds such as "3600s", at most four weeks', "android.ttl",
      check { android = { ttl = "2419201s" } })
    assert.equal("token", check { android = { ttl = "2419200s" } })
    wrong("android.notification.color must be in the #RRGGBB form", "android.notification.color",
      check { android = { notification = { color = "red" } } })
    for target, limit in pairs { token = 4096, fid = 4096, topic = 2048, condition = 2048 } do
      assert.equal(target, message.check { [target] = "x", data = { a = ("x"):rep(limit - 2) }, notification = { b = "" } })
      fails(("FCM message: data and notification must have at most %d bytes, got %d"):format(limit, limit + 1),
        { code = "too_large", field = "data", limit = limit },
        message.check { [target] = "x", data = { a = ("x"):rep(limit - 1) }, notification = { b = "" } })
    end
  end)
end)
