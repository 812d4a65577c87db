--- Options declared as data: a caller's table in; one checked, complete table out. Pure.
--
-- A declaration lists the types a value may have, then by name what else holds for it: `default`; `min` and `max`
-- of a number, which is finite always; `integer`; `one_of`, a list of texts; `fields`, the declarations of a table.

local errors = require "pusher.base.errors"

local options = {}

local MAX_NUMBER = 2 ^ 31 - 1
local SHOWN_BYTES = 60

--- What every transport understands, wherever its options are given.
options.TRANSPORT = {
  timeout = { "number", default = 5, min = 0.001 }, -- seconds
  connect_timeout = { "number", min = 0.001 }, -- seconds
  keepalive = { "table", fields = {
    idle = { "number", default = 60, min = 0 }, -- seconds
    pool_size = { "number", default = 30, min = 0, max = 1000000, integer = true },
  } },
  proxy = { "string" },
  no_proxy = { "string" },
  ca_file = { "string" },
  tls_verify = { "boolean", default = true },
  max_response_bytes = { "number", default = 1024 * 1024, min = 1, integer = true },
  max_pending = { "number", default = 10000, min = 1, max = 1000000, integer = true },
  log = { "function" },
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

local function nearest(name, declared)
  local best, best_distance
  for candidate in pairs(declared) do
    local d = distance(name, candidate)
    if not best or d < best_distance or (d == best_distance and candidate < best) then
      best, best_distance = candidate, d
    end
  end
  return best
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then
      return true
    end
  end
  return false
end

local function range(rule)
  local kind = rule.integer and "a whole number" or "a number"
  if not rule.max then
    return ("%s, %g or more"):format(kind, rule.min)
  end
  return ("%s from %g to %.0f"):format(kind, rule.min, rule.max)
end

-- What is allowed, in words, when the value is not; nil when it is.
local function allowed(rule, value)
  local kind = type(value)
  if not contains(rule, kind) then
    return "a " .. table.concat(rule, " or a ")
  elseif kind == "number" and rule.min then
    -- The comparisons refuse NaN, too.
    local fits = value >= rule.min and value <= (rule.max or MAX_NUMBER) and not (rule.integer and value % 1 ~= 0)
    return not fits and range(rule) or nil
  elseif rule.one_of and not contains(rule.one_of, value) then
    return '"' .. table.concat(rule.one_of, '" or "') .. '"'
  end
end

local function shown(value)
  local kind = type(value)
  return (kind == "number" or kind == "boolean") and tostring(value) or kind
end

-- How the checker speaks; the handlers of push, whose options are JSON, have words of their own.
local DEFAULT = {
  name = function(name)
    return ("option %q"):format(name)
  end,
}

local function refuse(how, name, what)
  return errors.fail("config", ("%s must be %s"):format(how.name(name), what), { field = name })
end

local check

local function check_value(rule, name, value, how)
  local expected = allowed(rule, value)
  if expected then
    return refuse(how, name, expected .. ", got " .. shown(value))
  elseif rule.fields then
    return check(value, rule.fields, how, name .. ".")
  end
  return value
end

local function unknown(declared, prefix, name, how)
  local text = tostring(name):sub(1, SHOWN_BYTES)
  if how.unknown then
    how.unknown(prefix .. text)
    return true
  end
  return errors.fail("config", ("unknown option %q; did you mean %q?"):format(
    prefix .. text, prefix .. nearest(text, declared)), { field = prefix .. text })
end

local function set_defaults(checked, declared, how, prefix)
  for name, rule in pairs(declared) do
    if checked[name] == nil and rule.fields then
      checked[name] = check({}, rule.fields, how, prefix .. name .. ".")
    elseif checked[name] == nil then
      checked[name] = rule.default
    end
  end
  return checked
end

function check(given, declared, how, prefix)
  local checked = {}
  for name, value in pairs(given) do
    local rule = declared[name]
    local ok, message, details
    if not rule then
      ok, message, details = unknown(declared, prefix, name, how)
    elseif how.is_null and how.is_null(value) then
      ok = true
    else
      ok, message, details = check_value(rule, prefix .. name, value, how)
      checked[name] = ok
    end
    if message then
      return nil, message, details
    end
  end
  return set_defaults(checked, declared, how, prefix)
end

--- Checks options and fills in the defaults; the given table is not changed, and each value is read once.
-- @tparam table given
-- @tparam table declared names to declarations, see above
-- @tparam[opt] table how what differs from a Lua caller's options: `name` = function(name) that names an option in a
--   message; `unknown` = function(name) called for each unknown one, which is refused without it; `is_null` =
--   function(value): values that count as absent
-- @treturn table|nil a fresh, complete table; nil, message, details (code `config`) otherwise
function options.check(given, declared, how)
  return check(given, declared, how or DEFAULT, "")
end

--- Adds the options of transports to declarations of one's own.
-- @tparam table declared
-- @treturn table declared
function options.with_transport(declared)
  for name, rule in pairs(options.TRANSPORT) do
    declared[name] = declared[name] or rule
  end
  return declared
end

--- Checks and completes the options of a transport.
-- @tparam table given transport options only
-- @treturn table|nil a fresh, complete table
function options.transport(given)
  local checked, message, details = options.check(given, options.TRANSPORT)
  if not checked then
    return nil, message, details
  end
  checked.connect_timeout = math.min(checked.connect_timeout or checked.timeout, checked.timeout)
  return checked
end

return options
