--- The request that a transport sends (see pusher.transport): what is wrong with one that a caller made. Pure.
-- For curl and async the request is read in C, which raises for fields of wrong types; in nginx it is read here.

local callback = require "pusher.base.callback"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local request = {}

-- Name, type, whether it may be missing; has_types checks the same.
local FIELDS = {
  { "method", "string" }, { "scheme", "string" }, { "host", "string" }, { "port", "number", true },
  { "target", "string" }, { "headers", "table", true }, { "body", "string", true }, { "timeout", "number", true },
  { "once", "boolean", true },
}

local MAX_PORT, MAX_HOST_BYTES = 65535, 255

local function refuse(message, field)
  return errors.fail("invalid", message, { field = field, sent = false })
end

--- The failure that a raised error about a request's fields stands for. Lack of memory is raised again.
-- @param raised
-- @return nil, message, details
function request.failure(raised)
  callback.raise_out_of_memory(raised)
  return refuse(callback.text(raised))
end

-- Without a loop, which takes three times as long.
local function has_types(copy)
  local port, headers, body, timeout, once = copy.port, copy.headers, copy.body, copy.timeout, copy.once
  return type(copy.method) == "string" and type(copy.scheme) == "string" and type(copy.host) == "string"
    and type(copy.target) == "string" and (port == nil or type(port) == "number")
    and (headers == nil or type(headers) == "table") and (body == nil or type(body) == "string")
    and (timeout == nil or type(timeout) == "number") and (once == nil or type(once) == "boolean")
end

local function refuse_types(copy)
  for _, field in ipairs(FIELDS) do
    local name, kind, value = field[1], field[2], copy[field[1]]
    if type(value) ~= kind and not (value == nil and field[3]) then
      return refuse(("bad request field '%s' (%s expected, got %s)"):format(name, kind, type(value)), name)
    end
  end
end

local function copy_headers(given)
  local headers, index = {}, 1
  local pair = rawget(given, 1)
  while pair ~= nil do
    local name, value
    if type(pair) == "table" then
      name, value = rawget(pair, 1), rawget(pair, 2)
    end
    if type(name) ~= "string" or type(value) ~= "string" then
      return refuse("bad request field 'headers' (list of {name, value} expected)", "headers")
    end
    headers[index] = { name, value }
    index = index + 1
    pair = rawget(given, index)
  end
  return headers
end

-- Whether a caller's list has the same headers as a copy.
local function are_copied(given, copy)
  local index = 0
  repeat
    index = index + 1
    local pair, copied = rawget(given, index), copy[index]
    if not copied then
      return pair == nil
    end
  until type(pair) ~= "table" or rawget(pair, 1) ~= copied[1] or rawget(pair, 2) ~= copied[2]
  return false
end

local function check_values(copy)
  local port = copy.port
  if not url.DEFAULT_PORT[copy.scheme] then
    return refuse("the scheme must be http or https", "scheme")
  elseif #copy.host > MAX_HOST_BYTES then
    return refuse("the host must be a name or an IP address", "host")
  elseif not (port >= 1 and port <= MAX_PORT and port % 1 == 0) then
    return refuse("the port must be a whole number from 1 to 65535", "port")
  elseif copy.timeout and not (copy.timeout > 0) then -- luacheck: ignore 581
    return refuse("the timeout must be above zero", "timeout")
  end
  return copy
end

--- Copies a request, each field read once and raw.
-- @tparam table given
-- @tparam[opt] table headers of an earlier copy: this one has the same table when it has the same headers
-- @treturn table|nil a fresh table with a `port` and `headers`; failures have the code `invalid`
function request.read(given, headers)
  local copy = {
    method = rawget(given, "method"), scheme = rawget(given, "scheme"), host = rawget(given, "host"),
    port = rawget(given, "port"), target = rawget(given, "target"), headers = rawget(given, "headers"),
    body = rawget(given, "body"), timeout = rawget(given, "timeout"), once = rawget(given, "once"),
  }
  if not has_types(copy) then
    return refuse_types(copy)
  end
  copy.port = copy.port or url.DEFAULT_PORT[copy.scheme] or 0
  if headers and are_copied(copy.headers or {}, headers) then
    copy.headers = headers
    return check_values(copy)
  end
  local message, details
  copy.headers, message, details = copy_headers(copy.headers or {})
  if not copy.headers then
    return nil, message, details
  end
  return check_values(copy)
end

return request
