--- A subscriber as a program: connects by WebSocket, executes commands from its control FIFO, and returns the events
-- that it received.

local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/../../../?.lua;" .. package.path

local cjson = require "cjson"
local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local http_tls = require "http.tls"
local websocket = require "http.websocket"
local program = require "tools.local_server.http.program"
local secretbox = require "tools.local_server.subscriber.secretbox"

-- How long a reply of the server may take, in seconds.
local TIMEOUT = 30

local options
local events, arrived = {}, condition.new()
local shared_secrets = {}
local closed -- { code =, message = } when the connection has ended

local function open_connection()
  local uri = ("%s://%s:%d/app/%s?protocol=%s&client=lua&version=1"):format(options.ca_file and "wss" or "ws",
    options.host or "127.0.0.1", options.port, options.key or "app-key", options.protocol or 7)
  local ws = websocket.new_from_uri(uri)
  if options.ca_file then
    ws.request.ctx = http_tls.new_client_context()
    ws.request.ctx:getStore():add(options.ca_file)
  end
  assert(ws:connect(TIMEOUT))
  return ws
end

local function decode(text)
  local ok, value = pcall(cjson.decode, text)
  return ok and value or nil
end

local function store(text)
  local event = decode(text)
  event.raw = text
  local secret = event.channel and shared_secrets[event.channel]
  if secret and not event.event:find("^pusher") then
    event.sealed, event.data = event.data, secretbox.open(event.data, secret)
  end
  events[#events + 1] = event
  arrived:signal()
end

local function receive_all(ws)
  local text, kind = ws:receive()
  while text do
    store(text)
    text, kind = ws:receive()
  end
  closed = { code = ws.got_close_code or 1006, message = ws.got_close_message or tostring(kind) }
  arrived:signal()
end

local function matches(event, wanted)
  for name, value in pairs(wanted) do
    if event[name] ~= value then
      return false
    end
  end
  return true
end

-- Takes the first event that has all the wanted members; false after `timeout`.
local function next_event(wanted, timeout)
  local deadline = cqueues.monotime() + (timeout or TIMEOUT)
  while true do
    for index, event in ipairs(events) do
      if matches(event, wanted) then
        return table.remove(events, index)
      end
    end
    local left = deadline - cqueues.monotime()
    if left <= 0 or closed then
      return false
    end
    arrived:wait(left)
  end
end

local function first_of(names)
  local deadline = cqueues.monotime() + TIMEOUT
  repeat
    for _, wanted in ipairs(names) do
      local event = next_event(wanted, 0)
      if event then
        return event
      end
    end
    arrived:wait(deadline - cqueues.monotime())
  until cqueues.monotime() >= deadline or closed
  return { event = closed and "closed" or "timeout", data = closed }
end

local function commands(ws)
  local function say(event, channel, data)
    assert(ws:send(cjson.encode { event = event, channel = channel, data = data }))
  end
  return {
    -- Returns the server's reply: subscription_succeeded or an error.
    subscribe = function(arguments)
      shared_secrets[arguments.channel] = arguments.shared_secret
      arguments.shared_secret = nil
      say("pusher:subscribe", nil, arguments)
      return first_of {
        { event = "pusher_internal:subscription_succeeded", channel = arguments.channel },
        { event = "pusher:error" },
      }
    end,
    unsubscribe = function(arguments)
      say("pusher:unsubscribe", nil, arguments)
    end,
    sign_in = function(arguments)
      say("pusher:signin", nil, arguments)
      return first_of { { event = "pusher:signin_success" }, { event = "pusher:error" } }
    end,
    send = function(message)
      say(message.event, message.channel, message.data)
    end,
    send_text = function(arguments)
      assert(ws:send(arguments.text))
    end,
    -- The next event that has the members given; false when none came in `timeout` seconds.
    next_event = function(wanted)
      local timeout = wanted.timeout
      wanted.timeout = nil
      return next_event(wanted, timeout)
    end,
    -- How the connection ended, after waiting at most TIMEOUT; false when it is open.
    ended = function()
      local deadline = cqueues.monotime() + TIMEOUT
      while not closed and cqueues.monotime() < deadline do
        arrived:wait(deadline - cqueues.monotime())
      end
      return closed or false
    end,
    close = function()
      ws:close(1000, nil, 0)
    end,
  }
end

program.run(function(cq, given)
  options = given
  cq:wrap(function()
    local ws = open_connection()
    cq:wrap(receive_all, ws)
    local first = first_of { { event = "pusher:connection_established" }, { event = "pusher:error" } }
    local hello = type(first.data) == "string" and decode(first.data) or { refused = first.data }
    program.start(cq, commands(ws), hello)
  end)
end)
