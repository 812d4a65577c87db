--- A player of Luanti without a screen: joins over the real protocol, chats, moves, hears chat, leaves.
--
-- Just enough of the protocol (versions 37 to 41, spoken by 5.0 to 5.9) to join as a new player with an empty
-- password, which needs no SRP exchange. What the server sends is acknowledged; of it only
-- the steps of joining and chat are read. doc/protocol.txt and src/network/ of Luanti have the rest.

local uv = require "luv"

local player = {}
local methods = {}
local metatable = { __index = methods }

local PROTOCOL_ID = "\79\69\116\3" -- 0x4f457403
local CONTROL, ORIGINAL, SPLIT, RELIABLE = 0, 1, 2, 3
local ACK, SET_PEER_ID, DISCONNECT = 0, 1, 3
local FIRST_SEQUENCE = 65500
local RESEND_MS, TICK_MS = 300, 20

local TO_SERVER = { init = 0x02, init2 = 0x11, playerpos = 0x23, chat = 0x32, client_ready = 0x43, first_srp = 0x50 }
local TO_CLIENT = { hello = 0x02, auth_accept = 0x03, access_denied = 0x0A, chat = 0x2F, nodedef = 0x3A }

local function u8(n)
  return string.char(n % 256)
end

local function u16(n)
  return string.char(math.floor(n / 256) % 256, n % 256)
end

local function u32(n)
  return u16(math.floor(n / 65536) % 65536) .. u16(n % 65536)
end

local function text16(text)
  return u16(#text) .. text
end

local function wide(text)
  return u16(#text) .. text:gsub(".", "\0%0")
end

local function read16(bytes, at)
  local high, low = bytes:byte(at, at + 1)
  return high * 256 + low
end

-- ---- packets ----

local function send(self, channel, inner)
  self.socket:send(PROTOCOL_ID .. u16(self.peer_id) .. u8(channel) .. inner, "127.0.0.1", self.port)
end

local function send_reliably(self, channel, inner)
  local sequence = self.sequences[channel]
  self.sequences[channel] = (sequence + 1) % 65536
  local packet = u8(RELIABLE) .. u16(sequence) .. inner
  self.unacknowledged[channel .. ":" .. sequence] = { channel = channel, packet = packet, sent = uv.now() }
  send(self, channel, packet)
end

local function command(self, channel, number, body, unreliable)
  local inner = u8(ORIGINAL) .. u16(number) .. body
  if unreliable then
    send(self, channel, inner)
  else
    send_reliably(self, channel, inner)
  end
end

local function resend(self)
  for _, entry in pairs(self.unacknowledged) do
    if uv.now() - entry.sent > RESEND_MS then
      entry.sent = uv.now()
      send(self, entry.channel, entry.packet)
    end
  end
end

-- ---- messages of the server ----

local steps = {}

steps[TO_CLIENT.hello] = function(self)
  if self.state == "connecting" then
    self.state = "registering"
    command(self, 1, TO_SERVER.first_srp, text16(("s"):rep(16)) .. text16(("v"):rep(256)) .. u8(1))
  end
end

steps[TO_CLIENT.auth_accept] = function(self)
  self.state = "loading"
  command(self, 1, TO_SERVER.init2, text16(""))
end

-- The definitions are there: say that the game may begin.
steps[TO_CLIENT.nodedef] = function(self)
  self.state = "joined"
  command(self, 1, TO_SERVER.client_ready, u8(5) .. u8(6) .. u8(1) .. u8(0) .. text16("test") .. u16(4))
end

steps[TO_CLIENT.access_denied] = function(self, body)
  self.state = "denied with reason " .. (body:byte(1) or "none")
end

-- version, type, sender, message, timestamp; the texts have 16 bits a character
steps[TO_CLIENT.chat] = function(self, body)
  local sender = read16(body, 3)
  local at = 5 + sender * 2
  local length = read16(body, at)
  self.heard = self.heard .. body:sub(at + 2, at + 1 + length * 2):gsub("%z(.)", "%1") .. "\n"
end

local function on_command(self, payload)
  local step = #payload >= 2 and steps[read16(payload, 1)]
  if step then
    step(self, payload:sub(3))
  end
end

-- Large messages come in chunks.
local function on_chunk(self, channel, bytes)
  local key, count, number = channel .. ":" .. read16(bytes, 1), read16(bytes, 3), read16(bytes, 5)
  local chunks = self.chunks[key] or { missing = count }
  self.chunks[key] = chunks
  if not chunks[number] then
    chunks[number] = bytes:sub(7)
    chunks.missing = chunks.missing - 1
  end
  if chunks.missing == 0 then
    self.chunks[key] = nil
    on_command(self, table.concat(chunks, "", 0, count - 1))
  end
end

local on_packet

local function on_reliable(self, channel, bytes)
  local sequence = read16(bytes, 1)
  send(self, channel, u8(CONTROL) .. u8(ACK) .. u16(sequence))
  local early = self.early[channel]
  early[sequence] = bytes:sub(3)
  -- In order, each once; a repeated one is only acknowledged.
  while early[self.expected[channel]] do
    local expected = self.expected[channel]
    self.expected[channel] = (expected + 1) % 65536
    on_packet(self, channel, early[expected])
    early[expected] = nil
  end
end

local function on_control(self, channel, bytes)
  local kind = bytes:byte(1)
  if kind == ACK then
    self.unacknowledged[channel .. ":" .. read16(bytes, 2)] = nil
  elseif kind == SET_PEER_ID then
    self.peer_id = read16(bytes, 2)
  elseif kind == DISCONNECT then
    self.state = "disconnected"
  end
end

function on_packet(self, channel, bytes)
  local kind, rest = bytes:byte(1), bytes:sub(2)
  if kind == CONTROL then
    on_control(self, channel, rest)
  elseif kind == ORIGINAL then
    on_command(self, rest)
  elseif kind == SPLIT then
    on_chunk(self, channel, rest)
  elseif kind == RELIABLE then
    on_reliable(self, channel, rest)
  end
end

local function on_datagram(self, bytes)
  if bytes:sub(1, 4) == PROTOCOL_ID and #bytes > 7 then
    on_packet(self, bytes:byte(7), bytes:sub(8))
  end
end

-- ---- the player ----

-- What is closing when Lua ends would crash libuv's binding.
local function close(...)
  for _, handle in ipairs { ... } do
    handle:close()
  end
  uv.run("nowait")
end

local function send_position(self)
  local at = self.position
  local position = u32(at.x * 1000) .. u32(at.y * 1000) .. u32(at.z * 1000)
  command(self, 0, TO_SERVER.playerpos, position .. ("\0"):rep(12 + 4 + 4 + 4) .. u8(80) .. u8(1), true)
end

local function on_tick(self)
  resend(self)
  if self.state == "joined" and self.position then
    send_position(self)
  elseif self.state == "connecting" and self.peer_id ~= 0 and uv.now() - self.asked > RESEND_MS then
    self.asked = uv.now()
    command(self, 1, TO_SERVER.init, u8(29) .. u16(0) .. u16(37) .. u16(41) .. text16(self.name), true)
  end
end

--- Joins, and waits until the server has let the player in.
-- @tparam number port
-- @tparam string name one that the server does not know yet
-- @treturn table player with `heard` (chat) and `state`, and the methods below
function player.join(port, name)
  local self = setmetatable({
    port = port, name = name, peer_id = 0, state = "connecting", asked = 0, heard = "", chunks = {},
    sequences = { [0] = FIRST_SEQUENCE, FIRST_SEQUENCE, FIRST_SEQUENCE },
    expected = { [0] = FIRST_SEQUENCE, FIRST_SEQUENCE, FIRST_SEQUENCE },
    early = { [0] = {}, {}, {} }, unacknowledged = {},
    socket = uv.new_udp(), timer = uv.new_timer(),
  }, metatable)
  assert(self.socket:bind("127.0.0.1", 0))
  self.socket:recv_start(function(_, bytes)
    if bytes then
      on_datagram(self, bytes)
    end
  end)
  self.timer:start(0, TICK_MS, function()
    on_tick(self)
  end)
  send_reliably(self, 0, u8(ORIGINAL))
  self:wait(function()
    return self.state == "joined" or self.state:find("^d")
  end, 15)
  if self.state ~= "joined" then
    self:leave()
    error("the player is " .. self.state)
  end
  return self
end

--- Waits until `condition()` holds.
-- @treturn boolean whether it does
function methods:wait(condition, seconds) -- luacheck: no self
  local alarm, deadline = uv.new_timer(), uv.now() + seconds * 1000
  alarm:start(TICK_MS, TICK_MS, function() end)
  while uv.now() < deadline and not condition() do
    uv.run("once")
  end
  close(alarm)
  return condition() and true or false
end

function methods:chat(text)
  command(self, 0, TO_SERVER.chat, wide(text))
end

--- Moves; coordinates in nodes. Clients send their position all the time.
function methods:move(x, y, z)
  self.position = { x = x, y = y, z = z }
end

--- Leaves. May be called again.
function methods:leave()
  if self.timer:is_closing() then
    return
  end
  send(self, 0, u8(CONTROL) .. u8(DISCONNECT))
  uv.run("nowait")
  close(self.timer, self.socket)
end

return player
