--- Remembers webhooks in nginx's shared memory: for one machine, all its workers.

local shared = {}
local methods = {}
local metatable = { __index = methods }

--- @tparam table dict such as ngx.shared.webhooks
-- @tparam number lease seconds, longer than a handler takes: a worker that crashed holds an event for so long
-- @tparam number keep seconds for which an event that was handled is remembered: at least twice `max_age`
function shared.new(dict, lease, keep)
  return setmetatable({ dict = dict, lease = lease, keep = keep }, metatable)
end

-- Full memory errs on the side of handling an event twice. nginx makes space by forgetting the oldest keys.
local function report(message, forced)
  if forced then
    ngx.log(ngx.WARN, "the memory for webhooks is too small: old ones were forgotten early")
  elseif message then
    ngx.log(ngx.ERR, "a webhook is not remembered: ", message)
  end
end

function methods:begin(key)
  local added, message, forced = self.dict:add(key, "busy", self.lease)
  if not added and message == "exists" then
    return self.dict:get(key) or "busy"
  end
  report(message, forced)
  return "new"
end

function methods:finish(key)
  local _, message, forced = self.dict:set(key, "done", self.keep)
  report(message, forced)
end

function methods:forget(key)
  self.dict:delete(key)
end

return shared
