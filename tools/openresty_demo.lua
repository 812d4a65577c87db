--- `make openresty-demo`: the chat beside a local Channels server, until Ctrl-C or TERM.
--
-- luajit tools/openresty_demo.lua [PUSHER_JS], from the root of the checkout; PUSHER_JS is the folder of the npm package.
-- Without it the page loads pusher-js from Pusher's CDN. nginx.conf is used with few changes, all for this machine: a free
-- port, the paths of the library and of the modules, and folders for temporary files.

local nginx = require "tools.nginx"
local local_server = require "tools.local_server"
local signals = require "tools.signals"
local text_file = require "tools.text_file"

local HERE = "examples/openresty"
local PUSHER_JS = arg[1] ~= "" and arg[1] or nil
local SCRIPT = "vendor/pusher-with-encryption.min.js"
local CDN, VERSION = "https://js.pusher.com", "8.4.0"
-- How often it looks whether nginx still runs, in seconds.
local POLL = 0.5

local function run(...)
  local command = table.concat({ ... }, " ")
  assert(os.execute(command) == 0, command .. " failed")
end

local function fill(directory)
  run("cp -R", HERE .. "/html", HERE .. "/chat.lua", directory)
  if PUSHER_JS then
    run("mkdir", directory .. "/html/vendor")
    for _, name in ipairs { "dist/web/pusher-with-encryption.min.js", "LICENCE" } do
      run("cp", PUSHER_JS .. "/" .. name, directory .. "/html/vendor")
    end
  else
    local page = directory .. "/html/index.html"
    text_file.write(page, (text_file.replace(text_file.read(page), SCRIPT,
      ("%s/%s/%s"):format(CDN, VERSION, SCRIPT:match("[^/]+$")))))
  end
  -- Workers of a master that root started run as another user.
  run("chmod -R a+rX", directory)
end

local function configuration(facts)
  fill(facts.directory)
  local text = text_file.read(HERE .. "/nginx.conf"):gsub("\nload_module [^\n]*", "")
  local lua_paths = ('lua_package_path "$prefix/?.lua;%s/lua/?.lua;;";\n  lua_package_cpath "%s/build/jit/?.so;;";'):format(
    facts.root, facts.root)
  for _, change in ipairs {
    { "daemon off;", facts.modules .. "\n" .. facts.user .. "\ndaemon off;" },
    { "pid nginx.pid;", ("pid %s/pid;"):format(facts.directory) },
    { "error_log stderr notice;", ("error_log %s/error.log notice;"):format(facts.directory) },
    { "8080", facts.port },
    { 'lua_package_path "$prefix/?.lua;;";', lua_paths },
    -- Only needed for pusher.com.
    { "  resolver 127.0.0.53 ipv6=off;\n", "" },
    { "  lua_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\n", "" },
  } do
    text = text_file.replace(text, change[1], change[2])
  end
  if PUSHER_JS then
    return text
  end
  return (text_file.replace(text, "default-src 'self';", ("default-src 'self'; script-src 'self' %s;"):format(CDN)))
end

local server = local_server.start()
local web = nginx.start {
  -- When this program is killed, the server's watcher removes the folder with all that is in it.
  below = server.control:match("^(.*)/"),
  configuration = configuration,
  environment = ("PUSHER_URL='%s' PUSHER_MASTER_KEY='%s'"):format(server:url(), server.master_key_base64),
}
server:set { webhook_url = ("http://127.0.0.1:%d/pusher/webhook"):format(web.port) }

local caught = signals.catch()

io.write(("chat      http://127.0.0.1:%d/\n"):format(web.port))
io.write("log       ", web.directory, "/error.log\n")
if not PUSHER_JS then
  io.write(("pusher-js from %s, since npm is not installed\n"):format(CDN))
end
io.write("Open it in two windows, one of them private. Ctrl-C ends it.\n")
io.flush()
-- Ctrl-C reaches nginx, too.
while not caught(POLL) and web:is_running() do
end
web:stop()
server:stop()
