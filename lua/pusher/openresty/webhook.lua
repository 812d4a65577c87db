--- A webhook in, the application's functions called; status, JSON text, and a message for the log, if any, out.
--
-- A status of 500 makes the sender try again later, so no event is lost when a function raises; the others then come a
-- second time.

local callback = require "pusher.base.callback"
local reply = require "pusher.openresty.reply"

local webhook = {}

-- The metatable of the application's table counts, so a look-up may raise, too.
local function handle(handlers, event, hook)
  local f = handlers[event.name]
  if f == nil then
    f = handlers.default
  end
  if f ~= nil then
    f(event, hook)
  end
end

--- Verifies a webhook and calls a function for each of its events.
-- @tparam client client
-- @tparam table handlers event name -> function(event, hook); `default` is called for all other events
-- @tparam table|function headers as client:webhook takes them
-- @tparam string body raw bytes
-- @tparam[opt] table options as client:webhook takes them
-- @return status, JSON text, and a message for the log or nil
function webhook.receive(client, handlers, headers, body, options)
  local hook, message, details = client:webhook(headers, body, options)
  if not hook then
    local status = details.code == "unauthorized" and 401 or details.code == "invalid" and 400 or 500
    return status, reply.refusal(status), message
  end
  local first_raised
  for _, event in ipairs(hook.events) do
    local ok, raised = pcall(handle, handlers, event, hook)
    if not ok then
      first_raised = first_raised or "the application raised: " .. callback.text(raised)
    end
  end
  if first_raised then
    return 500, reply.refusal(500), first_raised
  end
  return 200, '{"ok":true}'
end

return webhook
