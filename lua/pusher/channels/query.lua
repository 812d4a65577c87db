--- The options of a question in, query parameters out. Pure.

local errors = require "pusher.base.errors"
local arguments = require "pusher.base.arguments"
local validate = require "pusher.channels.validate"

local query = {}

local CHANNELS = { filter_by_prefix = true, info = true }
local CHANNEL = { info = true }

local function params(options, known)
  options = options or {}
  local ok, message, details = arguments.members(options, known, "query option")
  if not ok then
    return nil, message, details
  end
  local prefix, info = options.filter_by_prefix, options.info
  if prefix ~= nil and type(prefix) ~= "string" then
    return errors.fail("invalid", "filter_by_prefix must be a string", { field = "filter_by_prefix" })
  end
  if info ~= nil then
    info, message, details = validate.info(info)
    if not info then
      return nil, message, details
    end
  end
  return { filter_by_prefix = prefix, info = info }
end

--- Parameters of GET /channels.
-- @tparam[opt] table options `{ filter_by_prefix =, info = }`
-- @treturn table|nil
function query.channels(options)
  return params(options, CHANNELS)
end

--- Parameters of GET /channels/NAME.
-- @tparam[opt] table options `{ info = }`
-- @treturn table|nil
function query.channel(options)
  return params(options, CHANNEL)
end

return query
