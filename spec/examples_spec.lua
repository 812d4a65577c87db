-- examples/README.md lists every example with a command that the example itself names, too.

local source = require "spec.helpers.source"

local function list(command)
  local names = {}
  local pipe = assert(io.popen(command))
  for name in pipe:lines() do
    names[#names + 1] = name
  end
  pipe:close()
  return names
end

describe("examples/README.md", function()
  local rows = {}

  setup(function()
    for name, command in source.read("examples/README.md"):gmatch("\n| %[([^%]]+)%]%(%1%) |[^|\n]*| ([^|\n]*) |") do
      rows[name] = command
    end
  end)

  it("has a row for each example, and no other", function()
    local names = {}
    for name in pairs(rows) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same(list("cd examples && ls -p | grep -v README | LC_ALL=C sort"), names)
  end)

  it("says how to run each as the example's own text does", function()
    for name, text in pairs(rows) do
      local own = source.read(name:find("%.lua$") and "examples/" .. name or "examples/" .. name .. "README.md")
      local command = text:match("^`([^`]+)`")
      if command then
        assert.is_truthy(own:find(command, 1, true), name .. " does not name: " .. command)
      else -- a command that copies it
        assert.matches("\n    [^\n]*cp %-r examples/" .. name:gsub("/$", "") .. " ", own)
      end
    end
  end)

  it("has a PUSHER_URL that works with the local server and quickstart.lua", function()
    local server = require("tools.local_server").start()
    local url = source.read("examples/README.md"):match("export PUSHER_URL=(%S+)"):gsub(":%d+/", (":%d/"):format(server.port))
    local output = list(("PUSHER_URL=%s %s 2>&1"):format(url,
      rows["quickstart.lua"]:match("`(.+)`"):gsub("^lua5%.4", os.getenv("PUSHER_LUA"))))
    local events = server:events()
    server:stop()
    assert.same({ 'sent "my-event" to "my-channel"' }, output)
    assert.equal("my-event", events[1].name)
  end)
end)
