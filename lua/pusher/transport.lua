--- Which transport carries the requests: a name or an object in, an object out.
-- The only file that asks whether it runs inside nginx.

local errors = require "pusher.base.errors"
local options_module = require "pusher.base.options"

local transport = {}

local NAMES = { curl = true, async = true, ngx = true }

local function inside_nginx()
  local api = rawget(_G, "ngx")
  return type(api) == "table" and type(api.socket) == "table"
end

--- Makes the transport that `options.transport` asks for.
-- A name loads that transport's file and no other, so that nginx never maps libcurl.
-- @tparam table options `transport` = "curl", "async", "ngx", an object with a `send` method, or nil:
--   "ngx" inside nginx, else "curl"; the rest goes to the transport
-- @treturn table|nil transport, or the failure triple with code `config`
function transport.resolve(options)
  local wanted = options.transport
  if wanted == nil then
    wanted = inside_nginx() and "ngx" or "curl"
  end
  if type(wanted) == "table" and type(wanted.send) == "function" then
    return wanted
  elseif not NAMES[wanted] then
    return errors.fail("config", 'option "transport" must be "curl", "async", "ngx" or an object with a send method',
      { field = "transport" })
  end
  local own = {}
  for name in pairs(options_module.TRANSPORT) do
    own[name] = options[name]
  end
  return require("pusher.transport." .. wanted).new(own)
end

return transport
