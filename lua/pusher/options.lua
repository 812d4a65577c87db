--- The caller's options, URL or environment in; one checked, complete table out.

local crypto = require "pusher.crypto"
local encryption = require "pusher.encryption"
local errors = require "pusher.errors"

local options = {}

local fail = errors.fail

local DEFAULT_HOST = "api.pusherapp.com"
local PUSH_HOST = "nativepush-cluster1.pusher.com" -- Go v1.3.0 names it, the others default to it

-- What each option is: the types it may have, and its default. The reference
-- in the README has the same names; a spec compares the two.
local KNOWN = {
  app_id = { "string", "number" },
  key = { "string" },
  secret = { "string" },
  cluster = { "string" },
  host = { "string" },
  port = { "number" },
  path_prefix = { "string" },
  sign_path_prefix = { "boolean", default = false },
  secure = { "boolean", default = true },
  timeout = { "number", default = 5 },
  connect_timeout = { "number" },
  keepalive = { "table" },
  proxy = { "string" },
  no_proxy = { "string" },
  ca_file = { "string" },
  tls_verify = { "boolean", default = true },
  max_response_bytes = { "number", default = 1024 * 1024 },
  max_pending = { "number", default = 10000 },
  encryption_master_key_base64 = { "string" },
  encryption_master_key = { "string" },
  max_payload_kb = { "number", default = 10 },
  max_batch = { "number", default = 10 },
  push_notification_host = { "string", default = PUSH_HOST },
  transport = { "string", "table" },
  json = { "table" },
  log = { "function" },
  clock = { "function", default = os.time },
  random = { "function", default = crypto.random },
}
options.KNOWN = KNOWN

--- Those that transports read, wherever they are given.
options.TRANSPORT = {
  timeout = true, connect_timeout = true, keepalive = true, proxy = true, no_proxy = true, ca_file = true,
  tls_verify = true, max_response_bytes = true, max_pending = true,
}

-- Edit distance, for the "did you mean" of a misspelt option.
local function distance(a, b)
  local row = {}
  for column = 0, #b do
    row[column] = column
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

local function nearest(name, known)
  local best, best_distance
  for candidate in pairs(known) do
    local d = distance(name, candidate)
    if not best or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  return best
end

local function has_type(value, kinds)
  for _, kind in ipairs(kinds) do
    if type(value) == kind then
      return true
    end
  end
  return false
end

--- Copies options, refusing those that are unknown or of the wrong type, and fills in the defaults.
-- @tparam table given
-- @tparam table known names to lists of types, with `default`
-- @treturn table|nil
function options.copy(given, known)
  local checked = {}
  for name, value in pairs(given) do
    local kinds = known[name]
    if not kinds then
      local text = tostring(name):sub(1, 60)
      return fail("config", ("unknown option %q; did you mean %q?"):format(text, nearest(text, known)),
        { field = text })
    elseif not has_type(value, kinds) then
      return fail("config", ("option %q must be a %s, got %s"):format(
        name, table.concat(kinds, " or a "), type(value)), { field = name })
    end
    checked[name] = value
  end
  for name, kinds in pairs(known) do
    if checked[name] == nil then
      checked[name] = kinds.default
    end
  end
  return checked
end

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

--- Splits "host", "host:port", "[::1]:port".
-- @treturn string|nil host without brackets
-- @treturn number|nil port
function options.split_host(text)
  local host, port = text:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then
    host, port = text:match("^([%w%-_.]+):?(%d*)$")
  end
  if not host or (port == "" and text:sub(-1) == ":") then
    return nil
  end
  return host, tonumber(port)
end

local function check_host(checked)
  if checked.cluster and not checked.cluster:find("^[%w%-]+$") then
    return fail("config", 'option "cluster" must be a name such as "eu"', { field = "cluster" })
  end
  -- `host` beats `cluster`, as in all official libraries.
  local given = checked.host or (checked.cluster and "api-" .. checked.cluster .. ".pusher.com") or DEFAULT_HOST
  local host, port = options.split_host(given)
  if not host then
    return fail("config", 'option "host" must be a host name or "host:port", without a scheme or path; '
      .. "use from_url for URLs and `secure` for the scheme", { field = "host" })
  end
  checked.host = host
  checked.port = checked.port or port or (checked.secure and 443 or 80)
  if checked.port % 1 ~= 0 or checked.port < 1 or checked.port > 65535 then
    return fail("config", 'option "port" must be 1 to 65535', { field = "port" })
  end
  local push_host, push_port = options.split_host(checked.push_notification_host)
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

local function check_keepalive(checked)
  local given = checked.keepalive or {}
  local keepalive = { idle = 60, pool_size = 30 }
  for name, value in pairs(given) do
    if keepalive[name] == nil or type(value) ~= "number" or value < 0 then
      return fail("config", 'option "keepalive" takes idle (seconds) and pool_size (connections)',
        { field = "keepalive" })
    end
    keepalive[name] = value
  end
  checked.keepalive = keepalive
  return true
end

local POSITIVE = { "timeout", "connect_timeout", "max_response_bytes", "max_pending", "max_payload_kb", "max_batch" }

local function check_numbers(checked)
  for _, name in ipairs(POSITIVE) do
    local value = checked[name]
    -- The second test refuses NaN and infinity.
    if value and not (value > 0 and value < 2 ^ 31) then
      return fail("config", ("option %q must be above 0"):format(name), { field = name })
    end
  end
  checked.connect_timeout = math.min(checked.connect_timeout or checked.timeout, checked.timeout)
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

--- Adds the options of transports, with their types and defaults, to a table for `copy`.
-- @tparam table known
-- @treturn table known
function options.with_transport(known)
  for name in pairs(options.TRANSPORT) do
    known[name] = KNOWN[name]
  end
  return known
end

--- Checks the values of the options of transports, and completes them.
-- @tparam table checked as `copy` returns
-- @treturn true|nil
function options.check_transport(checked)
  local ok, message, details = check_keepalive(checked)
  if not ok then
    return nil, message, details
  end
  return check_numbers(checked)
end

local CHECKS = {
  check_credentials, check_host, check_path_prefix, options.check_transport, check_master_key,
}

--- Checks options and fills in the defaults; the given table stays as it is.
-- @tparam table given see README "Options"
-- @treturn table|nil a fresh, complete table
function options.check(given)
  local checked, message, details = options.copy(given, KNOWN)
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

local function percent_decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- Reads `http[s]://key:secret@host[:port][/prefix]/apps/ID` into an options table.
-- The URL holds the secret, so no message shows any of it.
-- @tparam string url
-- @tparam[opt] table extra more options; they win over the URL
-- @treturn table|nil options, unchecked
function options.from_url(url, extra)
  local scheme, key, secret, host, prefix, app_id =
    url:match("^(https?)://([^:@/]+):([^@/]+)@([^/@?#]+)(.-)/apps/([^/?#]+)/?$")
  if not scheme then
    return fail("config", "the URL is not of the form http[s]://KEY:SECRET@HOST[:PORT]/apps/APP_ID")
  end
  local given = {
    app_id = percent_decode(app_id),
    key = percent_decode(key),
    secret = percent_decode(secret),
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
function options.from_env(name, extra, getenv)
  name = name or "PUSHER_URL"
  local url = (getenv or os.getenv)(name)
  if not url or url == "" then
    return fail("config", ("the environment variable %s is not set"):format(name))
  end
  return options.from_url(url, extra)
end

return options
