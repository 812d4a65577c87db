--- Runs inside nginx: one publisher for a whole worker, used by all phases, and the results of its events.

local cjson = require "cjson"
local pusher = require "pusher"

local publishing = {}

local results = {} -- by the event's tag, how often it was reported, and how

local function on_result(event, result, message)
  local reported = results[event.tag] or { times = 0 }
  reported.times = reported.times + 1
  reported.sent = result ~= nil
  reported.message = message
  results[event.tag] = reported
end

--- In init_by_lua: the client and the publisher; nothing is sent there.
function publishing.init(server, options)
  local client = assert(pusher.new {
    app_id = server.app_id, key = server.key, secret = server.secret, host = server.host, port = server.port,
    secure = false, timeout = 3,
  })
  options.on_result = on_result
  publishing.client = client
  publishing.publisher = assert(client:publisher(options))
end

--- In any phase: publishes to the channel that is named like it.
function publishing.phase(name)
  local ok, message = publishing.publisher:trigger(name, "event", "from " .. name, { tag = name })
  if not ok then
    results[name] = { times = 0, message = message }
  end
end

--- Content: publishes arg_count events on arg_channel, numbered from arg_from.
function publishing.publish()
  local from, refused = tonumber(ngx.var.arg_from), 0
  for number = from, from + tonumber(ngx.var.arg_count) - 1 do
    local ok = publishing.publisher:trigger(ngx.var.arg_channel, "event", tostring(number), { tag = tostring(number) })
    refused = refused + (ok and 0 or 1)
  end
  ngx.print(cjson.encode { refused = refused })
end

--- Content: waits until everything is settled.
function publishing.flush()
  local ok, message, details = publishing.publisher:flush(tonumber(ngx.var.arg_seconds or 10))
  ngx.print(cjson.encode { ok = ok, message = message, details = details })
end

--- Content: the counts and the results.
function publishing.report()
  ngx.print(cjson.encode { stats = publishing.publisher:stats(), results = results })
end

return publishing
