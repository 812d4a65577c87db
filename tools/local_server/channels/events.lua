--- POST events and batch_events: checks them as pusher.com does, then publishes.

local json = require "tools.local_server.channels.json"
local queries = require "tools.local_server.channels.queries"
local rules = require "tools.local_server.channels.app"

local events = {}

local MAX_NAME = 200

local function refuse(status, text, ...)
  return { status = status, body = text:format(...) .. "\n" }
end

local function ok(body)
  return { status = 200, body = body, type = "application/json" }
end

local function check_name(name)
  if type(name) ~= "string" or name == "" then
    return refuse(400, "Missing parameter: name")
  elseif #name > MAX_NAME then
    return refuse(400, "Event name too long: %d characters, at most %d", #name, MAX_NAME)
  end
end

local function check_data(app, data)
  if type(data) ~= "string" then
    return refuse(400, "Missing parameter: data (a string)")
  elseif #data > app.max_payload_bytes then
    return refuse(413, "The data content of this event exceeds the allowed maximum (%d bytes).",
      app.max_payload_bytes)
  end
end

local function check_event(app, event)
  local refused = check_name(event.name) or check_data(app, event.data)
  if refused then
    return refused
  elseif event.socket_id ~= nil and not rules.is_socket_id(event.socket_id) then
    return refuse(400, "Invalid socket id")
  end
  local info, unknown = queries.parse_info(event.info, { user_count = true, subscription_count = true })
  if unknown then
    return refuse(400, "Unknown info attribute: %s", unknown)
  end
  event.info = info
end

local function check_channels(app, list)
  if type(list) ~= "table" or #list == 0 then
    return refuse(400, "Missing parameter: channels")
  elseif #list > app.max_channels then
    return refuse(400, "Cannot trigger to more than %d channels", app.max_channels)
  end
  for _, name in ipairs(list) do
    if not rules.channel_kind(name) then
      return refuse(400, "Invalid channel name: %s", tostring(name))
    end
  end
end

local function publish(state, exchange, name, event)
  state.record:add_event(name, event.name, event.data, event.socket_id, exchange.number)
  state.channels:publish(name, event.name, event.data, event.socket_id)
end

--- POST /apps/ID/events.
function events.trigger(state, exchange)
  local event = json.decode_object(exchange.body)
  if not event then
    return refuse(400, "Invalid JSON in the body")
  end
  local list = event.channels
  if list == nil and event.channel ~= nil then
    list = { event.channel }
  end
  local refused = check_event(state.app, event) or check_channels(state.app, list)
  if refused then
    return refused
  end
  local counts = {}
  for _, name in ipairs(list) do
    if event.info then
      counts[name] = queries.attributes(state, name, event.info)
    end
    publish(state, exchange, name, event)
  end
  state.record.changed:signal()
  return ok(event.info and '{"channels":' .. json.object(counts) .. "}" or "{}")
end

local function check_batch(app, batch)
  if type(batch) ~= "table" or #batch == 0 then
    return refuse(400, "Missing parameter: batch")
  elseif #batch > app.max_batch then
    return refuse(400, "Batch too large (%d events, at most %d)", #batch, app.max_batch)
  end
  for _, event in ipairs(batch) do
    if type(event) ~= "table" then
      return refuse(400, "An event of a batch is an object")
    end
    local refused = check_event(app, event) or check_channels(app, { event.channel })
    if refused then
      return refused
    end
  end
end

--- POST /apps/ID/batch_events.
function events.batch(state, exchange)
  local body = json.decode_object(exchange.body)
  if not body then
    return refuse(400, "Invalid JSON in the body")
  end
  local refused = check_batch(state.app, body.batch)
  if refused then
    return refused
  end
  state.record.batch_count = state.record.batch_count + 1
  local counts, wanted = {}, false
  for index, event in ipairs(body.batch) do
    counts[index] = event.info and queries.attributes(state, event.channel, event.info) or "{}"
    wanted = wanted or event.info ~= nil
    publish(state, exchange, event.channel, event)
  end
  state.record.changed:signal()
  return ok(wanted and '{"batch":' .. json.array(counts) .. "}" or "{}")
end

return events
