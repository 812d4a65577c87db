-- The nginx.conf of README.md, docs/openresty.md and examples/openresty start in a fresh nginx by the commands that stand
-- beside them: as root and as an ordinary user when root runs this, else as the user who runs it.
--
-- Changed in a copy are only what a reader changes: where the library is, and the port, which may be in use here.

local cqueues = require "cqueues"
local http = require "tools.nginx.http"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"
local readme = require "spec.helpers.readme"
local run = require("tools.shell").run
local source = require "spec.helpers.source"
local text_file = require "tools.text_file"

local SECONDS = 30 -- ends what hangs
local NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups "

describe("nginx.conf as pasted:", function()
  local root, web, server

  setup(function()
    root = run("mktemp -d")
    run(("make -s install LUA=jit PREFIX=%s/usr && chmod -R a+rX %s"):format(root, root))
  end)

  teardown(function()
    run("rm -rf " .. root)
  end)

  local function is_running()
    return os.execute(("ps -o stat= -p %d | grep -q '^[^Z]'"):format(web.pid)) == 0
  end

  local function accepts()
    return pcall(http.request, { host = "127.0.0.1", port = web.port, path = "/" })
  end

  -- Runs the command in the folder, as the user that `prefix` makes, in a group of its own, and waits until nginx accepts
  -- connections. All that runs there keeps the pipe open, as descriptor 3.
  local function start(folder, prefix, command, port)
    run(prefix ~= "" and ("chown -R 65534:65534 " .. folder) or "true")
    text_file.write(folder .. "/start.sh", command .. "\n")
    web = { port = port, log = folder .. "/log" }
    web.pipe = assert(io.popen(("echo $$; cd %s && exec setsid %ssh ./start.sh 3>&1 >log 2>&1 </dev/null"):format(folder, prefix)))
    web.pid = web.pipe:read("*n")
    local deadline = cqueues.monotime() + SECONDS
    while not accepts() do
      assert(is_running() and cqueues.monotime() < deadline, source.read(web.log))
      cqueues.poll(0.02)
    end
  end

  local function stop()
    os.execute(("kill -TERM -%d 2>/dev/null"):format(web.pid))
    web.pipe:read("*a")
    web.pipe:close()
    web.pipe = nil
  end

  after_each(function()
    if web and web.pipe then
      stop()
    end
    if server then
      server:stop()
      server = nil
    end
    web = nil
  end)

  local function request(method, path, headers, body)
    return http.request {
      host = "127.0.0.1", port = web.port, path = path, method = method, headers = headers, body = body,
    }
  end

  local function check_log()
    stop()
    for line in io.lines(root .. "/log") do
      assert.is_nil(line:find("%[emerg%]") or line:find("%[alert%]") or line:find("%[crit%]"), line)
    end
  end

  local users = { ["the user who runs this"] = "" }
  if run("id -u") == "0" then
    users = { root = "", ["an ordinary user"] = NOBODY }
  end

  -- A folder with the nginx.conf of the page's section; also the command that starts it, and the port.
  local function paste(page, title)
    local section = readme.section(source.read(page), title)
    local text, command = section:match("\n```nginx\n(.-\n)```\n"), section:match("\n    (%S*nginx %-[^\n]*)")
    local folder, port = run("mktemp -d -p " .. root), nginx.free_port()
    run("chmod a+rx " .. folder)
    text = text_file.replace(text_file.replace(text, "127.0.0.1:8080", "127.0.0.1:" .. port), "/usr/local/", root .. "/usr/")
    text_file.write(folder .. "/nginx.conf", text)
    return folder, command, port
  end

  local form = "socket_id=1234.5678&channel_name=presence-lobby"

  for user, prefix in pairs(users) do
    it("README's starts as " .. user .. ", serves the page, authorizes and publishes", function()
      local folder, command, port = paste("README.md", "^nginx$")
      local page = source.read("README.md"):match("\n```html\n(.-\n)```\n")
      text_file.write(folder .. "/page.html", page)
      run("chmod a+r " .. folder .. "/page.html")
      server = local_server.start {}
      start(folder, prefix, ("PUSHER_URL=%s %s"):format(server:url(), command), port)

      assert.equal(page, request("GET", "/page.html").body)
      assert.equal(404, request("GET", "/nginx.conf").status)
      local authorized = request("POST", "/pusher/auth", { Cookie = page:match('document.cookie = "(%a+=)"') .. "ada" }, form)
      assert.matches('"auth":"' .. server.key, authorized.body, 1, true)
      assert.equal(403, request("POST", "/pusher/auth", {}, form).status)
      assert.equal("sent\n", request("GET", "/hello").body)
      assert.equal("presence-lobby", server:events()[2].channel)
      run(("cp %s/log %s/log"):format(folder, root))
      check_log()
    end)

    it("docs/openresty.md's starts as " .. user .. ", authorizes and refuses", function()
      local folder, command, port = paste("docs/openresty.md", "^OpenResty")
      start(folder, prefix, command, port)

      local authorized = request("POST", "/pusher/auth", { Cookie = "user=ada" }, form)
      assert.equal(200, authorized.status)
      assert.matches('"auth":"key:%x+"', authorized.body)
      assert.equal(403, request("POST", "/pusher/auth", {}, form).status)
      assert.equal(200, request("POST", "/pusher/user-auth", { Cookie = "user=ada" }, "socket_id=1234.5678").status)
      assert.equal(401, request("POST", "/pusher/webhook", { ["Content-Type"] = "application/json" }, "{}").status)
      -- Larger than nginx's memory for a body (16 KiB), so a temporary file is written.
      assert.equal(200, request("POST", "/pusher/auth", { Cookie = "user=ada" }, form .. "&more=" .. ("x"):rep(50000)).status)
      run(("cp %s/log %s/log"):format(folder, root))
      check_log()
    end)

    it("examples/openresty starts as " .. user .. " and serves its page", function()
      local folder, port = run("mktemp -d -p " .. root), nginx.free_port()
      run(("cp -r examples/openresty/. %s && chmod -R a+rX %s"):format(folder, folder))
      local text = source.read("examples/openresty/nginx.conf")
      local command = text:match("\n#   (PUSHER_URL=.-nginx%.conf)\n"):gsub("\n#", "\n")
      assert.matches(command:gsub("APP_ID", "ID"):gsub("%s+", " "),
        source.read("examples/openresty/README.md"):gsub("APP_ID", "ID"):gsub("%s+", " "), 1, true)
      text_file.write(folder .. "/nginx.conf", (text_file.replace(text, "127.0.0.1:8080", "127.0.0.1:" .. port)))
      command = ("export LUA_PATH='%s/usr/share/lua/5.1/?.lua;;' LUA_CPATH='%s/usr/lib/lua/5.1/?.so;;'; env "):format(root, root)
        .. command
      start(folder, prefix, command, port)
      assert.matches("<title>Fireside</title>", request("GET", "/").body, 1, true)
      assert.matches('"cluster":"eu"', request("GET", "/config.js").body, 1, true)
      local json = { ["Content-Type"] = "application/json" }
      assert.equal(400, request("POST", "/join", json, '{"more":"' .. ("x"):rep(50000) .. '"}').status)
      local joined = request("POST", "/join", json, '{"name":"Ada"}')
      assert.equal(200, joined.status)
      local cookie = joined.headers["set-cookie"]:match("^[^;]+")
      local people = "socket_id=1234.5678&channel_name=presence-people"
      assert.equal(200, request("POST", "/pusher/auth", { Cookie = cookie }, people).status)
      run(("cp %s/log %s/log"):format(folder, root))
      check_log()
    end)
  end
end)
