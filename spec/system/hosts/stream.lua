--- nginx's `stream {}` for a check: the real one where its Lua module is installed, which Debian does not have, else a
-- stand-in within `http {}`.
--
-- The stand-in turns the configuration into one for http: preread becomes access, and content and log are in a location.
-- It takes from `ngx` what stream's lacks and the library might use: the functions about HTTP requests and responses, and
-- the subsystem's name.

local nginx = require "tools.nginx"

local stream = {}

--- Called by the stand-in's configuration.
function stream.take_http_away()
  ngx.config.subsystem = "stream"
  ngx.req = { socket = ngx.req.socket }
  ngx.header, ngx.location = nil, nil
end

local function stand_in(text)
  return (text:gsub("^stream {", "http {", 1)
    :gsub("init_by_lua_block {", "%0\n    require('spec.system.hosts.stream').take_http_away()", 1)
    :gsub("preread_by_lua_block", "access_by_lua_block")
    :gsub("(listen [^\n]*\n)(.-)(\n  }\n}\n)$", "%1    location / {\n%2\n    }%3"))
end

--- What a configuration needs to run in stream {}, or in the stand-in.
-- @tparam string text the configuration, "stream {…}"
-- @treturn string the directives that load modules
-- @treturn string the configuration
-- @treturn string what a client sends to be served
function stream.adapt(text)
  local modules = nginx.load_modules { "ngx_stream_module", "ngx_stream_lua_module" }
  if modules:find("ngx_stream_lua_module", 1, true) then
    return modules, text, ""
  end
  return nginx.load_modules { "ndk_http_module", "ngx_http_lua_module" }, stand_in(text), "GET / HTTP/1.0\r\n\r\n"
end

return stream
