-- `make openresty-demo`: the page, with pusher-js from npm or from the CDN, and an end that leaves nothing.

local http = require "tools.nginx.http"
local terminal = require "tools.terminal"
local time_scale = require "spec.helpers.time_scale"

describe("make openresty-demo", function()
  local demo

  after_each(function()
    demo:close()
  end)

  local function get(path)
    return http.request { host = "127.0.0.1", port = demo.port, path = path }
  end

  local function start(command)
    demo = terminal.start(command)
    demo.port = assert(demo:find("^chat +http://127.0.0.1:(%d+)/$"))
    demo:find("Ctrl%-C")
  end

  for how, method in pairs { ["Ctrl-C"] = "interrupt", ["TERM for make"] = "terminate" } do
    it("serves the page with npm's pusher-js, and ends at " .. how, function()
      start("make -s openresty-demo")
      local script = get("/").body:match('src="(vendor/[^"]+)"')
      assert.equal(200, get("/" .. script).status)

      demo[method](demo)
      local rest, left = demo:finish()
      assert.is_nil(rest:find("No such process", 1, true), rest)
      assert.equal("", left)
      assert.is_false(pcall(get, "/"))
    end)
  end

  it("leaves nothing when it is killed", function()
    start("luajit tools/openresty_demo.lua")
    os.execute("kill -KILL " .. demo.pid)
    local ended = os.execute(([[timeout %d sh -c 'while [ -n "$(ls -A %s)" ]; do sleep 0.05; done']]):format(
      30 * time_scale, demo.folder))
    assert.is_true(ended == true or ended == 0, terminal.output_of("ls -R " .. demo.folder))
  end)

  it("takes pusher-js from the CDN where npm is not installed, and allows no other site", function()
    start("luajit tools/openresty_demo.lua")
    local page = get("/")
    assert.matches('src="https://js%.pusher%.com/%d+%.%d+%.%d+/pusher%-with%-encryption%.min%.js"', page.body)
    assert.is_nil(page.body:find('src="vendor', 1, true))
    assert.matches("script%-src 'self' https://js%.pusher%.com;", page.headers["content-security-policy"])
  end)
end)
