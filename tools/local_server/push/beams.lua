--- Beams' publish and customer API, as seen by clients.

local json = require "tools.local_server.channels.json"

local beams = {}

local MAX = { interests = 100, users = 1000 }
local MAX_BODY = { interests = 10 * 1024, users = 200 * 1024 }
local MAX_BYTES = 164

local function refuse(status, error, description)
  return {
    status = status,
    type = "application/json",
    body = json.encode { error = error, description = description } .. "\n",
  }
end

local function check_access(state, exchange, instance)
  if instance ~= state.options.instance_id then
    return refuse(404, "Instance not found", "Could not find the instance")
  elseif exchange:header("authorization") ~= "Bearer " .. state.options.secret_key then
    return refuse(401, "Unauthorized", "Incorrect Secret Key")
  end
end

local function check_audience(name, list)
  if type(list) ~= "table" or #list == 0 then
    return ("`%s`: %s is required"):format(name, name)
  elseif #list > MAX[name] then
    return ("`%s`: too many"):format(name)
  end
  for _, member in ipairs(list) do
    if type(member) ~= "string" or member == "" or #member > MAX_BYTES
      or (name == "interests" and not member:find("^[%w_%-=@,.;]+$")) then
      return ("`%s`: %s is not valid"):format(name, tostring(member))
    end
  end
end

--- Publishes to interests or to users.
function beams.publish(state, exchange, instance, name)
  local body = exchange:read_body() or ""
  local refused = check_access(state, exchange, instance)
  if refused then
    return refused
  elseif not MAX[name] then
    return { status = 404, body = "404 page not found\n" }
  elseif exchange:header("content-type") ~= "application/json" or #body > MAX_BODY[name] then
    return refuse(400, "Bad Request", "wrong content type or too large")
  end
  local request = json.decode_object(body)
  local message = not request and "not JSON" or check_audience(name, request[name])
  if not message and not request.apns and not request.fcm and not request.web then
    message = "at least one of apns, fcm, web is required"
  end
  if message then
    return refuse(422, "Bad Request", message)
  end
  state.publishes[#state.publishes + 1] = request
  -- The live service calls its JSON text and ends it with a newline.
  return { status = 200, body = ('{"publishId":"pubid-%d"}\n'):format(#state.publishes) }
end

--- Deletes a user.
function beams.delete(state, exchange, instance, escaped)
  exchange:read_body()
  local refused = check_access(state, exchange, instance)
  if refused then
    return refused
  end
  local user = escaped:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  if user == "" then
    return { status = 404, body = "404 page not found\n" }
  elseif #user > MAX_BYTES then
    return refuse(400, "Bad request", "'User id' is too long, max length is 164")
  end
  state.deleted[#state.deleted + 1] = user
  return { status = 200, body = "" }
end

return beams
