--- What sends events in a soak: clients over curl and async, and publishers, which live as long as the soak, and others
-- that are opened and closed in each round.

local async = require "pusher.transport.async"
local core = require "pusher.core"
local events = require "spec.system.soak.events"
local pusher = require "pusher"
local time_scale = require "spec.helpers.time_scale"

local senders = {}
local methods = {}
local metatable = { __index = methods }

local TIMEOUT = 0.3 * time_scale -- seconds of a call, which is what one that hangs takes
local DRAIN = 60 * time_scale -- seconds in which all calls or events must end
local LISTENERS = { "http", "tls", "h2" }
local RETRY = { attempts = 6, base = 0.005, max = 0.1 }
local AT_MOST_ONCE = { attempts = 1 }

-- How many of each a round sends, over each listener or publisher.
local BLOCKING, IN_FLIGHT, PUBLISHED, SHORT_LIVED = 15, 120, 300, 3

local function ignore()
end

local function new_client(server, port, transport, timeout)
  return assert(pusher.new {
    app_id = server.app_id, key = server.key, secret = server.secret, host = "127.0.0.1", port = port,
    secure = port ~= server.port, ca_file = type(transport) == "string" and server.ca_file or nil,
    timeout = timeout or TIMEOUT, keepalive = { idle = 60, pool_size = 4 }, transport = transport, log = ignore,
    encryption_master_key_base64 = server.master_key_base64,
  })
end

local function new_transport(server)
  return assert(async.new { ca_file = server.ca_file, keepalive = { idle = 60, pool_size = 4 }, log = ignore })
end

local function new_publisher(self, client, retry)
  local publisher = assert(client:publisher {
    retry = retry, on_result = function(event, ...) self.events:finish(event.tag, ...) end,
  })
  return { publisher = publisher, once = retry == AT_MOST_ONCE }
end

--- Opens the senders that stay.
-- @tparam table server the local Channels server
-- @tparam table outcomes what notes the events (events.lua)
function senders.open(server, outcomes)
  local self = setmetatable({ server = server, events = outcomes, curl = {}, async = {}, transports = {}, publishers = {},
    ports = { http = server.port, tls = server.tls_port, h2 = server.h2_port } }, metatable)
  for _, listener in ipairs(LISTENERS) do
    local port, transport = self.ports[listener], new_transport(server)
    self.transports[#self.transports + 1] = transport
    self.curl[listener] = new_client(server, port, "curl")
    self.async[listener] = new_client(server, port, transport)
    for _, retry in ipairs { RETRY, AT_MOST_ONCE } do
      self.publishers[#self.publishers + 1] = new_publisher(self, self.async[listener], retry)
    end
  end
  self.publishers[#self.publishers + 1] = new_publisher(self, self.curl.http, RETRY)
  self.threads = #self.transports
  return self
end

local function data_of(number)
  return ("x"):rep(number % 200)
end

-- A call that sends one event.
local function send_one(self, client, number)
  local channel = number % 10 == 0 and "private-encrypted-notes" or "lobby"
  local id = self.events:add { channel = channel, single = true }
  return id, client:trigger(channel, id, data_of(number))
end

local function drain(transport)
  local deadline = core.now() + DRAIN
  while assert(transport:step(0.1)) > 0 do
    assert(core.now() < deadline, "calls are still in flight")
  end
end

-- One call after another.
function methods:send_blocking()
  for _, listener in ipairs(LISTENERS) do
    for number = 1, BLOCKING do
      self.events:finish(send_one(self, self.curl[listener], number))
    end
  end
end

local function note(self, name, pending)
  pending:on_done(function(...)
    self.events:finish(name, ...)
  end)
  return pending
end

-- Many at once, of which some are cancelled.
function methods:send_in_flight()
  for number = 1, IN_FLIGHT do
    for _, listener in ipairs(LISTENERS) do
      local pending = note(self, send_one(self, self.async[listener], number))
      if number % 20 == 0 then
        pending:cancel()
      end
    end
  end
  for _, transport in ipairs(self.transports) do
    drain(transport)
  end
end

local function publish_one(self, to, index, number)
  local replace = number % 7 == 0
  local channel = ("channel-%d-%d"):format(index, replace and 0 or number % 20 + 1)
  local id = self.events:add { channel = channel, once = to.once, replace = replace, ordered = not replace }
  if replace then -- an event of the same name: its id is the data
    assert(to.publisher:trigger(channel, events.REPLACED, id, { replace = "newest", tag = id }))
  else
    assert(to.publisher:trigger(channel, id, data_of(number), { tag = id }))
  end
end

function methods:publish()
  for number = 1, PUBLISHED do
    for index, to in ipairs(self.publishers) do
      publish_one(self, to, index, number)
      if number % 30 == 0 then
        to.publisher:step()
      end
    end
  end
  for _, to in ipairs(self.publishers) do
    assert(to.publisher:flush(DRAIN))
  end
end

-- A client with a publisher and a call, all of which end early: closed, or left to the collector.
local function send_shortly(self, listener, transport, closes)
  local client = new_client(self.server, self.ports[listener], transport)
  local to = new_publisher(self, client, RETRY)
  for number = 1, 5 do
    publish_one(self, to, 0, number)
  end
  if transport == "async" then
    note(self, send_one(self, client, 1))
    to.publisher:step()
    to.publisher:close(0)
  else
    self.events:finish(send_one(self, client, 1))
    to.publisher:close(TIMEOUT)
  end
  if closes or transport == "async" then
    client:close() -- ends the call in flight
  end
end

function methods:open_and_close()
  for _, listener in ipairs(LISTENERS) do
    for number = 1, SHORT_LIVED do
      send_shortly(self, listener, "async", true)
      send_shortly(self, listener, "curl", number > 1)
    end
  end
end

-- Ports where no request ever arrives, and the codes of their failures. A call that need not time out has time.
local UNREACHABLE = {
  refusing_port = "network", silent_port = "timeout", black_hole_port = "timeout",
  wrong_name_port = "tls", expired_port = "tls", untrusted_port = "tls",
}

local function open_unreachable(self, port, transport)
  return new_client(self.server, self.server[port], transport, UNREACHABLE[port] ~= "timeout" and DRAIN or nil)
end

local function end_unreachable(self, port, id, result, message, details)
  assert(result == nil and details.code == UNREACHABLE[port], ("%s: %s"):format(port, message))
  self.events:finish(id, result, message, details)
end

function methods:call_unreachable()
  local started = {}
  for port in pairs(UNREACHABLE) do
    local client = open_unreachable(self, port, "async")
    local id, pending = send_one(self, client, 1)
    started[port] = { client = client, id = id, pending = pending }
  end
  for port in pairs(UNREACHABLE) do
    local client = open_unreachable(self, port, "curl")
    end_unreachable(self, port, send_one(self, client, 1))
    client:close()
  end
  for port, call in pairs(started) do
    end_unreachable(self, port, call.id, call.pending:wait(DRAIN))
    call.client:close()
  end
end

function methods:close()
  for _, to in ipairs(self.publishers) do
    assert(to.publisher:close(DRAIN))
  end
  for _, listener in ipairs(LISTENERS) do
    self.curl[listener]:close()
    self.async[listener]:close()
  end
  for _, transport in ipairs(self.transports) do
    transport:close()
  end
end

return senders
