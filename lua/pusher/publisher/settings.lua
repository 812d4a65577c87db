--- The publisher's options in, one checked, complete table out.

local core = require "pusher.core"
local options = require "pusher.base.options"
local sources = require "pusher.base.sources"

local settings = {}

--- The options, as pusher.base.options has them. The reference has the same names and defaults; a spec compares them.
settings.DECLARED = {
  max_queue = { "number", default = 10000, min = 1, integer = true }, -- events that wait
  overflow = { "string", default = "reject", one_of = { "reject", "drop_oldest" } },
  linger = { "number", default = 0.005, min = 0 }, -- seconds
  max_in_flight = { "number", default = 8, min = 1, integer = true }, -- batches
  retry = options.retry(6),
  idempotency = { "boolean" }, -- the client's, when it is nil
  on_result = { "function" },
  now = sources.NOW,
  sleep = { "function", default = core.sleep }, -- function(seconds), for a transport that blocks
}

--- Checks the options; the given table is not changed.
-- @tparam[opt] table given see docs/publisher.md
-- @treturn table|nil a fresh, complete table; nil, message, details otherwise
function settings.check(given)
  return options.check(given or {}, settings.DECLARED)
end

return settings
