--- A webhook in, the application's functions called; status and JSON text out. Pure.
--
-- An answer of 500 makes the sender try again later, so what a function raises is
-- not lost; events that went well then come a second time.

local answer = require "pusher.openresty.reply"

local hooks = {}

local DONE = '{"ok":true}'

local function call(handlers, event, hook)
  local handler = handlers[event.name] or handlers.default
  if not handler then
    return true
  end
  return pcall(handler, event, hook)
end

--- Verifies a webhook and calls a function for each of its events.
-- @tparam client client
-- @tparam table handlers event name -> function(event, hook); `default` takes all other events
-- @tparam table|function headers as client:webhook takes them
-- @tparam string body raw bytes
-- @tparam[opt] table options as client:webhook takes them
-- @treturn number status 200, 400, 401 or 500
-- @treturn string JSON text
-- @treturn string|nil what to log
function hooks.receive(client, handlers, headers, body, options)
  local hook, message, details = client:webhook(headers, body, options)
  if not hook then
    local status = details.code == "unauthorized" and 401 or details.code == "invalid" and 400 or 500
    return status, answer.refusal(status), message
  end
  local problem
  for _, event in ipairs(hook.events) do
    local ok, raised = call(handlers, event, hook)
    if not ok then
      problem = problem or "the application raised: " .. tostring(raised)
    end
  end
  if problem then
    return 500, answer.refusal(500), problem
  end
  return 200, DONE
end

return hooks
