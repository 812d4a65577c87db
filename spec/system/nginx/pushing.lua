--- Runs inside nginx: one push registry with an FCM handler for a whole worker, used by all phases, and the
-- outcomes of its devices.

local beams = require "pusher.beams"
local cjson = require "cjson"
local fcm = require "pusher.push.fcm"
local push = require "pusher.push"
local uid = require "pusher.push.tinode.uid"

local pushing = {}

local outcomes, by_device, codes, removed, logged = {}, {}, {}, 0, {}

-- A device per user, looked up in a store that takes its time, as a database does.
local function devices(uids)
  ngx.sleep(0.001)
  local found = {}
  for _, id in ipairs(uids) do
    found[id] = { { device_id = "device-of-" .. id, platform = "android" } }
  end
  return found
end

local function remove()
  ngx.sleep(0.001)
  removed = removed + 1
  return true
end

local function on_result(_, device, outcome, _, details)
  local name = device and device.device_id or "receipt"
  codes[name] = details and details.code
  by_device[name] = (by_device[name] or "") .. outcome .. " "
  outcomes[outcome] = (outcomes[outcome] or 0) + 1
end

--- In init_by_lua: the registry and its handler; nothing is sent there.
function pushing.init(config)
  local registry = assert(push.new())
  registry:register("fcm", assert(fcm.new {
    devices = devices, remove = remove, on_result = on_result,
    log = function(level, message)
      logged[#logged + 1] = level .. " " .. message
    end,
  }))
  assert(registry:init { { name = "fcm", config = cjson.decode(config) } })
  pushing.registry = registry
end

local function receipt(number)
  return {
    to = { [uid.from_decimal(tostring(number))] = { unread = 1 } },
    payload = { what = "msg", topic = "grp", content = "hello " .. number, seq = number },
  }
end

local refused = {}

--- In any phase: pushes to the user of that number.
function pushing.phase(name, number)
  local accepted, message = pushing.registry:push(receipt(number))
  refused[name] = not accepted and message or nil
end

--- Content: pushes arg_count receipts, numbered from arg_from.
function pushing.push()
  local from, dropped = tonumber(ngx.var.arg_from), 0
  for number = from, from + tonumber(ngx.var.arg_count) - 1 do
    dropped = dropped + (pushing.registry:push(receipt(number)) and 0 or 1)
  end
  ngx.print(cjson.encode { dropped = dropped })
end

--- Content: waits until everything is settled.
function pushing.flush()
  local done, message, details = pushing.registry:flush(tonumber(ngx.var.arg_seconds or 20))
  ngx.print(cjson.encode { done = done, message = message, details = details })
end

--- Content: ends the registry.
function pushing.stop()
  local done = pushing.registry:stop(tonumber(ngx.var.arg_seconds or 5))
  ngx.print(cjson.encode { done = done })
end

--- Content: one call of each kind to Beams at arg_port.
function pushing.beams()
  local client = assert(beams.new {
    instance_id = "i-123", secret_key = ngx.var.arg_key or "k-456", base_url = "http://127.0.0.1:" .. ngx.var.arg_port,
  })
  local publish = { fcm = { notification = { title = "Hello" } } }
  local out = {}
  for name, call in pairs {
    interests = function() return client:publish_to_interests({ "hello" }, publish) end,
    users = function() return client:publish_to_users({ "user-1" }, publish) end,
    delete = function() return client:delete_user("u/1") end,
    token = function() return client:generate_token("user-1") end,
  } do
    local result, message, details = call()
    out[name] = { result = result, message = message, code = details and details.code }
  end
  client:close()
  ngx.print(cjson.encode(out))
end

--- Content: all outcomes.
function pushing.report()
  ngx.print(cjson.encode {
    outcomes = outcomes, by_device = by_device, codes = codes, removed = removed, refused = refused, logged = #logged,
    stats = pushing.registry:stats().fcm,
  })
end

return pushing
