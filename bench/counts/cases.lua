--- What is counted: calls that need no network, each over a transport that has its response at once.
-- A case is { name, how many calls, function }.

local ours = require "bench.ours_client"
local sample = require "bench.sample"
local transport = require "bench.null_transport"

local inputs = ours.inputs("bench/inputs.json")

local function clock()
  return 1700000000
end

local function nothing()
end

local client = ours.client(inputs, 80, { transport = transport, clock = clock, max_payload_kb = 64, log = nothing })
local publisher = assert(client:publisher { now = clock, linger = 3600 })
local idle_publisher = assert(client:publisher { now = clock })

local webhook_1 = sample.webhook(inputs, 1)
local webhook_10 = sample.webhook(inputs, 10)
local table_9k, string_9k, string_1k = sample.table_of(9216), sample.string_of(9216), sample.string_of(1024)
local encrypted = "private-encrypted-foobar"
local batch, encrypted_batch = {}, {}
for index = 1, 10 do
  batch[index] = { channel = inputs.channel, name = inputs.event, data = inputs.data }
  encrypted_batch[index] = { channel = encrypted, name = inputs.event, data = inputs.data }
end

-- All of the library's Lua is loaded again, and a client made.
local function start()
  for name in pairs(package.loaded) do
    if name == "pusher" or name:find("^pusher%.") and name ~= "pusher.core" and name ~= "pusher.curl" then
      package.loaded[name] = nil
    end
  end
  return require("pusher").new { app_id = "3", key = "k", secret = "s", host = "127.0.0.1", transport = transport }
end

local function trigger(channel, data)
  return function()
    return client:trigger(channel, inputs.event, data)
  end
end

local function read_form(body, content_type)
  return function()
    return client:read_form(body, content_type)
  end
end

local function webhook(hook)
  return function()
    return client:webhook(hook.headers, hook.body)
  end
end

local function publisher_trigger()
  return publisher:trigger(inputs.channel, inputs.event, inputs.data)
end

return {
  { "start", 5, start },
  { "authorize_private", 500, function() return client:authorize_channel(inputs.private_form) end },
  { "authorize_presence", 500, function() return client:authorize_channel(inputs.presence_form, inputs.member) end },
  { "authorize_encrypted", 500, function() return client:authorize_channel(inputs.encrypted_form) end },
  { "authenticate_user", 500, function() return client:authenticate_user(inputs.private_form, { id = "10" }) end },
  { "webhook_1", 500, webhook(webhook_1) },
  { "webhook_10", 100, webhook(webhook_10) },
  { "trigger", 500, trigger(inputs.channel, inputs.data) },
  { "trigger_table_9k", 50, trigger(inputs.channel, table_9k) },
  { "trigger_string_9k", 100, trigger(inputs.channel, string_9k) },
  { "trigger_encrypted_1k", 200, trigger(encrypted, string_1k) },
  { "trigger_encrypted_9k", 100, trigger(encrypted, string_9k) },
  { "trigger_batch", 100, function() return client:trigger_batch(batch) end },
  { "trigger_batch_encrypted", 100, function() return client:trigger_batch(encrypted_batch) end },
  { "build_request", 500, function() return client:build_request("POST", "/events", nil, "{}") end },
  { "build_request_params", 200, function()
    return client:build_request("GET", "/channels", { info = "user_count", filter_by_prefix = "presence-" })
  end },
  { "parse_response", 500, function() return client:parse_response(200, '{"channels":{"a":{"user_count":1}}}') end },
  { "read_form", 500, read_form(inputs.private_form) },
  { "read_form_json", 500, read_form('{"socket_id":"1234.1234","channel_name":"private-foobar"}', "application/json") },
  { "publisher_trigger", 10, publisher_trigger }, -- no more than a batch has: it is not sent yet
  { "publisher_batch", 50, function() -- ten events, accepted, sent and settled
    for _ = 1, 10 do
      assert(publisher_trigger())
    end
    return publisher:step()
  end },
  { "publisher_waiting_step", 500, function() return publisher:step() end }, -- for more events
  { "publisher_idle_step", 1000, function() return idle_publisher:step() end },
}
