--- GET channels, channel and users: the state of the app, read only.

local json = require "tools.local_server.channels.json"
local rules = require "tools.local_server.channels.app"

local queries = {}

local function refuse(text, ...)
  return { status = 400, body = text:format(...) .. "\n" }
end

local function ok(body)
  return { status = 200, body = body, type = "application/json" }
end

--- Splits an `info` list.
-- @param text "user_count,subscription_count", or nil
-- @tparam table known the attributes that may be requested
-- @return a set of names, or nil when nothing was requested
-- @return the first name that is not known
function queries.parse_info(text, known)
  if text == nil or text == "" then
    return nil
  elseif type(text) ~= "string" then
    return nil, "(not a string)"
  end
  local wanted = {}
  for name in (text .. ","):gmatch("([^,]*),") do
    if not known[name] then
      return nil, name
    end
    wanted[name] = true
  end
  return wanted
end

--- The attributes of a channel as JSON text; those that do not apply are left out.
-- @tparam table state
-- @tparam string name
-- @tparam table wanted a set from `parse_info`
function queries.attributes(state, name, wanted)
  local channel = state.channels.occupied[name]
  local members = {}
  if wanted.user_count and rules.channel_kind(name).presence then
    members.user_count = ("%d"):format(channel and channel.member_count or 0)
  end
  if wanted.subscription_count and state.app.subscription_count then
    members.subscription_count = ("%d"):format(channel and channel.count or 0)
  end
  return json.object(members)
end

--- GET /apps/ID/channels.
function queries.channels(state, _, parameters)
  local wanted, unknown = queries.parse_info(parameters.info, { user_count = true, subscription_count = true })
  local prefix = parameters.filter_by_prefix or ""
  if unknown then
    return refuse("Unknown info attribute: %s", unknown)
  elseif wanted and wanted.user_count and prefix:sub(1, 9) ~= "presence-" then
    return refuse("user_count may only be requested for presence channels - "
      .. "please supply filter_by_prefix beginning with presence-")
  end
  local found = {}
  for name, channel in pairs(state.channels.occupied) do
    if name:sub(1, #prefix) == prefix and not channel.kind.user then
      found[name] = wanted and queries.attributes(state, name, wanted) or "{}"
    end
  end
  return ok('{"channels":' .. json.object(found) .. "}")
end

local CHANNEL_INFO = { user_count = true, subscription_count = true, cache = true }

local function check_channel_info(state, kind, wanted)
  if wanted.user_count and not kind.presence then
    return refuse("Cannot retrieve the user count unless the channel is a presence channel")
  elseif wanted.subscription_count and not state.app.subscription_count then
    return refuse("Subscription counting is not enabled for this app")
  elseif wanted.cache and not kind.cache then
    return refuse("Cannot retrieve the cache unless the channel is a cache channel")
  end
end

--- GET /apps/ID/channels/NAME.
function queries.channel(state, _, parameters, name)
  local kind = rules.channel_kind(name)
  local wanted, unknown = queries.parse_info(parameters.info, CHANNEL_INFO)
  if not kind or unknown then
    return refuse(unknown and "Unknown info attribute: %s" or "Invalid channel name: %s", unknown or name)
  end
  wanted = wanted or {}
  local refused = check_channel_info(state, kind, wanted)
  if refused then
    return refused
  end
  local members = queries.attributes(state, name, wanted)
  local out = ('{"occupied":%s'):format(tostring(state.channels.occupied[name] ~= nil))
  if wanted.cache then
    local kept, left = state.channels:cached(name)
    local text = kept and ('{"data":%s,"ttl":%d}'):format(json.encode(kept.data), math.ceil(left))
    out = out .. ',"cache":' .. (text or "null")
  end
  return ok(out .. (members == "{}" and "}" or "," .. members:sub(2)))
end

--- GET /apps/ID/channels/NAME/users.
function queries.users(state, _, _, name)
  local kind = rules.channel_kind(name)
  if not kind or not kind.presence then
    return refuse("Users can only be retrieved for presence channels")
  end
  local channel = state.channels.occupied[name]
  local ids = {}
  for id in pairs(channel and channel.members or {}) do
    ids[#ids + 1] = '{"id":' .. json.encode(id) .. "}"
  end
  table.sort(ids)
  return ok('{"users":' .. json.array(ids) .. "}")
end

return queries
