--- Options declared as data: a caller's table in; one checked, complete table out. Pure.
--
-- A declaration lists the types that a value may have. Named fields say more: `default`; `min` (0) and `max` (2^31 - 1)
-- of a number; `integer`; `one_of`, the allowed strings; `fields`, the declarations of a table's own members, and
-- `strict`, which refuses others always; `make`, a function that gets the value, or nil, and returns what stands in its
-- place, or nil, message, details.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local core = require "pusher.core"
local errors = require "pusher.base.errors"
local url = require "pusher.base.url"

local options = {}

local MAX_NUMBER = 2 ^ 31 - 1

--- What every transport understands, wherever its options are given.
options.TRANSPORT = {
  timeout = { "number", default = 5, min = 0.001 }, -- seconds
  connect_timeout = { "number", min = 0.001 }, -- seconds
  keepalive = { "table", strict = true, fields = {
    idle = { "number", default = 60 }, -- seconds
    pool_size = { "number", default = 30, max = 1000000, integer = true }, -- connections
  } },
  proxy = { "string" },
  no_proxy = { "string" },
  ca_file = { "string" },
  tls_verify = { "boolean", default = true },
  max_response_bytes = { "number", default = 1024 * 1024, min = 1, integer = true },
  max_pending = { "number", default = 10000, min = 1, max = 1000000, integer = true }, -- calls
  log = { "function" },
}

--- The declaration of an option that holds rules of pusher.base.retry.
-- @tparam number attempts the default
function options.retry(attempts)
  return { "table", fields = {
    attempts = { "number", default = attempts, min = 1, integer = true }, -- including the first one
    base = { "number", default = 0.1, min = 0 }, -- seconds
    max = { "number", default = 10, min = 0 }, -- seconds
  } }
end

-- Edit distance.
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

-- The option that a misspelt name may stand for: at most half of its letters differ. Nil when there is none.
local function similar(name, declared)
  local best, best_distance
  for candidate in pairs(declared) do
    local d = distance(name, candidate)
    local is_better = not best or d < best_distance or (d == best_distance and ascii.less(candidate, best))
    if d <= #candidate / 2 and is_better then
      best, best_distance = candidate, d
    end
  end
  return best
end

local function contains(list, value)
  for _, member in ipairs(list) do
    if member == value then
      return true
    end
  end
  return false
end

-- What a value must be, and what it is, as a message shows them; nil when it fits.
-- A value of the wrong type is not shown: it may be a secret.
local function mismatch(rule, value)
  local kind = type(value)
  if not contains(rule, kind) then
    return "a " .. table.concat(rule, " or a "), kind
  elseif kind == "number" then
    local min, max = rule.min or 0, rule.max or MAX_NUMBER
    -- NaN fails both comparisons.
    if not (value >= min and value <= max) or (rule.integer and value % 1 ~= 0) then
      local range = max == math.huge and "of %.14g or more" or "from %.14g to %.14g"
      return ("a %s " .. range):format(rule.integer and "whole number" or "number", min, max), tostring(value)
    end
  elseif kind == "string" and rule.one_of and not contains(rule.one_of, value) then
    return '"' .. table.concat(rule.one_of, '" or "') .. '"', arguments.show(value)
  elseif kind == "table" and rule.fields and rawget(value, 1) ~= nil then
    return "a table with named fields", "a list"
  end
end

local check

local function check_value(rule, name, value, how)
  local expected, got = mismatch(rule, value)
  if expected then
    return errors.fail("config", ("%s must be %s, got %s"):format(
      how.name and how.name(name) or ('option "%s"'):format(name), expected, got), { field = name })
  elseif rule.fields then
    return check(value, rule.fields, rule.strict and { name = how.name, is_null = how.is_null } or how, name .. ".")
  end
  return value
end

local function unknown(declared, prefix, name, how)
  local text = arguments.name(name)
  if how.unknown then
    return how.unknown(prefix .. text)
  end
  local meant = similar(text, declared)
  return errors.fail("config", ("unknown option %s%s"):format(arguments.show(prefix .. text),
    meant and ('; did you mean "%s"?'):format(prefix .. meant) or ""), { field = prefix .. text })
end

local function complete(checked, declared, how, prefix)
  for name, rule in pairs(declared) do
    if rule.make then
      local made, message, details = rule.make(checked[name])
      if message then
        return nil, message, details
      end
      checked[name] = made
    elseif checked[name] == nil then
      checked[name] = rule.fields and check({}, rule.fields, how, prefix .. name .. ".") or rule.default
    end
  end
  return checked
end

function check(given, declared, how, prefix)
  local checked = {}
  for name, value in next, given do
    local rule = declared[name]
    local _, message, details
    if not rule then
      _, message, details = unknown(declared, prefix, name, how)
    elseif not (how.is_null and how.is_null(value)) then
      checked[name], message, details = check_value(rule, prefix .. name, value, how)
    end
    if message then
      return nil, message, details
    end
  end
  return complete(checked, declared, how, prefix)
end

--- Checks options and fills in the defaults. The given table is not changed, its metatable does not count, and each
-- value is read once.
-- @tparam table given
-- @tparam table declared names to declarations, see above
-- @tparam[opt] table how what differs from the options of a Lua caller: `name` = function(name) -> how a message calls
--   the option; `unknown` = function(name), called for each unknown option instead of refusing it; `is_null` =
--   function(value) -> whether the value counts as absent
-- @treturn table|nil a fresh, complete table; failures have the code `config`
function options.check(given, declared, how)
  return check(given, declared, how or {}, "")
end

--- Adds the options of transports to a part's own declarations.
-- @tparam table declared
-- @treturn table declared
function options.with_transport(declared)
  for name, rule in pairs(options.TRANSPORT) do
    declared[name] = declared[name] or rule
  end
  return declared
end

--- Checks the options of a transport and fills in the defaults. `connect_timeout` is at most `timeout`.
-- @tparam[opt] table given
-- @treturn table|nil a fresh, complete table; failures have the code `config`
function options.transport(given)
  local checked, message, details = options.check(given or {}, options.TRANSPORT)
  if not checked then
    return nil, message, details
  end
  if (checked.proxy or "") ~= "" and not url.split_proxy(checked.proxy) then
    return errors.fail("config", 'option "proxy" must look like "http://user:password@host:port"', { field = "proxy" })
  end
  -- libcurl may wait for a pipe or a device without an end. What does not exist may do so later.
  if checked.ca_file and core.is_file(checked.ca_file) == false then
    return errors.fail("config", 'option "ca_file" must name a file, not a directory, a pipe or a device, got '
      .. arguments.show(checked.ca_file), { field = "ca_file" })
  end
  checked.connect_timeout = math.min(checked.connect_timeout or checked.timeout, checked.timeout)
  return checked
end

return options
