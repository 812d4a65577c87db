--- Configurations, as JSON text or decoded: the registry's list of handlers, and the object of one handler. Pure.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"
local json_codec = require "pusher.base.json"
local options = require "pusher.base.options"

local config = {}

local is_null = json_codec.is_null

local function in_message(text)
  return "failed to parse config: " .. text
end

--- The failure of a configuration.
-- @tparam string text what must be, and what was given
-- @tparam[opt] string field the member
function config.fail(text, field)
  return errors.fail("config", in_message(text), { field = field })
end

--- Checks the configuration of one handler and fills in the defaults. JSON null counts as absent.
-- @tparam table given
-- @tparam table declared see pusher.base.options
-- @tparam[opt] function unknown function(name), called for each member that is not declared
-- @treturn table|nil a fresh, complete table
function config.check(given, declared, unknown)
  if type(given) == "userdata" then
    given = {}
  elseif type(given) ~= "table" or rawget(given, 1) ~= nil then
    local kind = type(given) == "table" and "a list" or type(given)
    return config.fail("the configuration must be an object, got " .. kind, "the configuration")
  end
  return options.check(given, declared,
    { name = in_message, unknown = unknown or function() end, is_null = is_null })
end

--- Reads the registry's list of handlers.
-- @tparam string|table given a list of `{ name =, config = }`, decoded or as JSON; JSON null is an empty list
-- @tparam table json as json.new returns
-- @treturn table|nil the list, some of whose entries or names may be JSON null
function config.entries(given, json)
  local list, message, is_object = given, nil, false
  if type(given) == "string" then
    list, message = json.decode(given)
    is_object = given:find("^[ \t\r\n]*{") -- an empty object decodes to the same as an empty list
  end
  if message then
    return config.fail(message)
  elseif is_null(list) then
    return {}
  end
  local copy = type(list) == "table" and not is_object and arguments.list(list)
  if not copy then
    return config.fail("the configuration must be a list, got "
      .. (type(list) == "table" and "an object" or type(list)))
  end
  for index, entry in ipairs(copy) do
    local name = type(entry) == "table" and rawget(entry, "name") or nil
    if type(entry) ~= "table" and not is_null(entry) then
      return config.fail("an entry must be { name =, config = }, got " .. type(entry))
    elseif type(name) ~= "string" and not is_null(name) then
      return config.fail("name must be a string, got " .. type(name))
    end
    copy[index] = type(entry) == "table" and { name = name, config = rawget(entry, "config") } or entry
  end
  return copy
end

return config
