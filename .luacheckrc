-- What Lua 5.1 to 5.5 and LuaJIT have in common, and what may be used where a fallback exists.
stds.compat = {
  read_globals = {
    math = { fields = { "type", "tointeger", "maxinteger", "mininteger" } },
    table = { fields = { "unpack" } },
    "unpack",
  },
}
std = "min+compat"
max_line_length = 120

exclude_files = { "**/node_modules", "build" }
files["spec"] = { std = "min+compat+busted", max_line_length = 140 }
files["spec/helpers"] = { std = "max+busted" }
files["spec/system"] = { std = "max+busted", max_line_length = 140 }
files["tools"] = { std = "max+busted", max_line_length = 140 } -- programs that run under LuaJIT
files["scripts"] = { std = "max+busted" }
files["bench"] = { std = "max" }
files["**/*.rockspec"] = { std = "rockspec" }

-- Only code that runs inside nginx may look at `ngx`.
for _, path in ipairs {
  "lua/pusher/transport/ngx.lua", "lua/pusher/transport/ngx", "lua/pusher/driver/nginx.lua", "spec/system/nginx",
} do
  files[path] = files[path] or {}
  files[path].read_globals = { "ngx" }
end
-- A handler sets ngx.status and ngx.header.
files["lua/pusher/openresty.lua"] = { std = "min+compat+ngx_lua" }
files["examples/webhooks_once"] = { read_globals = { "ngx" } }
files["examples/openresty"] = { std = "min+compat+ngx_lua" }
files["spec/system/hosts/stream_probe.lua"] = { read_globals = { "ngx" } }
files["spec/system/hosts/stream.lua"] = { globals = { "ngx" } }
files["spec/system/game/step_timing"] = { globals = { "minetest" } }
files["bench/openresty/post.lua"] = { std = "max", globals = { "wrk", "init", "done" } }
files["bench/openresty/exchange.lua"] = { std = "max", read_globals = { "ngx" } }
files["examples/luanti"] = { globals = { "pusher" }, read_globals = { "minetest", "vector" } }
