--- A client's options, URL or environment in; one checked, complete table out.

local core = require "pusher.core"
local encryption = require "pusher.channels.encryption"
local errors = require "pusher.base.errors"
local options = require "pusher.base.options"
local url = require "pusher.base.url"

local settings = {}

local fail = errors.fail

local DEFAULT_HOST = "api.pusherapp.com"
local PUSH_HOST = "nativepush-cluster1.pusher.com" -- as in pusher-http-go v1.3.0

--- The client's options. The reference in the README has the same names and defaults; a spec compares the two.
settings.DECLARED = options.with_transport {
  app_id = { "string", "number" },
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
  push_notification_host = { "string", default = PUSH_HOST },
  transport = { "string", "table" },
  json = { "table" },
  clock = { "function", default = os.time },
  random = { "function", default = core.random },
}

local function check_credentials(checked)
  if type(checked.app_id) == "number" then
    checked.app_id = ("%.0f"):format(checked.app_id)
  end
  for _, name in ipairs { "app_id", "key", "secret" } do
    if not checked[name] or checked[name] == "" then
      return fail("config", ("option %q is missing"):format(name), { field = name })
    end
  end
  if not checked.app_id:find("^[%w%-_.~]+$") then
    return fail("config", 'option "app_id" has a character that cannot stand in a path', { field = "app_id" })
  elseif checked.key:find("[%c%s:]") then
    return fail("config", 'option "key" has a blank, a colon or a control character', { field = "key" })
  end
  return true
end

local function check_host(checked)
  if checked.cluster and not checked.cluster:find("^[%w%-]+$") then
    return fail("config", 'option "cluster" must be a name such as "eu"', { field = "cluster" })
  end
  -- `host` beats `cluster`, as in all official libraries.
  local given = checked.host or (checked.cluster and "api-" .. checked.cluster .. ".pusher.com") or DEFAULT_HOST
  local host, port = url.split_host(given)
  if not host then
    return fail("config", 'option "host" must be a host name or "host:port", without a scheme or path; '
      .. "use from_url for URLs and `secure` for the scheme", { field = "host" })
  end
  checked.host = host
  checked.port = checked.port or port or (checked.secure and 443 or 80)
  if checked.port < 1 or checked.port > 65535 then
    return fail("config", 'the port in option "host" must be from 1 to 65535', { field = "host" })
  end
  local push_host, push_port = url.split_host(checked.push_notification_host)
  if not push_host then
    return fail("config", 'option "push_notification_host" must be a host name or "host:port"',
      { field = "push_notification_host" })
  end
  checked.push_notification_host = push_host
  checked.push_notification_port = push_port or (checked.secure and 443 or 80)
  return true
end

local function check_path_prefix(checked)
  local prefix = checked.path_prefix or ""
  if prefix ~= "" and not prefix:find("^/[%w%-_.~/]*$") then
    return fail("config", 'option "path_prefix" must be a path such as "/pusher"', { field = "path_prefix" })
  end
  checked.path_prefix = prefix:gsub("/+$", "")
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

--- Checks options and fills in the defaults; the given table stays as it is.
-- @tparam table given see README "Options"
-- @treturn table|nil a fresh, complete table
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

--- Reads `http[s]://key:secret@host[:port][/prefix]/apps/ID` into an options table.
-- The URL holds the secret, so no message shows any of it.
-- @tparam string text
-- @tparam[opt] table extra more options; they win over the URL
-- @treturn table|nil options, unchecked
function settings.from_url(text, extra)
  local scheme, key, secret, host, prefix, app_id =
    text:match("^(https?)://([^:@/]+):([^@/]+)@([^/@?#]+)(.-)/apps/([^/?#]+)/?$")
  if not scheme then
    return fail("config", "the URL is not of the form http[s]://KEY:SECRET@HOST[:PORT]/apps/APP_ID")
  end
  local given = {
    app_id = url.unescape(app_id),
    key = url.unescape(key),
    secret = url.unescape(secret),
    host = host,
    secure = scheme == "https",
    path_prefix = prefix ~= "" and prefix or nil,
  }
  for name, value in pairs(extra or {}) do
    given[name] = value
  end
  return given
end

--- Reads the same URL from an environment variable.
-- @tparam[opt="PUSHER_URL"] string name
-- @tparam[opt] table extra
-- @tparam[opt=os.getenv] function getenv
-- @treturn table|nil options, unchecked
function settings.from_env(name, extra, getenv)
  name = name or "PUSHER_URL"
  local text = (getenv or os.getenv)(name)
  if not text or text == "" then
    return fail("config", ("the environment variable %s is not set"):format(name))
  end
  return settings.from_url(text, extra)
end

return settings
