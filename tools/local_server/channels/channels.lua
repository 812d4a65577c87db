--- Channels: who subscribes, who is a member, what a cache channel keeps. Of a session only `socket_id`, `send_bytes`
-- and `send` are used.

local build_frame = require("http.websocket").build_frame
local cqueues = require "cqueues"
local json = require "tools.local_server.channels.json"
local rules = require "tools.local_server.channels.app"

local channels = {}
local methods = {}
local metatable = { __index = methods }

local quote = json.encode

--- Makes the set of channels of an app.
-- @tparam table app
-- @tparam table webhooks its `add` gets the events
function channels.new(app, webhooks)
  return setmetatable({ app = app, webhooks = webhooks, occupied = {}, caches = {} }, metatable)
end

--- The text of a message to a subscriber; `data` is JSON text already.
function channels.message(event, channel, data, user_id)
  return '{"event":' .. quote(event)
    .. (channel and ',"channel":' .. quote(channel) or "")
    .. (user_id and ',"user_id":' .. quote(user_id) or "")
    .. ',"data":' .. data .. "}"
end

--- Sends a message to all subscribers of a channel.
-- @tparam string name
-- @tparam string text the message
-- @tparam[opt] string except the socket id that does not get it
function methods:broadcast(name, text, except)
  local channel = self.occupied[name]
  if not channel then
    return
  end
  local bytes = build_frame { FIN = true, opcode = 0x1, data = text }
  for session in pairs(channel.subscribers) do
    if session.socket_id ~= except then
      session:send_bytes(bytes)
    end
  end
end

--- Publishes an event that the HTTP API accepted; cache channels keep it.
-- @tparam string data the text that subscribers get as `data`
function methods:publish(name, event, data, except)
  local kind = rules.channel_kind(name)
  if kind.cache then
    self.caches[name] = { event = event, data = data, expires = cqueues.monotime() + self.app.cache_ttl }
  end
  if self.occupied[name] then
    self:broadcast(name, channels.message(event, name, quote(data)), except)
  end
end

--- The event that a cache channel keeps, and its remaining seconds; nil for none.
function methods:cached(name)
  local kept = self.caches[name]
  local left = kept and kept.expires - cqueues.monotime()
  if left and left > 0 then
    return kept, left
  end
  self.caches[name] = nil
end

local function announce_count(self, channel)
  if not self.app.announce_counts or channel.kind.presence or channel.kind.user then
    return
  end
  local data = quote(('{"subscription_count":%d}'):format(channel.count))
  self:broadcast(channel.name, channels.message("pusher_internal:subscription_count", channel.name, data))
  self.webhooks:add { name = "subscription_count", channel = channel.name, subscription_count = channel.count }
end

local function join(self, channel, session, member)
  local present = channel.members[member.id]
  if present then
    present.sessions = present.sessions + 1
    return
  end
  local data = ('{"user_id":%s%s}'):format(
    quote(member.id), member.info and ',"user_info":' .. member.info or "")
  local text = channels.message("pusher_internal:member_added", channel.name, quote(data))
  self:broadcast(channel.name, text, session.socket_id)
  channel.members[member.id] = { sessions = 1, info = member.info or "null" }
  channel.member_count = channel.member_count + 1
  self.webhooks:add { name = "member_added", channel = channel.name, user_id = member.id }
end

local function leave(self, channel, member)
  local present = channel.members[member.id]
  present.sessions = present.sessions - 1
  if present.sessions > 0 then
    return
  end
  channel.members[member.id] = nil
  channel.member_count = channel.member_count - 1
  local data = quote(('{"user_id":%s}'):format(quote(member.id)))
  self:broadcast(channel.name, channels.message("pusher_internal:member_removed", channel.name, data))
  self.webhooks:add { name = "member_removed", channel = channel.name, user_id = member.id }
end

-- The data of subscription_succeeded: the roster on presence channels.
local function roster(channel)
  if not channel.kind.presence then
    return "{}"
  end
  local ids, hash = {}, {}
  for id, member in pairs(channel.members) do
    ids[#ids + 1] = quote(id)
    hash[id] = member.info
  end
  table.sort(ids)
  return ('{"presence":{"count":%d,"ids":%s,"hash":%s}}'):format(#ids, json.array(ids), json.object(hash))
end

local function replay(self, channel, session)
  if not channel.kind.cache then
    return
  end
  local kept = self:cached(channel.name)
  if kept then
    session:send(channels.message(kept.event, channel.name, quote(kept.data)))
  else
    session:send(channels.message("pusher:cache_miss", channel.name, quote "{}"))
    self.webhooks:add { name = "cache_miss", channel = channel.name }
  end
end

--- Adds a subscriber; it has been authorized before.
-- @tparam table session
-- @tparam string name
-- @tparam table kind from `app.channel_kind`
-- @tparam[opt] table member `{ id =, info = JSON text }`, on presence channels
function methods:subscribe(session, name, kind, member)
  local channel = self.occupied[name]
  if not channel then
    channel = { name = name, kind = kind, subscribers = {}, count = 0, members = {}, member_count = 0 }
    self.occupied[name] = channel
    if not kind.user then
      self.webhooks:add { name = "channel_occupied", channel = name }
    end
  end
  channel.subscribers[session] = member or true
  channel.count = channel.count + 1
  if member then
    join(self, channel, session, member)
  end
  local text = channels.message("pusher_internal:subscription_succeeded", name, quote(roster(channel)))
  session:send(text)
  announce_count(self, channel)
  replay(self, channel, session)
end

--- Removes a subscriber; does nothing when it is not subscribed.
function methods:unsubscribe(session, name)
  local channel = self.occupied[name]
  local member = channel and channel.subscribers[session]
  if not member then
    return
  end
  channel.subscribers[session] = nil
  channel.count = channel.count - 1
  if member ~= true then
    leave(self, channel, member)
  end
  announce_count(self, channel)
  if channel.count == 0 then
    self.occupied[name] = nil
    if not channel.kind.user then
      self.webhooks:add { name = "channel_vacated", channel = name }
    end
  end
end

--- The subscriber's membership: a member, true, or nil when it is not subscribed.
function methods:membership(session, name)
  local channel = self.occupied[name]
  return channel and channel.subscribers[session]
end

return channels
