--- What needs no network: authorizations and webhooks, valid and forged. Each result is compared.

local core = require "pusher.core"

local local_work = {}

local BODY = '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"lobby"},'
  .. '{"name":"member_added","channel":"presence-lobby","user_id":"7"}]}'

local function refused(code, result, message, details)
  assert(result == nil and details.code == code, message)
end

local function authorize(client)
  local form = "socket_id=1234.5678&channel_name="
  return {
    assert(client:authorize_channel(form .. "private-orders")),
    assert(client:authorize_channel(form .. "presence-lobby", { user_id = "7", user_info = { name = "Ada" } })),
    assert(client:authorize_channel(form .. "private-encrypted-notes")),
    assert(client:authenticate_user("socket_id=1234.5678", { id = "7" })),
  }
end

local function try_forms(client, number)
  refused("invalid", client:authorize_channel("socket_id=1.1%0A&channel_name=private-" .. number))
  refused("invalid", client:authorize_channel("socket_id=1.1&socket_id=1.2&channel_name=private-" .. number))
  refused("invalid", client:authorize_channel("socket_id=1.1&channel_name=" .. ("a%25"):rep(number % 100)))
  refused("invalid", client:authenticate_user(("%"):rep(number % 100), { id = "7" }))
end

local function try_webhooks(client, server, mac, number)
  local signature = mac:hex(BODY)
  local function headers(key, text)
    return { ["X-Pusher-Key"] = key, ["x-pusher-signature"] = text }
  end
  local hook = assert(client:webhook(headers(server.key, signature), BODY))
  assert(#hook.events == 2 and hook.events[2].user_id == "7")
  refused("unauthorized", client:webhook(headers(server.key, signature), BODY .. number))
  refused("unauthorized", client:webhook(headers(server.key, signature:sub(1, number % 64)), BODY))
  refused("unauthorized", client:webhook(headers(server.key .. number, signature), BODY))
  refused("unauthorized", client:webhook({}, BODY))
  local garbage = BODY:sub(1, 1 + number % (#BODY - 1)) -- never all of it, nor nothing
  refused("invalid", client:webhook(headers(server.key, mac:hex(garbage)), garbage))
end

--- Makes a function that does each once.
-- @tparam table client
-- @tparam table server
function local_work.new(client, server)
  local mac = assert(core.mac(server.secret))
  local expected = authorize(client)
  local number = 0
  return function()
    number = number + 1
    for index, text in ipairs(authorize(client)) do
      assert(text == expected[index], "an authorization differs from the first one")
    end
    try_forms(client, number)
    try_webhooks(client, server, mac, number)
  end
end

return local_work
