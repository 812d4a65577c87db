--- POST events and batch_events: checks them as pusher.com does, then publishes.

local cqueues = require "cqueues"
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

local function check_event(state, event)
  local app = state.app
  local refused = check_name(event.name) or check_data(app, event.data)
  if refused then
    return refused
  elseif event.socket_id ~= nil and not rules.is_socket_id(event.socket_id) then
    return refuse(400, "Invalid socket id")
  end
  local fault = state.keys:fault(event)
  if fault then
    return refuse(400, fault)
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

-- While an event with the same key is being published nobody knows whether that will work.
local function refuse_running()
  return { status = 503, body = "A request with the same idempotency_key is in progress\n",
    headers = { { "retry-after", "1" } } }
end

local function is_running(state, items)
  for _, item in ipairs(items) do
    local entry = state.keys:find(item.event)
    if entry and entry.running then
      return true
    end
  end
  return false
end

-- The entry of each item, and the items of those that are new.
local function find_new(state, items)
  local entries, new = {}, {}
  for index, item in ipairs(items) do
    local entry = state.keys:find(item.event)
    if entry then
      state.record.repetition_count = state.record.repetition_count + 1
    else
      entry = state.keys:begin(item.event)
      new[entry] = item
    end
    entries[index] = entry
  end
  return entries, new
end

local function publish(state, exchange, item, entry)
  local event = item.event
  for _, name in ipairs(item.channels) do
    if event.info then
      entry.counts[name] = queries.attributes(state, name, event.info)
    end
    state.record:add_event(name, event.name, event.data, event.socket_id, exchange.number)
    state.channels:publish(name, event.name, event.data, event.socket_id)
  end
  entry.running = false
end

-- Publishes the events that are new; each is { event =, channels = }. Returns the entry of each, or nil and a refusal.
local function publish_new(state, exchange, items)
  if is_running(state, items) then
    return nil, refuse_running()
  end
  local entries, new = find_new(state, items)
  if state.app.publish_seconds > 0 then
    cqueues.sleep(state.app.publish_seconds)
  end
  for _, entry in ipairs(entries) do
    if new[entry] then
      publish(state, exchange, new[entry], entry)
      new[entry] = nil -- its key may come twice in a batch
    end
  end
  state.record.changed:signal()
  return entries
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
  local refused = check_event(state, event) or check_channels(state.app, list)
  if refused then
    return refused
  end
  local entries, running = publish_new(state, exchange, { { event = event, channels = list } })
  if not entries then
    return running
  end
  return ok(event.info and '{"channels":' .. json.object(entries[1].counts) .. "}" or "{}")
end

local function check_batch(state, batch)
  local app = state.app
  if type(batch) ~= "table" or #batch == 0 then
    return refuse(400, "Missing parameter: batch")
  elseif #batch > app.max_batch then
    return refuse(400, "Batch too large (%d events, at most %d)", #batch, app.max_batch)
  end
  for _, event in ipairs(batch) do
    if type(event) ~= "table" then
      return refuse(400, "An event of a batch is an object")
    end
    local refused = check_event(state, event) or check_channels(app, { event.channel })
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
  local refused = check_batch(state, body.batch)
  if refused then
    return refused
  end
  state.record.batch_count = state.record.batch_count + 1
  local items, counts, wanted = {}, {}, false
  for index, event in ipairs(body.batch) do
    items[index] = { event = event, channels = { event.channel } }
  end
  local entries, running = publish_new(state, exchange, items)
  if not entries then
    return running
  end
  for index, event in ipairs(body.batch) do
    counts[index] = entries[index].counts[event.channel] or "{}"
    wanted = wanted or event.info ~= nil
  end
  return ok(wanted and '{"batch":' .. json.array(counts) .. "}" or "{}")
end

return events
