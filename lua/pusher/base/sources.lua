--- Options that are functions: clocks and a source of random bytes. A result of the wrong kind is replaced; an error is
-- passed on.

local core = require "pusher.core"
local errors = require "pusher.base.errors"

local sources = {}

local type = type

-- The declaration (see pusher.base.options) of a function that returns a finite number.
local function number_from(system, replacement)
  return { "function", make = function(given)
    return given and function()
      local number = given()
      return type(number) == "number" and number - number == 0 and number or replacement()
    end or system
  end }
end

local function no_number()
  return 0 / 0
end

--- Unix seconds; NaN when the caller's clock gives none, or when there is none and a sandbox has no os.time. What is
-- signed with such a time is refused by `no_time`.
sources.CLOCK = number_from(os and os.time or no_number, no_number)

--- The failure of a call that needs the time.
-- @return nil, message, details (code `config`)
function sources.no_time()
  return errors.fail("config", "the option clock must return Unix seconds", { field = "clock" })
end

--- A monotonic clock, in seconds, or the system's.
sources.NOW = number_from(core.now, core.now)

--- function(n) -> n random bytes, the system's when the caller's has none.
sources.RANDOM = { "function", make = function(given)
  return given and function(count)
    local bytes = given(count)
    return type(bytes) == "string" and #bytes == count and bytes or core.random(count)
  end or core.random
end }

return sources
