--- The options of a query in, its parameters out. Pure.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"
local validate = require "pusher.channels.validate"

local query = {}

local CHANNELS = { filter_by_prefix = true, info = true }
local CHANNEL = { info = true }

local function params(options, known)
  options = options or {}
  local prefix, info = options.filter_by_prefix, options.info
  local ok, message, details = arguments.members(options, known, "query option")
  if ok and prefix ~= nil and type(prefix) ~= "string" then
    return errors.fail("invalid", "filter_by_prefix must be a string, got " .. type(prefix),
      { field = "filter_by_prefix" })
  elseif ok and info ~= nil then
    info, message, details = validate.info(info)
    ok = info
  end
  return ok and { filter_by_prefix = prefix, info = info }, message, details
end

--- Parameters of GET /channels.
-- @tparam[opt] table options `{ filter_by_prefix =, info = }`
-- @treturn table|nil query parameters
function query.channels(options)
  return params(options, CHANNELS)
end

--- Parameters of GET /channels/NAME.
-- @tparam string name of the channel
-- @tparam[opt] table options `{ info = }`
-- @treturn table|nil query parameters
function query.channel(name, options)
  local ok, message, details = validate.channel(name)
  if not ok then
    return nil, message, details
  end
  return params(options, CHANNEL)
end

return query
