--- The server side of the chat: who may subscribe, messages, joins and leaves. Run it with:
--
--     make openresty-demo        (or with an app of your own: README.md)
--
-- A visitor gives a name and gets a cookie, without a password: this shows where a site's own sign-in is used, not how
-- to write one.

local cjson = require "cjson"
local pusher = require "pusher"

local chat = {}

-- Chat rooms and their channels. Only members may write, everybody may read the lobby.
local CHANNELS = { lobby = "lobby", den = "private-encrypted-den" }
local PEOPLE = "presence-people"
local ENTRANCE = { [PEOPLE] = true, [CHANNELS.den] = true }

local DAY = 86400
local NAME = [[^[^\p{C}\s](?:[^\p{C}]{0,22}[^\p{C}\s])?$]] -- 1 to 24 characters, no space at either end
local TEXT = [[^(?!\s*$)[^\p{Cc}\p{Cn}]{1,500}$]]

chat.client = assert(pusher.from_env("PUSHER_URL", {
  encryption_master_key_base64 = os.getenv "PUSHER_MASTER_KEY",
}))

-- ---- visitors ----

-- The id and name of the visitor who sent the current request, or nothing.
local function visitor()
  local id = ngx.var.cookie_visitor
  local name = id and ngx.shared.people:get(id)
  if name then
    return id, name
  end
end

local function respond(status, value)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.print(cjson.encode(value))
end

-- The members of a JSON object in the request. Browsers send JSON to another site only with its permission (CORS), so
-- no third-party page can post for a visitor.
local function read_json()
  ngx.req.read_body()
  local kind = ngx.var.content_type or ""
  local ok, value = pcall(cjson.decode, ngx.req.get_body_data() or "")
  return ok and kind:find("^application/json") and type(value) == "table" and value or {}
end

-- Text that fits the pattern; invalid UTF-8 fits none.
local function is_text(value, pattern)
  return type(value) == "string" and ngx.re.find(value, pattern, "jou") ~= nil
end

--- POST {"name":"Ada"}: makes the visitor known.
function chat.join()
  local name = read_json().name
  if not is_text(name, NAME) then
    return respond(400, { error = "a name has 1 to 24 characters" })
  end
  local id = ngx.var.request_id -- 16 random bytes in hex
  ngx.shared.people:set(id, name, DAY)
  ngx.header["Set-Cookie"] = "visitor=" .. id .. "; Path=/; Max-Age=" .. DAY .. "; HttpOnly; SameSite=Lax"
  respond(200, { id = id, name = name })
end

--- POST {"room":"lobby","text":"Hello"}: says something in a room.
function chat.say()
  local id, name = visitor()
  local given = read_json()
  local channel = CHANNELS[given.room]
  if not id then
    return respond(403, { error = "who are you?" })
  elseif not channel or not is_text(given.text, TEXT) then
    return respond(400, { error = "a message has a room and 1 to 500 characters" })
  end
  -- On the den's channel the library encrypts; nobody between this server and the browsers can read it.
  local sent, message = chat.client:trigger(channel, "message", {
    id = id, name = name, text = given.text, time = ngx.now() * 1000,
  })
  if not sent then
    ngx.log(ngx.ERR, "the message was not sent: ", message)
    return respond(502, { error = "the message was not sent" })
  end
  respond(200, {})
end

-- ---- callbacks for pusher.openresty ----

--- Whether this visitor may subscribe to this channel.
function chat.authorize(_, channel)
  local id, name = visitor()
  if not id then
    return nil, "a visitor without a name"
  elseif not ENTRANCE[channel] then
    return nil, "no such channel"
  end
  return { user_id = id, user_info = { name = name } }
end

local function announce(event, what)
  local name = event.channel == PEOPLE and ngx.shared.people:get(event.user_id)
  if name then
    assert(chat.client:trigger(CHANNELS.lobby, "notice", { name = name, what = what, time = ngx.now() * 1000 }))
  end
end

--- Webhook events: somebody joined or left.
chat.events = {
  member_added = function(event)
    announce(event, "came in")
  end,
  member_removed = function(event)
    announce(event, "left")
  end,
}

-- ---- the page ----

--- A script with the settings of the page. The secret is not among them.
function chat.config()
  local scheme, key, place = assert(os.getenv "PUSHER_URL"):match("^(https?)://([^:]+):[^@]+@([^/]+)")
  local host, port = assert(place):match("^(.-):?(%d*)$")
  local id, name = visitor()
  ngx.header["Content-Type"] = "application/javascript"
  ngx.header["Cache-Control"] = "no-store"
  ngx.print("window.chat = ", cjson.encode {
    key = key,
    cluster = os.getenv "PUSHER_CLUSTER", -- pusher.com; else browsers connect to the server of PUSHER_URL, too
    host = host,
    port = tonumber(port) or (scheme == "https" and 443 or 80),
    secure = scheme == "https",
    channels = { lobby = CHANNELS.lobby, den = CHANNELS.den, people = PEOPLE },
    visitor = id and { id = id, name = name } or nil,
  }, ";\n")
end

return chat
