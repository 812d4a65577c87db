--- The names of an event's parameters, by the call that takes them. For speed payload.lua (batch) and publisher.lua
-- read theirs by comparisons; spec/channels/params_spec.lua sees that they agree with these lists.

local params = {}

local OPTIONAL = { "socket_id", "info", "idempotency_key", "extra" }

-- A set of names: the optional ones, and more.
local function with(more)
  local set = {}
  for _, list in ipairs { OPTIONAL, more } do
    for _, name in ipairs(list) do
      set[name] = true
    end
  end
  return set
end

--- Of client:trigger.
params.TRIGGER = with {}

--- Of client:send_to_user.
params.USER = { idempotency_key = true, extra = true }

--- Of each event of client:trigger_batch.
params.BATCH = with { "channel", "name", "data" }

--- Of publisher:trigger.
params.PUBLISHER = with { "replace", "tag" }

--- The members of an event that the library sets, so `extra` must not.
params.OWN_MEMBERS = with { "channel", "channels", "name", "data" }
params.OWN_MEMBERS.extra = nil

return params
