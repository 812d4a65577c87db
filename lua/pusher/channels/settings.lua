--- A client's options, URL or environment in; one checked, complete table out.

local addresses = require "pusher.base.addresses"
local arguments = require "pusher.base.arguments"
local credential = require "pusher.base.credential"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local notify = require "pusher.channels.notify"
local options = require "pusher.base.options"
local sources = require "pusher.base.sources"
local url = require "pusher.base.url"

local settings = {}

local DEFAULT_HOST = "api.pusherapp.com"
local PUSH_HOST = "nativepush-cluster1.pusher.com" -- as in pusher-http-go v1.3.0

--- The client's options. A spec compares them with docs/options.md.
settings.DECLARED = options.with_transport {
  app_id = { "string", "number", max = 2 ^ 53 - 1, integer = true },
  key = { "string" },
  secret = { "string" },
  cluster = { "string" },
  host = { "string" },
  port = { "number", min = 1, max = 65535, integer = true },
  path_prefix = { "string" },
  sign_path_prefix = { "boolean", default = false },
  secure = { "boolean", default = true },
  encryption_master_key_base64 = { "string" },
  encryption_master_key = { "string" },
  max_payload_kb = { "number", default = 10, min = 0.001 },
  max_batch = { "number", default = 10, min = 1, integer = true },
  retry = options.retry(1),
  idempotency = { "boolean", default = false },
  push_notification_host = { "string", default = PUSH_HOST },
  transport = { "string", "table" },
  observe = { "function" },
  json = json_codec.OPTION,
  clock = sources.CLOCK,
  random = sources.RANDOM,
}

-- `given` is shown; it is left out where it may hold a secret.
local function refuse(name, text, given)
  local got = given and ", got " .. arguments.show(given) or ""
  return errors.fail("config", ('option "%s" %s%s'):format(name, text, got), { field = name })
end

local function check_credentials(checked)
  if type(checked.app_id) == "number" then
    checked.app_id = json_codec.number_text(checked.app_id)
  end
  for _, name in ipairs { "app_id", "key", "secret" } do
    local fault = credential.fault(checked[name])
    if fault then
      return refuse(name, fault)
    end
  end
  if not checked.app_id:find("^[A-Za-z0-9%-_.~]+$") or url.has_step(checked.app_id) then
    return refuse("app_id", "must consist of letters, digits and the characters - _ . ~", checked.app_id)
  elseif checked.key:find(":", 1, true) then
    return refuse("key", "must not contain colons")
  end
  return true
end

local function check_host(checked)
  if checked.cluster and not checked.cluster:find("^[A-Za-z0-9%-]+$") then
    return refuse("cluster", 'must be a name such as "eu"', checked.cluster)
  end
  local default_port = url.DEFAULT_PORT[checked.secure and "https" or "http"]
  -- `host` takes precedence over `cluster`, as in all official libraries.
  local given = checked.host or (checked.cluster and "api-" .. checked.cluster .. ".pusher.com") or DEFAULT_HOST
  local host, port = url.split_host(given)
  if not host and addresses.read(given) then
    return refuse("host", "must have an IPv6 address in brackets: [" .. given .. "]")
  elseif not host then
    return refuse("host", 'must be a host name or "host:port", without a scheme or path; '
      .. "use from_url for URLs and `secure` for the scheme")
  end
  checked.host, checked.port = host, checked.port or port or default_port
  host, port = url.split_host(checked.push_notification_host)
  if not host then
    return refuse("push_notification_host", 'must be a host name or "host:port"')
  end
  checked.push_notification_host, checked.push_notification_port = host, port or default_port
  return true
end

local function check_path_prefix(checked)
  local prefix = checked.path_prefix or ""
  if prefix ~= "" and (not prefix:find("^/[A-Za-z0-9%-_.~/]*$") or url.has_step(prefix)) then
    return refuse("path_prefix", 'must be a path such as "/pusher"', prefix)
  end
  checked.path_prefix = prefix:match("^.*[^/]") or ""
  return true
end

local function check_master_key(checked)
  local base64, bytes = checked.encryption_master_key_base64, checked.encryption_master_key
  checked.encryption_master_key_base64 = nil
  if not base64 and not bytes then
    return true
  end
  local key, message, details = encryption.master_key(base64, bytes)
  checked.encryption_master_key = key
  return key, message, details
end

local CHECKS = { check_credentials, check_host, check_path_prefix, check_master_key }

--- Checks options and fills in the defaults. The given table is not changed.
-- @tparam table given see docs/options.md
-- @treturn table|nil a fresh, complete table; failures have the code `config`
function settings.check(given)
  local checked, message, details = options.check(given, settings.DECLARED)
  if not checked then
    return nil, message, details
  end
  for _, check in ipairs(CHECKS) do
    local ok
    ok, message, details = check(checked)
    if not ok then
      return nil, message, details
    end
  end
  return checked
end

--- Where the requests of a client go: the HTTP API, and the older service for push notifications.
-- @tparam table checked as `check` returns
-- @treturn table endpoint of the HTTP API, see request.builder
-- @treturn table endpoint of the push service
function settings.endpoints(checked)
  local scheme, path, prefix = checked.secure and "https" or "http", "/apps/" .. checked.app_id, checked.path_prefix
  return {
    scheme = scheme, host = checked.host, port = checked.port, path = prefix .. path,
    signed_path = prefix ~= "" and not checked.sign_path_prefix and path or nil,
  }, {
    scheme = scheme, host = checked.push_notification_host, port = checked.push_notification_port,
    path = notify.PATH .. checked.app_id,
  }
end

--- Reads `http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID` into an options table.
-- The URL holds the secret, so no message shows any of it.
-- @tparam string text
-- @tparam[opt] table extra more options, which take precedence over the URL
-- @treturn table|nil unchecked options; failures have the code `config`
function settings.from_url(text, extra)
  -- Two patterns, since a single one would search for "/apps/" again from each byte of the host.
  local scheme, key, secret, host, path = text:match("^(https?)://([^:@/]+):([^@/]+)@([^/@?#]+)(.*)$")
  local prefix, app_id
  if path then
    prefix, app_id = path:match("^(.*)/apps/([^/?#]+)/?$")
  end
  -- With a second "@", one that is not percent-encoded, a part of the secret would be read as host or path, and shown.
  if not prefix or text:find("@.*@") then
    return errors.fail("config", "the URL must look like http[s]://KEY:SECRET@HOST[:PORT][/PREFIX]/apps/APP_ID")
  end
  local given = {
    app_id = url.unescape(app_id), key = url.unescape(key), secret = url.unescape(secret), host = host,
    secure = scheme == "https", path_prefix = prefix ~= "" and prefix or nil,
  }
  for name, value in next, extra or {} do
    given[name] = value
  end
  return given
end

--- Reads the same URL from an environment variable.
-- @tparam[opt="PUSHER_URL"] string name
-- @tparam[opt] table extra
-- @tparam[opt=os.getenv] function getenv
-- @treturn table|nil unchecked options; failures have the code `config`
function settings.from_env(name, extra, getenv)
  name = name or "PUSHER_URL"
  getenv = getenv or os and os.getenv -- missing in some sandboxes
  local text = getenv and getenv(name)
  if not text or text == "" then
    return errors.fail("config", ("the environment variable %s is not set"):format(arguments.show(name)))
  end
  return settings.from_url(text, extra)
end

return settings
