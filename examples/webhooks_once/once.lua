--- Handles each event of a webhook once, though the sender repeats webhooks: a repetition has the same `hook.id`.
--
--     handlers = once.handlers(store, { member_added = function(event, hook) … end })
--     openresty.webhook(client, handlers, { max_age = 600 })
--
-- A store remembers keys: `begin(key)` returns "new" and marks the key, or returns "busy" or "done"; `finish(key)`
-- marks it as done; `forget(key)`. See shared.lua and redis.lua.

local once = {}

-- The places of a webhook's events, for as long as the webhook is in use.
local positions = setmetatable({}, { __mode = "k" })

local function position(event, hook)
  if not positions[hook] then
    local places = {}
    for index, other in ipairs(hook.events) do
      places[other] = index
    end
    positions[hook] = places
  end
  return positions[hook][event]
end

-- What is raised makes the response 500, so the sender repeats the webhook. Its events that are done are left out then.
local function handle(store, f, event, hook)
  local key = hook.id .. ":" .. position(event, hook)
  local state = store:begin(key)
  if state == "done" then
    return
  elseif state ~= "new" then
    error("the event is being handled by another request", 0)
  end
  local ok, raised = pcall(f, event, hook)
  if not ok then
    store:forget(key)
    error(raised, 0)
  end
  store:finish(key)
end

--- Wraps the handlers of openresty.webhook.
-- @tparam table store
-- @tparam table handlers event name -> function(event, hook); `default` for all others
-- @treturn table handlers
function once.handlers(store, handlers)
  return {
    default = function(event, hook)
      local f = handlers[event.name] or handlers.default
      if f then
        handle(store, f, event, hook)
      end
    end,
  }
end

return once
