--- One subscriber's connection: upgrade, messages, close. The meaning of the messages is in conversation.lua.

local condition = require "cqueues.condition"
local cqueues = require "cqueues"
local errno = require "cqueues.errno"
local websocket = require "http.websocket"
local channels = require "tools.local_server.channels.channels"
local conversation = require "tools.local_server.channels.conversation"
local json = require "tools.local_server.channels.json"

local session = {}
local methods = {}
local metatable = { __index = methods }

-- A subscriber with more unread bytes than this is disconnected.
local MAX_WAITING = 64 * 1024 * 1024
-- How long to wait for a connection to close, in seconds.
local CLOSE_TIMEOUT = 3

local last_id = 0

local function new_socket_id()
  last_id = last_id + 1
  return ("%d.%d"):format(math.random(1000, 999999), 1000000 + last_id)
end

--- Queues a frame, already in bytes, for this subscriber.
function methods:send_bytes(bytes)
  if self.closing then
    return
  end
  self.socket:xwrite(bytes, "bf", 0)
  self.dirty:signal()
end

--- Sends a message, JSON text.
function methods:send(text)
  self:send_bytes(websocket.build_frame { FIN = true, opcode = 0x1, data = text })
end

--- Sends an error; the connection stays open.
function methods:send_error(code, message)
  self:send(channels.message("pusher:error", nil,
    ('{"code":%s,"message":%s}'):format(code or "null", json.encode(message))))
end

--- Sends an error and closes with its code.
function methods:fail(code, message)
  if self.closing then
    return
  end
  self:send_error(code, message)
  self.socket:xwrite(websocket.build_frame(websocket.build_close(code, message:sub(1, 120))), "bf", 0)
  self.websocket.readyState = 2 -- so that the client's close frame does not cause another
  self.closing = true
  self.dirty:signal()
  cqueues.running():wrap(function()
    cqueues.sleep(CLOSE_TIMEOUT)
    if self.websocket.readyState < 3 then
      self.socket:shutdown()
    end
  end)
end

local function write_out(self)
  while not self.ended do
    local socket = self.socket
    local _, waiting = socket:pending()
    if waiting == 0 then
      self.dirty:wait()
    elseif waiting > MAX_WAITING or not socket:flush("n", CLOSE_TIMEOUT) then
      socket:shutdown()
      return
    end
  end
end

-- Waits for the next message; pings a silent client.
local function next_message(self)
  local app = self.state.app
  local text, kind, code = self.websocket:receive(app.activity_timeout)
  if not text and code == errno.ETIMEDOUT and not self.closing then
    self:send(channels.message("pusher:ping", nil, '"{}"'))
    text, kind, code = self.websocket:receive(app.pong_timeout)
    if not text and code == errno.ETIMEDOUT then
      self:fail(4201, "Pong reply not received in time")
    end
  end
  return text, kind, code
end

local function listen(self)
  while true do
    local text, kind, code = next_message(self)
    if text and not self.closing then
      if kind == "text" then
        conversation.handle(self, text)
      end
    elseif not text and code ~= errno.ETIMEDOUT then
      return
    end
  end
end

local function limit_sign_in(self)
  local seconds = self.state.app.sign_in_timeout
  if seconds > 0 then
    cqueues.running():wrap(function()
      cqueues.sleep(seconds)
      if not self.user and not self.ended then
        self:fail(4009, "Connection not authorized within timeout")
      end
    end)
  end
end

local function run(self)
  local state = self.state
  state.sessions[self] = true
  state.session_count = state.session_count + 1
  cqueues.running():wrap(write_out, self)
  local refused = conversation.open(self)
  if refused then
    self:fail(refused.code, refused.message)
  else
    limit_sign_in(self)
  end
  listen(self)
end

local function clean_up(self)
  local state = self.state
  self.ended = true
  self.closing = true
  self.dirty:signal()
  for name in pairs(self.channels) do
    state.channels:unsubscribe(self, name)
  end
  state.users:sign_out(self)
  state.sessions[self] = nil
  state.session_count = state.session_count - 1
  state.record.changed:signal()
  self.websocket:close(1000, nil, 0)
end

--- Whether a request is a WebSocket upgrade.
function session.wanted(exchange)
  local upgrade = exchange:header "upgrade"
  return upgrade ~= nil and upgrade:lower() == "websocket"
end

--- Turns a request into a subscriber's connection and stays until it ends.
function session.serve(state, exchange)
  local ws, message = websocket.new_from_stream(exchange.stream, exchange.headers)
  if not ws then
    return exchange:respond { status = 400, body = message .. "\n" }
  end
  assert(ws:accept())
  local self = setmetatable({
    state = state,
    websocket = ws,
    socket = ws.socket,
    socket_id = new_socket_id(),
    path = exchange.path,
    query = exchange.query,
    channels = {},
    dirty = condition.new(),
  }, metatable)
  self.socket:setvbuf("full", math.huge)
  local ok, failure = pcall(run, self)
  clean_up(self)
  assert(ok, failure)
end

return session
