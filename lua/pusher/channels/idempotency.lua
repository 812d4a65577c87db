--- Makes idempotency keys, by which a server recognizes the retry of an event and does not publish it again.

local core = require "pusher.core"

local idempotency = {}
local methods = {}
local metatable = { __index = methods, __name = "pusher.channels.idempotency" }

local BASE_BYTES = 16

--- Makes the keys of one client.
-- @tparam function random function(n) returning n random bytes
function idempotency.new(random)
  return setmetatable({ random = random, forks = false, base = "", serial = 0 }, metatable)
end

--- A key that nobody else makes: random bits of this client in this process, and a serial number. A forked child takes
-- random bits of its own, or it would repeat its parent's keys.
-- @treturn string "base:serial"
function methods:next()
  local forks = core.forks()
  if forks ~= self.forks then
    self.base = core.base64url_encode(self.random(BASE_BYTES)) .. ":"
    self.forks, self.serial = forks, 0
  end
  self.serial = self.serial + 1
  return self.base .. ("%d"):format(self.serial)
end

return idempotency
