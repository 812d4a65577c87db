--- Method, path, query and body in; a signed request table out. Nothing else in the library signs requests.
-- Pure, with the clock passed in; a builder keeps only what all requests of one second share.
--
-- Rule: Channels docs "HTTP API authentication": METHOD\npath\nquery, the query sorted by key with lower-case keys and
-- unescaped values; escaped on the wire.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local json = require "pusher.base.json"
local sources = require "pusher.base.sources"
local standard_headers = require "pusher.base.headers"
local url = require "pusher.base.url"

local request = {}

local RESERVED = {
  auth_key = true, auth_timestamp = true, auth_version = true, auth_signature = true, body_md5 = true,
}

local function scalar(value)
  local kind = type(value)
  if kind == "number" and value - value ~= 0 then
    return nil -- NaN and infinity
  elseif kind == "number" then
    return json.number_text(value)
  end
  return (kind == "string" and core.utf8_valid(value) or kind == "boolean") and tostring(value) or nil
end

local function query_value(value)
  if type(value) ~= "table" then
    return scalar(value)
  end
  local list = arguments.list(value)
  for index, member in ipairs(list or {}) do
    list[index] = scalar(member)
    if not list[index] then
      return nil
    end
  end
  return list and table.concat(list, ",")
end

-- Adds the caller's parameters to a list of { key, value }, keys in lower case.
local function add_params(list, params)
  local seen = {}
  for name, given in next, params do
    local key = type(name) == "string" and core.utf8_valid(name) and ascii.lower(name)
    local value = query_value(given)
    if not key or key == "" or seen[key] then
      return errors.fail("invalid", ("query parameters must have distinct names in UTF-8, in any case, got %s"):format(
        arguments.show(name)), { field = arguments.name(name) })
    elseif RESERVED[key] then
      return errors.fail("invalid", ("query parameter %s is set by the library"):format(key), { field = key })
    elseif not value then
      return errors.fail("invalid", ("query parameter %s must be a string in UTF-8, a number, a boolean or a list of "
        .. "these"):format(arguments.show(key)), { field = key })
    end
    seen[key] = true
    list[#list + 1] = { key, value }
  end
  return true
end

local function by_key(a, b)
  return ascii.less(a[1], b[1])
end

local function closed()
  return errors.fail("closed", "the client is closed") -- by a finalizer, while the text to sign was made
end

-- Returns the target with its signed query: `path` is signed, `target` is sent. The caller's parameters are sorted in
-- among the library's own.
local function sign_params(mac, stamp, method, path, target, body_md5, params)
  local query = {
    { "auth_key", stamp.key }, { "auth_timestamp", stamp.timestamp }, { "auth_version", "1.0" },
    body_md5 and { "body_md5", body_md5 },
  }
  local ok, message, details = add_params(query, params)
  if not ok then
    return nil, message, details
  end
  table.sort(query, by_key)
  local signed, sent = {}, {}
  for index, pair in ipairs(query) do
    local key, value = pair[1], pair[2]
    signed[index], sent[index] = key .. "=" .. value, url.escape(key) .. "=" .. url.escape(value)
  end
  local signature = mac:hex(method, "\n", path, "\n", table.concat(signed, "&"))
  if not signature then
    return closed()
  end
  return target .. "?" .. table.concat(sent, "&") .. "&auth_signature=" .. signature
end

-- The same without parameters: the order is known, so no table, no sort.
local function sign_plain(mac, stamp, method, path, target, body_md5)
  local signed, sent = stamp.signed, stamp.sent
  if body_md5 then
    local plain = sent == signed
    signed = signed .. "&body_md5=" .. body_md5
    sent = plain and signed or sent .. "&body_md5=" .. body_md5
  end
  local signature = mac:hex(method, "\n", path, "\n", signed)
  if not signature then
    return closed()
  end
  return target .. "?" .. sent .. "&auth_signature=" .. signature
end

-- What is the same in all requests of one second.
local function new_stamp(key, now)
  local timestamp = ("%.0f"):format(math.floor(now)) -- may not fit 32 bits: 2038
  local rest = "&auth_timestamp=" .. timestamp .. "&auth_version=1.0"
  return { now = now, key = key, timestamp = timestamp, signed = "auth_key=" .. key .. rest,
    sent = "auth_key=" .. url.escape(key) .. rest }
end

--- Makes a builder for one client.
-- @tparam table parts `{ key =, mac = keyed HMAC-SHA256, clock =, timeout = seconds, api = endpoint }`. Endpoints are
--   as endpoint.parse returns; a `signed_path` is the part of the path that is signed.
-- @treturn function build(method in upper case, path, params, body [, endpoint]) -> request table or nil
function request.builder(parts)
  local key, mac, clock, timeout, api = parts.key, parts.mac, parts.clock, parts.timeout, parts.api
  local get_headers = standard_headers.complete { standard_headers.LIBRARY }
  local post_headers = standard_headers.complete { { "Content-Type", "application/json" }, standard_headers.LIBRARY }
  local stamp = {}

  return function(method, path, params, body, at)
    at = at or api
    local now = clock()
    if now ~= stamp.now then
      if type(now) ~= "number" or now - now ~= 0 then
        return sources.no_time()
      end
      stamp = new_stamp(key, now)
    end
    local sent = at.path .. path
    local signed = at.signed_path and at.signed_path .. path or sent
    -- An empty body is not digested: Reverb and sockudo refuse that.
    local body_md5 = body and body ~= "" and core.md5_hex(body) or nil
    local sign = params and next(params) ~= nil and sign_params or sign_plain
    local target, message, details = sign(mac, stamp, method, signed, sent, body_md5, params)
    if not target then
      return nil, message, details
    end
    -- Not by endpoint.request: one string less in every call.
    return {
      method = method, scheme = at.scheme, host = at.host, port = at.port, target = target,
      headers = body and post_headers or get_headers, body = body, timeout = timeout,
    }
  end
end

return request
