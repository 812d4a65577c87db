local cjson = require "cjson"
local config = require "pusher.push.fcm.config"
local fails = require "spec.helpers.fails"

describe("pusher.push.fcm.config", function()
  it("has a default for everything", function()
    local checked = assert(config.check {})
    assert.is_false(checked.enabled)
    assert.are.equal(32, checked.buffer)
    assert.are.equal(8, checked.max_in_flight)
    assert.are.equal(10, checked.timeout)
    assert.are.equal(120, checked.token_early)
    assert.are.same({ attempts = 8, base = 10, max = 600, quota = 60, deadline = 3600 }, checked.retry)
    assert.are.same({ enabled = false, msg = {}, sub = {} }, checked.android)
    assert.is_false(checked.validate_only)
    assert.is_nil(checked.time_to_live)
    assert.is_nil(checked.ttl)
    assert.are.equal("fcm.googleapis.com", checked.endpoint.host)
  end)

  it("takes JSON's null for absent, as a whole and in its parts", function()
    assert.are.same(config.check {}, config.check(cjson.null))
    assert.are.same(config.check {}, config.check(cjson.decode(
      '{"enabled":null,"buffer":null,"time_to_live":null,"android":null,"retry":null,"timeout":null,"fcm_url":null}')))
    assert.are.same(config.check {}, config.check(cjson.decode('{"android":{"enabled":null,"msg":null,"title":null}}')))
  end)

  it("reads what is given", function()
    local checked = assert(config.check(cjson.decode [[{
      "enabled": true, "buffer": 1024, "time_to_live": 3600, "max_in_flight": 32, "timeout": 2.5, "validate_only": true,
      "fcm_url": "http://127.0.0.1:8080/x", "retry": { "attempts": 2, "base": 0.01 },
      "android": { "enabled": true, "title": "T", "icon_color": "#3949AB", "msg": { "body": "$content" },
        "sub": { "title_loc_key": "new_chat" } }
    }]]))
    assert.is_true(checked.enabled)
    assert.are.equal(1024, checked.buffer)
    assert.are.equal("3600s", checked.ttl)
    assert.are.equal(2.5, checked.timeout)
    assert.is_true(checked.validate_only)
    assert.are.equal("/x", checked.endpoint.path)
    assert.are.equal(2, checked.retry.attempts)
    assert.are.equal(600, checked.retry.max)
    assert.are.same({ enabled = true, title = "T", icon_color = "#3949AB", msg = { body = "$content" },
      sub = { title_loc_key = "new_chat" } }, checked.android)
  end)

  it("knows the chat server's later name for validate_only", function()
    assert.is_true(config.check({ dry_run = true }).validate_only)
  end)

  it("sends a time to live of 0: now or never", function()
    assert.are.equal("0s", config.check({ time_to_live = 0 }).ttl)
  end)

  it("reads a buffer that is not above 0 as the default", function()
    assert.are.equal(32, config.check({ buffer = 0 }).buffer)
    assert.are.equal(32, config.check({ buffer = -3 }).buffer)
  end)

  it("reports members that nothing reads", function()
    local names = {}
    assert(config.check({ enabled = true, credentials = {}, proxy = "", apns = {}, validateonly = true, retry = { x = 1 } },
      function(name)
        names[#names + 1] = name
      end))
    table.sort(names)
    assert.are.same({ "apns", "retry.x", "validateonly" }, names)
  end)

  it("refuses unknown members of keepalive, whose names are the library's own; a log is no option here", function()
    local checked, message, details = config.check { keepalive = { idel = 5 } }
    assert.is_nil(checked)
    assert.equal("keepalive.idel", details.field)
    assert.truthy(message:find('did you mean "keepalive.idle"', 1, true), message)
    local seen = {}
    assert(config.check({ log = "info" }, function(name)
      seen[#seen + 1] = name
    end))
    assert.same({ "log" }, seen)
  end)

  it("has the options of transports, complete", function()
    local checked = assert(config.check { proxy = "http://p:8080", keepalive = { idle = 5 }, ca_file = cjson.null })
    assert.are.equal("http://p:8080", checked.proxy)
    assert.are.same({ idle = 5, pool_size = 30 }, checked.keepalive)
    assert.is_true(checked.tls_verify)
    assert.is_nil(checked.ca_file)
  end)

  it("takes null for an account that lacks everything", function()
    assert.are.same({}, config.check({ credentials = cjson.null }).credentials)
    assert.is_nil(config.check({ credentials_file = cjson.null }).credentials)
  end)

  local bad = {
    { "enabled", { enabled = "yes" } },
    { "buffer", { buffer = 1.5 } },
    { "buffer", { buffer = "32" } },
    { "buffer", { buffer = 1e9 } },
    { "buffer", { buffer = 0 / 0 } },
    { "time_to_live", { time_to_live = -1 } },
    { "time_to_live", { time_to_live = 2419201 } },
    { "time_to_live", { time_to_live = 0 / 0 } },
    { "max_in_flight", { max_in_flight = 0 } },
    { "max_in_flight", { max_in_flight = 1.5 } },
    { "credentials", { credentials = 5 } },
    { "credentials_file", { credentials_file = 5 } },
    { "token_url", { token_url = 5 } },
    { "tls_verify", { tls_verify = "no" } },
    { "keepalive.idle", { keepalive = { idle = -1 } } },
    { "keepalive", { keepalive = { 5 } } },
    { "retry", { retry = { 1 } } },
    { "android.sub", { android = { sub = { "x" } } } },
    { "timeout", { timeout = 1 / 0 } },
    { "timeout", { timeout = 0 / 0 } },
    { "retry", { retry = 5 } },
    { "retry.attempts", { retry = { attempts = 0 } } },
    { "retry.base", { retry = { base = -1 } } },
    { "android", { android = "x" } },
    { "android", { android = { 1 } } },
    { "android.title", { android = { title = 5 } } },
    { "android.icon_color", { android = { icon_color = "red" } } },
    { "android.msg.icon_color", { android = { msg = { icon_color = "#12345" } } } },
    { "android.msg", { android = { msg = 5 } } },
    { "android.enabled", { android = { enabled = 1 } } },
    { "fcm_url", { fcm_url = "fcm.googleapis.com" } },
    { "the configuration", { 1 } },
    { "the configuration", "str" },
    { "the configuration", 5 },
  }
  for index, case in ipairs(bad) do
    it(("refuses a wrong %s (%d)"):format(case[1], index), function()
      local checked, message, details = config.check(case[2])
      assert.is_nil(checked)
      assert.matches("^failed to parse config: ", message)
      assert.are.equal("config", details.code)
      assert.are.equal(case[1], details.field)
    end)
  end

  it("refuses a configuration that is missing", function()
    local checked, message, details = config.check(nil)
    assert.is_nil(checked)
    assert.matches("^failed to parse config: ", message)
    assert.are.equal("config", details.code)
  end)

  it("keeps every member that it knows", function()
    local names = {}
    local function texts(more)
      for _, name in ipairs { "title_loc_key", "title", "body_loc_key", "body", "icon", "click_action" } do
        more[name] = name
      end
      more.icon_color = "#012345"
      return more
    end
    local given = {
      enabled = true, credentials = { a = 1 }, credentials_file = "f", project_id = "p", token_url = "t", buffer = 7,
      time_to_live = 8, max_in_flight = 9, timeout = 11, token_early = 12, validate_only = true, dry_run = true,
      fcm_url = "http://h", retry = { attempts = 1, base = 2, max = 3, quota = 4, deadline = 5 },
      android = texts { enabled = true, msg = texts {}, sub = texts {} }, connect_timeout = 13,
      keepalive = { idle = 14, pool_size = 15 }, proxy = "http://q", no_proxy = "n", ca_file = "c", tls_verify = false,
      max_response_bytes = 16, max_pending = 17,
    }
    local checked = config.check(given, function(name)
      names[#names + 1] = name
    end)
    assert.same({}, names)
    for name, value in pairs(given) do
      assert.same(value, checked[name], name)
    end
    assert.equal("8s", checked.ttl)
    given.credentials = "{}"
    assert.equal("{}", config.check(given).credentials)
  end)

  it("says what is wrong", function()
    for _, name in ipairs { "android", "android.msg", "android.sub" } do
      local section = { icon_color = "red" }
      fails("failed to parse config: " .. name .. ".icon_color must be in the #RRGGBB form",
        { code = "config", field = name .. ".icon_color" },
        config.check { android = name == "android" and section or { [name:match("%a+$")] = section } })
    end
    fails('failed to parse config: option "fcm_url" must be a URL of the form http[s]://HOST[:PORT][/PATH]',
      { code = "config", field = "fcm_url" }, config.check { fcm_url = "x" })
  end)
end)
