local account = require "tools.local_server.account"
local cjson = require "cjson"
local credentials = require "pusher.push.fcm.credentials"
local core = require "pusher.core"
local fails = require "spec.helpers.fails"
local read_key = require "spec.helpers.key"
local with_fifo = require "spec.helpers.fifo"
local json = assert(require("pusher.base.json").new())

local function getenv(values)
  return function(name)
    return values and values[name]
  end
end

local function load(config, values)
  return credentials.load(config, getenv(values), json)
end

-- Runs a test with a file of that text.
local function with_file(text, test)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, message = pcall(test, path)
  os.remove(path)
  assert(ok, message)
end

describe("pusher.push.fcm.credentials", function()
  local function assert_loaded(loaded, message)
    assert(loaded, message)
    assert.are.equal("proj-1", loaded.project_id)
    assert.are.equal("testkid-0001", loaded.private_key_id)
    assert.are.equal("firebase-adminsdk-test@proj-1.iam.gserviceaccount.com", loaded.client_email)
    assert.are.equal("oauth2.googleapis.com", loaded.endpoint.host)
    assert.are.equal("/token", loaded.endpoint.path)
    assert.is_true(core.rs256_verify(account.public_key, "text", loaded.sign("text")))
  end

  it("reads a table, and JSON text", function()
    assert_loaded(load { credentials = account.new() })
    assert_loaded(load { credentials = cjson.encode(account.new()) })
  end)

  it("reads a file", function()
    with_file(cjson.encode(account.new()), function(path)
      assert_loaded(load { credentials_file = path })
      assert.are.equal("other", load({ credentials = account.new { project_id = "other" }, credentials_file = path })
        .project_id)
    end)
  end)

  it("reads what the environment names, if the configuration names nothing", function()
    with_file(cjson.encode(account.new()), function(path)
      assert_loaded(load({}, { GOOGLE_APPLICATION_CREDENTIALS = path }))
    end)
    assert_loaded(load({}, { GOOGLE_APPLICATION_CREDENTIALS = cjson.encode(account.new()) }))
    assert_loaded(load({ credentials = account.new() }, { GOOGLE_APPLICATION_CREDENTIALS = "/nowhere" }))
  end)

  it("takes the project from the configuration, the account or the environment, in that order", function()
    local environment = { GOOGLE_CLOUD_PROJECT = "env-1", GCLOUD_PROJECT = "env-2" }
    local without = account.new { project_id = false }
    assert.are.equal("mine", load({ credentials = account.new(), project_id = "mine" }, environment).project_id)
    assert.are.equal("proj-1", load({ credentials = account.new() }, environment).project_id)
    assert.are.equal("env-1", load({ credentials = without }, environment).project_id)
    assert.are.equal("env-2", load({ credentials = without }, { GCLOUD_PROJECT = "env-2" }).project_id)
  end)

  it("takes Google's token endpoint when the account names none", function()
    for _, uri in ipairs { false, "" } do
      local loaded = assert(load { credentials = account.new { token_uri = uri } })
      assert.are.equal(credentials.TOKEN_URI, loaded.token_uri)
    end
  end)

  it("can fetch elsewhere than the assertion says", function()
    local loaded = assert(load { credentials = account.new(), token_url = "http://127.0.0.1:8080/token" })
    assert.are.equal("https://oauth2.googleapis.com/token", loaded.token_uri)
    assert.are.equal(8080, loaded.endpoint.port)
  end)

  it("signs with PKCS#1 keys, too", function()
    local loaded = assert(load { credentials = account.new { private_key = read_key "pkcs1" } })
    assert.is_true(core.rs256_verify(read_key "public", "text", loaded.sign("text")))
  end)

  describe("refuses", function()
    local function refused(config, values)
      local loaded, message, details = load(config, values)
      assert.is_nil(loaded)
      assert.are.equal("config", details.code)
      local shown = message .. cjson.encode(details)
      assert.is_nil(shown:find("PRIVATE KEY", 1, true), "the message shows the key")
      return message, details
    end

    it("nothing at all", function()
      assert.are.equal("missing credentials", refused {})
      for _, wrong in ipairs { "", 5, true, {} } do
        assert.are.equal("missing credentials", refused({}, { GOOGLE_APPLICATION_CREDENTIALS = wrong }))
      end
    end)

    it("what is not a service account", function()
      assert.are.equal("missing 'type' field in credentials", refused { credentials = {} })
      assert.are.equal("missing 'type' field in credentials", refused { credentials = { type = 5 } })
      assert.matches("service_account", refused { credentials = account.new { type = "authorized_user" } })
      for _, text in ipairs { "", "{", "5", "null", '"x"' } do
        assert.are.equal("credentials: must be a JSON object", refused { credentials = text })
      end
    end)

    it("a file that cannot be read, or is none", function()
      assert.matches("cannot read", refused { credentials_file = "/nowhere/at/all.json" })
      assert.matches("not a regular file", refused { credentials_file = "/" })
      assert.matches("not a regular file", refused { credentials_file = "/dev/zero" })
      with_file(("x"):rep(70000), function(path)
        assert.matches("at most 65536 bytes", refused { credentials_file = path })
      end)
      with_file("private " .. account.new().private_key, function(path)
        assert.are.equal("credentials: must be a JSON object", refused { credentials_file = path })
      end)
    end)

    it("a file in a host without io.open, or with one that raises, as in a Luanti mod", function()
      local real = io.open
      finally(function()
        io.open = real -- luacheck: ignore 122
      end)
      with_file(cjson.encode(account.new()), function(path)
        for _, open in ipairs { false, error } do
          io.open = open or nil -- luacheck: ignore 122
          local message = refused { credentials_file = path }
          io.open = real -- luacheck: ignore 122
          assert.matches("cannot read", message)
        end
      end)
    end)

    it("an account without a project", function()
      local without = account.new { project_id = false }
      assert.are.equal("project ID is required to access Firebase Cloud Messaging client",
        refused { credentials = without })
      for _, project in ipairs { "a/b", ".", "..", "a b", "a\n" } do
        assert.matches("path", refused { credentials = without, project_id = project })
        assert.matches("path", refused({ credentials = without }, { GOOGLE_CLOUD_PROJECT = project }))
      end
      refused { credentials = account.new { project_id = "x\r\ny" } }
    end)

    it("members that are missing or would break the assertion", function()
      for _, name in ipairs { "client_email", "private_key_id" } do
        for _, value in ipairs { false, "", 'a"b', "a\\b", "a\nb", 5, "\255" } do
          assert.matches(name, refused { credentials = account.new { [name] = value } })
        end
      end
      for _, uri in ipairs { "oauth2.googleapis.com", 'https://x/"', 5, "file:///etc/passwd", "https://x/../y",
        "https://x/y\n" } do
        assert.matches("token_uri", refused { credentials = account.new { token_uri = uri } })
      end
    end)

    it("an address for tokens that is none", function()
      assert.matches('"token_url" must be a URL', refused { credentials = account.new(), token_url = "nowhere" })
      assert.matches('"token_url" must be a URL', refused { credentials = account.new(), token_url = 5 })
    end)

    it("a key that is missing, wrong or locked", function()
      assert.matches("private_key is missing", refused { credentials = account.new { private_key = false } })
      assert.matches("private_key is missing", refused { credentials = account.new { private_key = 5 } })
      for _, name in ipairs { "pkcs8_encrypted", "pkcs1_encrypted" } do
        assert.matches("passphrase", refused { credentials = account.new { private_key = read_key(name) } })
      end
      for _, name in ipairs { "ec", "rsa_pss", "rsa1024", "public" } do
        assert.matches("private_key: ", refused { credentials = account.new { private_key = read_key(name) } })
      end
      local pem = account.new().private_key
      for _, broken in ipairs { "secret", pem:sub(1, 200), pem:gsub("MII", "XII"), (pem:gsub("\n", "\\n")) } do
        assert.matches("private_key: ", refused { credentials = account.new { private_key = broken } })
      end
      -- JSON text that is taken for a path.
      refused { credentials_file = cjson.encode(account.new()) }
      local _, details = refused { credentials = account.new { private_key = pem:gsub("\n", "\\n") } }
      assert.matches("escaped twice", details.hint)
      _, details = refused { credentials = account.new { private_key = "secret" } }
      assert.is_nil(details.hint)
    end)
  end)

  it("says what is wrong, and where", function()
    local function wrong(changes)
      return load { credentials = account.new(changes) }
    end
    local function field(name)
      return { code = "config", field = name }
    end
    fails("missing credentials", field("credentials"), load {})
    fails("credentials: must be a JSON object", field("credentials"), load { credentials = "5" })
    fails('credentials: cannot read the file "/no/such/file"', field("credentials_file"),
      load { credentials_file = "/no/such/file" })
    fails('credentials: "/" is not a regular file', field("credentials_file"), load { credentials_file = "/" })
    fails("credentials: the file whose name is not shown here is not a regular file", field("credentials_file"),
      load { credentials_file = ("/"):rep(201) })
    with_fifo(function(path)
      fails(('credentials: "%s" is not a regular file'):format(path), field("credentials_file"),
        load { credentials_file = path })
    end)
    with_file((" "):rep(65537), function(path)
      fails(('credentials: the file "%s" must have at most 65536 bytes'):format(path), field("credentials_file"),
        load { credentials_file = path })
    end)
    with_file(cjson.encode(account.new()) .. (" "):rep(65536 - #cjson.encode(account.new())), function(path)
      assert_loaded(load { credentials_file = path })
    end)
    fails("missing 'type' field in credentials", field("credentials.type"), wrong { type = "" })
    fails('credentials: type must be "service_account"', field("credentials.type"), wrong { type = "user" })
    fails("credentials: client_email is missing or malformed", field("credentials.client_email"), wrong { client_email = "" })
    fails("project_id is part of a path and may have only letters, digits and -_.:", field("project_id"),
      wrong { project_id = "a/b" })
    fails("project ID is required to access Firebase Cloud Messaging client", field("project_id"), wrong { project_id = "" })
    fails("project ID is required to access Firebase Cloud Messaging client", field("project_id"),
      load({ credentials = account.new { project_id = "" } }, { GOOGLE_CLOUD_PROJECT = "", GCLOUD_PROJECT = "x" }))
    fails("credentials: private_key is missing", field("credentials.private_key"), wrong { private_key = "" })
    local _, text = core.rs256_sign("x", "trial")
    fails("credentials: private_key: " .. text, field("credentials.private_key"), wrong { private_key = "x" })
    for _, name in ipairs { "token_url", "token_uri" } do
      fails(('option "%s" must be a URL of the form http[s]://HOST[:PORT][/PATH]'):format(name), field(name),
        load { credentials = account.new { token_uri = "x" }, token_url = name == "token_url" and "x" or nil })
    end
  end)

  it("says when it was memory that failed", function()
    local sign = core.rs256_sign
    core.rs256_sign = function()
      return nil, "no memory", true
    end
    local loaded, message, details = load { credentials = account.new() }
    core.rs256_sign = sign
    fails("credentials: private_key: no memory",
      { code = "network", retryable = true, field = "credentials.private_key" }, loaded, message, details)
  end)
end)
