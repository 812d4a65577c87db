local fails = require "spec.helpers.fails"
local settings = require "pusher.channels.settings"
local vectors = require "spec.helpers.vectors"

local function with(extra)
  local given = { app_id = "3", key = "k", secret = "s" }
  for name, value in pairs(extra or {}) do
    given[name] = value
  end
  return given
end

local function refused(given, pattern)
  local checked, message, details = settings.check(given)
  assert.is_nil(checked)
  assert.equal("config", details.code)
  assert.truthy(message:find(pattern), message)
end

describe("pusher.channels.settings", function()
  it("fills in the defaults and does not change the caller's table", function()
    local given = with()
    local checked = settings.check(given)
    assert.same(with(), given)
    assert.equal("api.pusherapp.com", checked.host)
    assert.equal(443, checked.port)
    assert.is_true(checked.secure)
    assert.is_true(checked.tls_verify)
    assert.equal(5, checked.timeout)
    assert.equal(10, checked.max_payload_kb)
    assert.equal(10, checked.max_batch)
    assert.same({ idle = 60, pool_size = 30 }, checked.keepalive)
    assert.equal("nativepush-cluster1.pusher.com", checked.push_notification_host)
  end)

  it("takes no number as app_id that may stand for another one", function()
    assert.equal("9007199254740991", settings.check(with { app_id = 2 ^ 53 - 1 }).app_id)
    assert.equal("0", settings.check(with { app_id = -0.0 }).app_id)
    refused(with { app_id = 9007199254740993 }, "^option \"app_id\" must be a whole number")
  end)

  it("chooses the host as the vectors say", function()
    for _, vector in ipairs(vectors.of("host")) do
      local checked = settings.check(with { cluster = vector.inputs.cluster, host = vector.inputs.host })
      assert.equal(vector.expected.host, checked.host, vector.source)
    end
  end)

  it("understands host:port, IPv6 and an explicit port", function()
    local checked = settings.check(with { host = "localhost:6001", secure = false })
    assert.equal("localhost", checked.host)
    assert.equal(6001, checked.port)
    assert.equal(80, settings.check(with { host = "h", secure = false }).port)
    assert.equal(7, settings.check(with { host = "h:6", port = 7 }).port)
    checked = settings.check(with { host = "[::1]:6001" })
    assert.equal("::1", checked.host)
    assert.equal(6001, checked.port)
  end)

  it("names the nearest option for an unknown one", function()
    refused(with { clutser = "eu" }, 'unknown option "clutser"; did you mean "cluster"')
    refused(with { encryption_masterkey = "x" }, "encryption_master_key")
    refused(with { [1] = "x" }, "unknown option")
    refused(with { [("x"):rep(5000)] = 1 }, "unknown option")
  end)

  it("refuses missing and wrong values", function()
    refused({ key = "k", secret = "s" }, 'option "app_id" is missing')
    refused({ app_id = "3", secret = "s" }, 'option "key" is missing')
    refused({ app_id = "3", key = "k", secret = "" }, 'option "secret" is missing')
    refused(with { app_id = "3/../4" }, 'option "app_id" must consist of letters, digits')
    refused(with { app_id = -3 }, "app_id")
    refused(with { app_id = 1.5 }, "app_id")
    refused(with { app_id = 0 / 0 }, "app_id")
    refused(with { key = "a:b" }, 'option "key" must not contain colons')
    refused(with { host = "https://example.org" }, 'option "host" must be a host name or "host:port"')
    refused(with { host = "h:70000" }, "host")
    refused(with { host = "a b" }, "host")
    refused(with { host = "::1" }, "must have an IPv6 address in brackets: %[::1%]")
    refused(with { host = "h:" }, "host")
    refused(with { host = "h\r\nX: y" }, "host")
    refused(with { cluster = "eu.evil.org/" }, "cluster")
    refused(with { port = 0 }, "port")
    refused(with { port = 70000 }, "port")
    refused(with { port = 1.5 }, "port")
    refused(with { timeout = 0 }, 'option "timeout" must be a number from 0.001 to 2147483647, got 0')
    refused(with { timeout = -1 }, "timeout")
    refused(with { timeout = 0 / 0 }, "timeout")
    refused(with { timeout = "5" }, "number")
    refused(with { secure = "yes" }, "boolean")
    refused(with { path_prefix = "no-slash" }, "path_prefix")
    refused(with { path_prefix = "/a?b" }, "path_prefix")
    refused(with { keepalive = { idel = 5 } }, "keepalive")
    refused(with { keepalive = { idle = -5 } }, "keepalive")
    refused(with { push_notification_host = "a b" }, "push_notification_host")
    refused(with { push_notification_host = "h:0" }, "push_notification_host")
    refused(with { transport = 7 }, "transport")
  end)

  it("refuses spaces and control characters in app_id, key and secret, wherever they come from", function()
    for _, name in ipairs { "app_id", "key", "secret" } do
      for _, value in ipairs { " hunter2", "hunter2 ", "hunter2\n", "hunter2\r\n", "hun\tter2", "hunter2\0", "hunter2\127" } do
        local given = with { [name] = value }
        local url = "https://" .. given.key .. ":" .. given.secret .. "@h/apps/" .. given.app_id -- 5.1's %s ends at "\0"
        local escaped = url:gsub("[%c ]", function(char) return ("%%%02X"):format(char:byte()) end)
        for way, options in pairs { options = given, url = settings.from_url(escaped) or {},
          environment = settings.from_env("X", nil, function() return escaped end) or {} } do
          local checked, message, details = settings.check(options)
          assert.is_nil(checked)
          assert.equal(('option "%s" must not contain spaces or control characters'):format(name), message, way)
          assert.equal("config", details.code)
        end
        -- An URL with the bytes themselves, as a file with a line break has it.
        local read = settings.from_url(url)
        assert.is_nil(read and settings.check(read))
      end
    end
  end)

  it("shows nothing of a URL whose secret is not percent-encoded", function()
    for _, secret in ipairs { "hun@ter2", "h@hunter2/x", "h@h/hunter2", "h@h/apps/hunter2", "hun/ter2" } do
      local read, message = settings.from_url("https://key:" .. secret .. "@h/apps/3")
      assert.is_nil(read)
      assert.is_nil(message:find("unter2", 1, true), message)
    end
  end)

  it("refuses steps of a path", function()
    for _, step in ipairs { ".", ".." } do
      refused(with { app_id = step }, 'option "app_id" must consist')
      for _, prefix in ipairs { "/" .. step, "/a/" .. step, "/" .. step .. "/a", "/" .. step .. "/" } do
        refused(with { path_prefix = prefix }, 'option "path_prefix" must be a path')
      end
    end
    assert.truthy(settings.check(with { app_id = "a..b", path_prefix = "/a../.b/..." }))
  end)

  it("refuses a master key with a line break", function()
    for _, bad in ipairs { "\n", " ", "\r\n", "\0" } do
      refused(with { encryption_master_key_base64 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" .. bad }, "not valid base64")
    end
  end)

  it("never shows a secret that has the wrong type", function()
    for _, name in ipairs { "secret", "encryption_master_key", "encryption_master_key_base64" } do
      local _, message = settings.check(with { [name] = 31337 })
      assert.equal(('option "%s" must be a string, got number'):format(name), message)
    end
  end)

  it("refuses bad master keys without showing them", function()
    refused(with { encryption_master_key = ("x"):rep(31) }, "master key .*31")
    refused(with { encryption_master_key_base64 = "not base64!" }, "not valid base64")
    refused(with { encryption_master_key_base64 = "dGhpcyBpcyAzMSBieXRlcyAxMjM0NTY3ODkwMTIzNA==" }, "master key .*31")
    local checked = settings.check(with { encryption_master_key = ("x"):rep(32) })
    assert.equal(("x"):rep(32), checked.encryption_master_key)
  end)

  it("takes an app id given as a number, and a prefix without its last slash", function()
    local checked = settings.check(with { app_id = 12345678901234, path_prefix = "/p/" })
    assert.equal("12345678901234", checked.app_id)
    assert.equal("/p", checked.path_prefix)
  end)

  describe("from_url", function()
    it("reads scheme, credentials, host, port, prefix and app id", function()
      assert.same({ app_id = "3", key = "k", secret = "s", host = "api-eu.pusher.com", secure = true },
        settings.from_url("https://k:s@api-eu.pusher.com/apps/3"))
      assert.same({ app_id = "a", key = "k", secret = "s/+", host = "127.0.0.1:6001", secure = false,
        path_prefix = "/x/y" },
        settings.from_url("http://k:s%2F%2B@127.0.0.1:6001/x/y/apps/a/"))
      assert.equal("[::1]:9", settings.from_url("http://k:s@[::1]:9/apps/a").host)
    end)

    it("gives further options precedence", function()
      local given = settings.from_url("http://k:s@h/apps/3", { host = "other", timeout = 1 })
      assert.equal("other", given.host)
      assert.equal(1, given.timeout)
    end)

    it("refuses any other URL and shows nothing of it", function()
      for _, url in ipairs { "", "k:hunter2@h/apps/3", "ftp://k:hunter2@h/apps/3", "http://h/apps/3",
        "http://k@h/apps/3",
        "http://k:hunter2@h/", "http://k:hunter2@h/apps/", "http://k:hunter2@/apps/3" } do
        local given, message, details = settings.from_url(url)
        assert.is_nil(given)
        assert.equal("config", details.code)
        assert.equal("the URL must look like http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID", message)
      end
    end)
  end)

  it("reads the environment, PUSHER_URL unless named otherwise", function()
    local environment = { PUSHER_URL = "http://a:s@h/apps/1", OTHER = "https://b:s@h/apps/2" }
    local function getenv(name)
      return environment[name]
    end
    assert.equal("a", settings.from_env(nil, nil, getenv).key)
    assert.equal("b", settings.from_env("OTHER", nil, getenv).key)
    local given, message, details = settings.from_env("MISSING", nil, getenv)
    assert.is_nil(given)
    assert.equal("config", details.code)
    assert.truthy(message:find("MISSING"))
  end)

  it("has no environment in a host without os", function()
    local real = rawget(_G, "os")
    rawset(_G, "os", nil)
    local ok, given, message = pcall(settings.from_env, "X")
    rawset(_G, "os", real)
    assert.same({ true, nil, 'the environment variable "X" is not set' }, { ok, given, message })
  end)

  it("says what is wrong, and with which option", function()
    local function option(name)
      return { code = "config", field = name }
    end
    local function check(name, value)
      return settings.check(with { [name] = value })
    end
    fails('option "app_id" must consist of letters, digits and the characters - _ . ~, got "a/b"', option("app_id"),
      check("app_id", "a/b"))
    fails('option "key" must not contain colons', option("key"), check("key", "a:b"))
    fails('option "key" must not contain colons', option("key"), check("key", ":"))
    fails('option "cluster" must be a name such as "eu", got "eu."', option("cluster"), check("cluster", "eu."))
    fails('option "host" must be a host name or "host:port", without a scheme or path; use from_url for URLs and '
      .. "`secure` for the scheme", option("host"), check("host", "http://x"))
    fails('option "push_notification_host" must be a host name or "host:port"', option("push_notification_host"),
      check("push_notification_host", "x/"))
    fails('option "path_prefix" must be a path such as "/pusher", got "x"', option("path_prefix"), check("path_prefix", "x"))
    fails("the URL must look like http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID", { code = "config" },
      settings.from_url("x"))
    fails('the environment variable "PUSHER_URL" is not set', { code = "config" },
      settings.from_env(nil, nil, function() end))
    fails('the environment variable "X" is not set', { code = "config" }, settings.from_env("X", nil, function() return "" end))
  end)
end)
