--- `make openresty-demo`: the chat beside a local Channels server, until Ctrl-C.
--
-- luajit tools/openresty_demo.lua PUSHER_JS, from the root of the checkout; PUSHER_JS is the folder of the npm package.
-- nginx.conf is used with few changes, all for this machine: a free port, the path of the library, and folders for
-- temporary files.

local nginx = require "tools.nginx"
local local_server = require "tools.local_server"

local HERE = "examples/openresty"
local PUSHER_JS = assert(arg[1], "usage: tools/openresty_demo.lua PUSHER_JS")

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function run(...)
  local command = table.concat({ ... }, " ")
  assert(os.execute(command) == 0, command .. " failed")
end

-- pusher-js is served from npm's copy here, never from another site.
local function fill(directory)
  run("cp -R", HERE .. "/html", HERE .. "/chat.lua", directory)
  run("mkdir", directory .. "/html/vendor")
  for _, name in ipairs { "dist/web/pusher-with-encryption.min.js", "LICENCE" } do
    run("cp", PUSHER_JS .. "/" .. name, directory .. "/html/vendor")
  end
  -- Workers of a master that root started run as another user.
  run("chmod -R a+rX", directory)
end

local function configuration(facts)
  fill(facts.directory)
  local text = read(HERE .. "/nginx.conf")
  local function replace(old, new)
    local from, to = text:find(old, 1, true)
    assert(from, "nginx.conf has no " .. old)
    text = text:sub(1, from - 1) .. new .. text:sub(to + 1)
  end
  replace("daemon off;", facts.modules .. "\n" .. facts.user .. "\ndaemon off;")
  replace("pid nginx.pid;", ("pid %s/pid;"):format(facts.directory))
  replace("error_log stderr notice;", ("error_log %s/error.log notice;"):format(facts.directory))
  replace("8080", facts.port)
  replace('lua_package_path "$prefix/?.lua;;";', ('lua_package_path "$prefix/?.lua;%s/lua/?.lua;;";\n'
    .. '  lua_package_cpath "%s/build/jit/?.so;;";'):format(facts.root, facts.root))
  -- Only needed for pusher.com.
  replace("  resolver 127.0.0.53 ipv6=off;\n", "")
  replace("  lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\n", "")
  local folders = {}
  for _, name in ipairs { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" } do
    folders[#folders + 1] = ("  %s_temp_path %s/%s;"):format(name, facts.directory, name)
  end
  replace("http {", "http {\n" .. table.concat(folders, "\n"))
  return text
end

local server = local_server.start()
local web = nginx.start {
  configuration = configuration,
  environment = ("PUSHER_URL='http://%s:%s@%s:%d/apps/%s' PUSHER_MASTER_KEY='%s'"):format(
    server.key, server.secret, server.host, server.port, server.app_id, server.master_key_base64),
}
server:set { webhook_url = ("http://127.0.0.1:%d/pusher/webhook"):format(web.port) }

io.write(("chat      http://127.0.0.1:%d/\n"):format(web.port))
io.write("log       ", web.directory, "/error.log\n")
io.write("Open it in two windows, one of them private. Ctrl-C ends it.\n")
io.flush()
-- Ctrl-C reaches all three processes: nginx ends, and its output with it.
pcall(function()
  web.pipe:read("*a")
end)
web:stop()
server:stop()
