--- Users who have signed in: their connections, and who watches whom.

local json = require "tools.local_server.channels.json"

local users = {}
local methods = {}
local metatable = { __index = methods }

--- Makes an empty set.
function users.new()
  return setmetatable({ online = {}, watchers = {} }, metatable)
end

local function watchlist_message(name, ids)
  local quoted = {}
  for index, id in ipairs(ids) do
    quoted[index] = json.encode(id)
  end
  return ('{"event":"pusher_internal:watchlist_events","data":%s}'):format(json.encode(
    ('{"events":[{"name":"%s","user_ids":%s}]}'):format(name, json.array(quoted))))
end

local function notify_watchers(self, id, name)
  for session in pairs(self.watchers[id] or {}) do
    session:send(watchlist_message(name, { id }))
  end
end

local function watch(self, session, ids)
  local now = { online = {}, offline = {} }
  for _, id in ipairs(ids) do
    self.watchers[id] = self.watchers[id] or {}
    self.watchers[id][session] = true
    local list = now[self.online[id] and "online" or "offline"]
    list[#list + 1] = id
  end
  for _, name in ipairs { "online", "offline" } do
    if #now[name] > 0 then
      session:send(watchlist_message(name, now[name]))
    end
  end
end

--- Signs a session in.
-- @tparam table session gets `user = { id =, watchlist = {…} }`
function methods:sign_in(session, user)
  session.user = user
  local sessions = self.online[user.id]
  if not sessions then
    sessions = {}
    self.online[user.id] = sessions
    notify_watchers(self, user.id, "online")
  end
  sessions[session] = true
  watch(self, session, user.watchlist)
end

--- Removes a session that ended.
function methods:sign_out(session)
  local user = session.user
  if not user then
    return
  end
  session.user = nil
  for _, id in ipairs(user.watchlist) do
    local watchers = self.watchers[id]
    watchers[session] = nil
    if not next(watchers) then
      self.watchers[id] = nil
    end
  end
  local sessions = self.online[user.id]
  sessions[session] = nil
  if not next(sessions) then
    self.online[user.id] = nil
    notify_watchers(self, user.id, "offline")
  end
end

local function end_all(self, id, code, message)
  for session in pairs(self.online[id] or {}) do
    session:fail(code, message)
  end
end

--- Ends every connection of a user.
function methods:terminate(id)
  end_all(self, id, 4009, "You got disconnected by the app.")
end

--- Has every connection of a user connect again.
function methods:reconnect(id)
  end_all(self, id, 4200, "Please reconnect.")
end

return users
