--- Method, path, query and body in; a signed request table out. Pure: the
-- clock is passed in, and nothing else in the library signs requests.
--
-- Rule: Channels docs "HTTP API authentication": METHOD\npath\nquery, the query
-- sorted by key with lower-case keys and unescaped values; escaped on the wire.

local core = require "pusher.core"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local request = {}

local fail = errors.fail

local RESERVED = {
  auth_key = true, auth_timestamp = true, auth_version = true, auth_signature = true, body_md5 = true,
}

local function scalar(value)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" then
    return value == math.floor(value) and ("%.0f"):format(value) or tostring(value)
  elseif kind == "boolean" then
    return tostring(value)
  end
end

local function query_value(value)
  if type(value) ~= "table" then
    return scalar(value)
  end
  local words = {}
  for index = 1, #value do
    words[index] = scalar(value[index])
  end
  return #words == #value and table.concat(words, ",") or nil
end

-- The caller's parameters as a sorted list of { key, value }, keys in lower case.
local function collect(params)
  local pairs_list, seen = {}, {}
  for name, given in pairs(params) do
    local key = type(name) == "string" and name:lower()
    local value = query_value(given)
    if not key or key == "" or seen[key] then
      return fail("invalid", "query parameters need distinct names", { field = tostring(name) })
    elseif RESERVED[key] then
      return fail("invalid", ("query parameter %s is set by the library"):format(key), { field = key })
    elseif not value then
      return fail("invalid", ("query parameter %s must be a string, a number or a list of them"):format(
        key:gsub("%c", "?")), { field = key })
    end
    seen[key] = true
    pairs_list[#pairs_list + 1] = { key, value }
  end
  return pairs_list
end

local function by_key(a, b)
  return a[1] < b[1]
end

--- The text that is signed.
-- @tparam string method upper case
-- @tparam string path from /apps on
-- @tparam table query sorted list of { key, value }
-- @treturn string
function request.string_to_sign(method, path, query)
  local parts = {}
  for index, pair in ipairs(query) do
    parts[index] = pair[1] .. "=" .. pair[2]
  end
  return method .. "\n" .. path .. "\n" .. table.concat(parts, "&")
end

local function wire_query(query)
  local parts = {}
  for index, pair in ipairs(query) do
    parts[index] = url.escape(pair[1]) .. "=" .. url.escape(pair[2])
  end
  return table.concat(parts, "&")
end

-- Parameters of the caller are in the way of the prepared text below.
local function sign_params(credentials, method, signed_path, path, params, body_md5)
  local query, message, details = collect(params)
  if not query then
    return nil, message, details
  end
  query[#query + 1] = { "auth_key", credentials.key }
  query[#query + 1] = { "auth_timestamp", credentials.timestamp }
  query[#query + 1] = { "auth_version", "1.0" }
  if body_md5 then
    query[#query + 1] = { "body_md5", body_md5 }
  end
  table.sort(query, by_key)
  local signature = credentials.mac:hex(request.string_to_sign(method, signed_path, query))
  return path .. "?" .. wire_query(query) .. "&auth_signature=" .. signature
end

-- Without parameters the order is known: no table, no sort.
local function sign_plain(credentials, method, signed_path, path, body_md5)
  local signed, sent = credentials.signed, credentials.sent
  if body_md5 then
    local plain = sent == signed
    signed = signed .. "&body_md5=" .. body_md5
    sent = plain and signed or sent .. "&body_md5=" .. body_md5
  end
  local signature = credentials.mac:hex(method, "\n", signed_path, "\n", signed)
  return path .. "?" .. sent .. "&auth_signature=" .. signature
end

-- Writes what is the same for all requests of a second.
-- %.0f, since whole seconds need not fit 32 bits after 2038.
local function set_clock(credentials, now)
  local timestamp = ("%.0f"):format(math.floor(now))
  local rest = "&auth_timestamp=" .. timestamp .. "&auth_version=1.0"
  credentials.now, credentials.timestamp = now, timestamp
  credentials.signed = "auth_key=" .. credentials.key .. rest
  credentials.sent = "auth_key=" .. url.escape(credentials.key) .. rest
end

--- Signs one request.
-- @tparam table credentials `{ key =, mac = keyed HMAC-SHA256 }`, kept from call to call
-- @tparam string method upper case
-- @tparam string signed_path the path as signed
-- @tparam string path the path as sent
-- @tparam table|nil params query parameters
-- @tparam string|nil body
-- @tparam number now Unix seconds
-- @treturn string|nil path and query, ready for the wire
function request.sign(credentials, method, signed_path, path, params, body, now)
  if credentials.now ~= now then
    set_clock(credentials, now)
  end
  -- An empty body is not digested: Reverb and sockudo refuse that.
  local body_md5 = body and body ~= "" and core.md5_hex(body) or nil
  if params and next(params) ~= nil then
    return sign_params(credentials, method, signed_path, path, params, body_md5)
  end
  return sign_plain(credentials, method, signed_path, path, body_md5)
end

--- Makes a builder for one client.
-- @tparam table settings checked options, with `mac`
-- @tparam string version the library's
-- @treturn function build(method, path, params, body, endpoint) -> request table;
--   `endpoint` = `{ host =, port =, base = path before `path` }` replaces the client's own
function request.builder(settings, version)
  local credentials = { key = settings.key, mac = settings.mac }
  local library = { "X-Pusher-Library", "pusher-http-lua " .. version }
  local accept = { "Accept", "application/json" }
  local get_headers = { accept, library }
  local post_headers = { { "Content-Type", "application/json" }, accept, library }
  local scheme = settings.secure and "https" or "http"
  local base = "/apps/" .. settings.app_id
  local prefix = settings.path_prefix
  local signed_prefix = settings.sign_path_prefix and prefix or ""
  local clock, timeout = settings.clock, settings.timeout

  return function(method, path, params, body, endpoint)
    local full = (endpoint and endpoint.base or base) .. path
    local signed, sent = full, full
    if prefix ~= "" and not endpoint then
      signed, sent = signed_prefix .. full, prefix .. full
    end
    local wire, message, details = request.sign(credentials, method, signed, sent, params, body, clock())
    if not wire then
      return nil, message, details
    end
    return {
      method = method,
      scheme = scheme,
      host = endpoint and endpoint.host or settings.host,
      port = endpoint and endpoint.port or settings.port,
      target = wire,
      headers = body and post_headers or get_headers,
      body = body,
      timeout = timeout,
    }
  end
end

return request
