--- The bodies of the responses that nobody has set: what a server sends on which every call succeeds, and to which
-- nobody is connected. Pure.

local view = require "pusher.transport.recorder.view"

local defaults = {}

-- No subscribers, for each count that `info` asks for; "cache" has no value.
local function counts(info)
  local attributes = {}
  for _, name in ipairs(view.info(info)) do
    if name ~= "cache" then
      attributes[name] = 0
    end
  end
  return attributes
end

-- Of a body that somebody may have written by hand.
local function member(object, name)
  local value = type(object) == "table" and object[name]
  return type(value) == "table" and value or nil
end

local function event(seen)
  local channels, body = {}, seen.json
  if type(body) == "table" and body.info then
    for _, name in ipairs(member(body, "channels") or {}) do
      channels[name] = counts(body.info)
    end
  end
  return next(channels) and { channels = channels } or {}
end

local function batch(seen)
  local list, asked = {}, false
  for index, item in ipairs(member(seen.json, "batch") or {}) do
    local info = type(item) == "table" and item.info
    list[index], asked = counts(info), asked or info
  end
  return asked and { batch = list } or {}
end

local function channel(seen)
  local attributes = counts(seen.query.info)
  attributes.occupied = false
  return attributes
end

local BY_PATH = { -- of an app
  ["/events"] = event,
  ["/batch_events"] = batch,
  ["/channels"] = function() return { channels = {} } end,
  ["/notifications"] = function() return { number_of_subscribers = 0 } end,
}

local function of_app(seen, path)
  if BY_PATH[path] then
    return BY_PATH[path](seen)
  elseif path:sub(1, 10) == "/channels/" then
    return path:sub(-6) == "/users" and '{"users":[]}' or channel(seen)
  end
  return {}
end

-- Of Beams and FCM: the part after the last slash.
local BY_END = {
  interests = { publishId = "pubid-1" },
  users = { publishId = "pubid-1" },
  token = { access_token = "access-token", expires_in = 3600, token_type = "Bearer" },
  ["messages:send"] = { name = "projects/project/messages/1" },
}

--- The body of the response to a request.
-- @tparam table seen as view.of returns
-- @tparam table json as json.new returns
-- @treturn string JSON text
function defaults.body(seen, json)
  local path = view.of_app(seen.path)
  local body = path and of_app(seen, path) or BY_END[seen.path:match("^.*/(.*)$")] or {}
  return type(body) == "string" and body or json.encode(body)
end

return defaults
