--- What busted uses of lua-system, for a Lua that Debian does not build that module for.

local core = require "pusher.core"

return { gettime = core.now, monotime = core.now, sleep = core.sleep }
