--- The options of a query in, its parameters out. Pure.

local arguments = require "pusher.base.arguments"
local errors = require "pusher.base.errors"
local validate = require "pusher.channels.validate"

local query = {}

local CHANNELS = { filter_by_prefix = true, info = true }
local CHANNEL = { info = true }

local function params(options, known)
  local read, message, details = arguments.read(options or {}, known, "query option")
  if read and read.filter_by_prefix ~= nil and type(read.filter_by_prefix) ~= "string" then
    return errors.fail("invalid", "filter_by_prefix must be a string, got " .. type(read.filter_by_prefix),
      { field = "filter_by_prefix" })
  elseif read and read.info ~= nil then
    read.info, message, details = validate.info(read.info)
  end
  return not message and read or nil, message, details
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
  if ok then
    ok, message, details = validate.path_part(name, "channel name", "channel")
  end
  if not ok then
    return nil, message, details
  end
  return params(options, CHANNEL)
end

return query
